"""Which TLS Secrets an input needs: those that an Ingress of their namespace names. netlab keeps nothing of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.objects.ingresses import Ingress, TlsSecret
from netlab.objects.types import Meta

WITHOUT_CERTIFICATE = "no-certificate"
"""The rule name of warnings about a Secret that is not in the input (``Problem.rule``)."""


def named_secrets(objects: Iterable[Any]) -> frozenset[tuple[str, str]]:
    """Return the namespace and the name of each Secret that an Ingress among some objects names."""
    ingresses = (one for one in objects if type(one) is Ingress)
    return frozenset((one.meta.namespace, tls.secret) for one in ingresses for tls in one.tls if tls.secret)


def is_unnamed(one: Any, named: frozenset[tuple[str, str]]) -> bool:
    """Say whether an object is a TLS Secret that is not among the named ones."""
    return type(one) is TlsSecret and _name(one.meta) not in named


def _name(meta: Meta) -> tuple[str, str]:
    return meta.namespace, meta.name
