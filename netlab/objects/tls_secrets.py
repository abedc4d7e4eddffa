"""Which TLS Secrets netlab keeps: those that an Ingress of their namespace names, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.objects.ingresses import Ingress, TlsSecret

WITHOUT_CERTIFICATE = "no-certificate"
"""The rule name of warnings about a Secret that is not in the input (``Problem.rule``)."""


def named_secrets(objects: Iterable[Any]) -> frozenset[tuple[str, str]]:
    """Return the namespace and the name of each Secret that an Ingress among the objects names."""
    ingresses = (item for item in objects if type(item) is Ingress)
    return frozenset((ingress.meta.namespace, tls.secret) for ingress in ingresses for tls in ingress.tls if tls.secret)


def is_unnamed(item: Any, named: frozenset[tuple[str, str]]) -> bool:
    """Say whether an object is a TLS Secret that is not among the named ones."""
    return type(item) is TlsSecret and (item.meta.namespace, item.meta.name) not in named
