"""Secret: netlab reads two fields of Secrets of type ``kubernetes.io/tls`` that an Ingress names.

No message has a value of a Secret.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error

from netlab.errors import Problem
from netlab.objects.field_types import Part, Raw, Root
from netlab.objects.fields import Fields, required
from netlab.objects.ingresses import TlsSecret
from netlab.objects.kind import Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.shapes import Schema, Shape
from netlab.objects.types import Document
from netlab.patterns import pattern

TYPE = "kubernetes.io/tls"
MOST_BYTES = 1 << 20
"""The most bytes of a Secret, the API server's limit."""
_CERTIFICATE = pattern(r"-----BEGIN CERTIFICATE-----")
_KEY = pattern(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----")


def _text() -> Schema:
    return {"type": ["string", "null"]}


class _Data(Shape):
    """The certificate and its key, in base64."""

    certificate = Raw("tls.crt", "The certificates, PEM in base64.", type=_text)
    key = Raw("tls.key", "The key of the first certificate, PEM in base64.", type=_text)


class _StringData(Shape):
    """The certificate and its key, as text."""

    certificate = Raw("tls.crt", "The certificates, PEM.", type=_text)
    key = Raw("tls.key", "The key of the first certificate, PEM.", type=_text)


class _Root(Root):
    """A certificate and its key, for TLS of an Ingress."""

    metadata = METADATA
    type = Raw("type", "Only `kubernetes.io/tls` is read.", type=dict)
    data = Part("data", "The certificate and its key, in base64.", shape=_Data)
    string_data = Part("stringData", "The same as text, which has precedence.", shape=_StringData)


def secret(document: Document) -> tuple[TlsSecret | None, list[Problem]]:
    """Decode a Secret of type ``kubernetes.io/tls``; return None for any other."""
    if document.data.get(_Root.type.name) != TYPE:
        return None, []
    root = open_document(document)
    meta = object_meta(root)
    data, texts = _mapping(root, _Root.data), _mapping(root, _Root.string_data)
    certificate = _value(data, _Data.certificate, texts, _StringData.certificate)
    key = _value(data, _Data.key, texts, _StringData.key)
    if len(certificate) + len(key) > MOST_BYTES:
        _Root.data.error(root, f"Too long: may not be more than {MOST_BYTES} bytes")
        certificate = key = ""
    for name, text, block in (("tls.crt", certificate, _CERTIFICATE), ("tls.key", key, _KEY)):
        if text and not block.search(text):
            root.report.warn(f"data[{name}]", "has no PEM block of this type", "no-pem")
    return TlsSecret(meta, certificate, key, document.source), root.report.problems


def _mapping(root: Fields, field: Part) -> Fields:
    value = root.data.get(field.name)
    if value is not None and not isinstance(value, dict):
        field.error(root, "Invalid value: must be a mapping")
        value = None
    return Fields(root.report, value or {}, field.at(root))


def _value(data: Fields, field: Raw, texts: Fields, text: Raw) -> str:
    """Return the text of a field; ``stringData`` has precedence over ``data``, as on the API server."""
    if text.has(texts):
        found = text.read(texts)
        if isinstance(found, str):
            return found
        text.error(texts, "Invalid value: must be a string")
        return ""
    if not field.has(data):
        path = f"{data.path}[{field.name}]"
        data.report.error(path, required(), at=field.at(data))
        return ""
    found = field.read(data)
    try:
        return b64decode("".join(found.split()), validate=True).decode()
    except (AttributeError, Error, ValueError):
        field.error(data, "Invalid value: must be text in base64")
        return ""


# It has no schema, as a schema would refuse Secrets of other types.
KIND = Kind("Secret", "v1", TlsSecret, secret, plural="secrets")
