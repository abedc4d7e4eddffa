"""Ingresses as values: Ingress, IngressClass, and Secrets of type ``kubernetes.io/tls``.

Source: the Kubernetes API reference (networking.k8s.io/v1, core/v1).
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.types import Meta, Source

PathType = Literal["Exact", "Prefix", "ImplementationSpecific"]


@frozen
class IngressBackend:
    """A backend: a Service of the Ingress's namespace and its port, by number or name.

    ``service`` is "" if the backend is a resource, which netlab does not serve. ``path`` is its place in the object.
    """

    service: str
    port: int | str = 0
    path: str = field(default="", compare=False)


@frozen
class IngressPath:
    """A path of a rule, and its backend."""

    path: str
    path_type: PathType
    backend: IngressBackend
    place: str = field(default="", compare=False)


@frozen
class IngressRule:
    """The paths of one host; ``host`` is "" for all hosts, and may begin with ``*.``."""

    host: str
    paths: tuple[IngressPath, ...] = ()
    place: str = field(default="", compare=False)


@frozen
class IngressTls:
    """The hosts of one TLS Secret of the Ingress's namespace."""

    hosts: tuple[str, ...] = ()
    secret: str = ""
    place: str = field(default="", compare=False)


@frozen
class Ingress:
    """An Ingress; ``class_name`` is "" if none is written and no class is the default."""

    meta: Meta
    rules: tuple[IngressRule, ...] = ()
    default_backend: IngressBackend | None = None
    class_name: str = ""
    tls: tuple[IngressTls, ...] = ()
    source: Source = field(default_factory=Source, compare=False)


@frozen
class IngressClass:
    """An IngressClass; ``default``: Ingresses without a class get it."""

    meta: Meta
    controller: str = ""
    default: bool = False
    source: Source = field(default_factory=Source, compare=False)


@frozen
class TlsSecret:
    """A Secret of type ``kubernetes.io/tls``, as PEM text; ``repr`` hides the key."""

    meta: Meta
    certificate: str = ""
    key: str = field(default="", repr=False)
    source: Source = field(default_factory=Source, compare=False)
