"""Constructors of Ingresses, and tables of requests that tests of the rules and of real nginx share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from builders import meta, objects, source

from netlab.cluster import Cluster, resolve
from netlab.objects.ingresses import (
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    PathType,
    TlsSecret,
)
from netlab.objects.services import Service, ServicePort

_TYPES = {"=": "Exact", "^": "Prefix", "~": "ImplementationSpecific"}


def backend(text: str, path: str = "") -> IngressBackend:
    """Return the backend of ``"api:80"`` or ``"api:http"``; "" is a resource."""
    name, _, port = text.partition(":")
    return IngressBackend(name, int(port) if port.isdecimal() else port, path)


def ingress(
    ref: str,
    rules: Sequence[tuple[str, Sequence[str]]] = (),
    *,
    default: str = "",
    of_class: str = "",
    tls: Sequence[tuple[Sequence[str], str]] = (),
    line: int = 1,
) -> Ingress:
    """Return an Ingress; a path is ``"^/cart api:80"``, its first character ``=``, ``^`` or ``~`` for its type."""
    made = []
    for number, (host, paths) in enumerate(rules):
        place = f"spec.rules[{number}]"
        items = []
        for i, text in enumerate(paths):
            at = f"{place}.http.paths[{i}]"
            path, _, to = text.rpartition(" ")
            kind = cast(PathType, _TYPES[path[0]])
            items.append(IngressPath(path[1:], kind, backend(to, f"{at}.backend"), at))
        made.append(IngressRule(host, tuple(items), place))
    certificates = tuple(IngressTls(tuple(hosts), secret, f"spec.tls[{i}]") for i, (hosts, secret) in enumerate(tls))
    of_all = backend(default, "spec.defaultBackend") if default else None
    return Ingress(meta(ref), tuple(made), of_all, of_class, certificates, source(line))


def ingress_class(name: str, controller: str = "k8s.io/ingress-nginx", *, default: bool = False) -> IngressClass:
    return IngressClass(meta(name), controller, default)


def service(ref: str, app: str = "", *ports: ServicePort) -> Service:
    """Return a Service of the pods with ``app=NAME``, which are on port 8080."""
    name = ref.rpartition("/")[2]
    return Service(meta(ref), {"app": app or name}, ports or (ServicePort(80, 8080, name="http"),))


def cluster(*things: Any) -> Cluster:
    """Return the cluster of any mixture of kinds, Ingresses too."""

    def of(kind: type) -> tuple[Any, ...]:
        return tuple(thing for thing in things if isinstance(thing, kind))

    classes, secrets = of(IngressClass), of(TlsSecret)
    return resolve(objects(*things, ingresses=of(Ingress), ingress_classes=classes, tls_secrets=secrets))


class Case(NamedTuple):
    """Rules of one host, a request's path, and the name of the Service that answers; "" for the default backend."""

    paths: tuple[str, ...]
    request: str
    answers: str


# The table "Examples" of https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types, row by row.
OFFICIAL = (
    Case(("^/ a:80",), "/any/thing", "a"),
    Case(("=/foo a:80",), "/foo", "a"),
    Case(("=/foo a:80",), "/bar", ""),
    Case(("=/foo a:80",), "/foo/", ""),
    Case(("=/foo/ a:80",), "/foo", ""),
    Case(("^/foo a:80",), "/foo", "a"),
    Case(("^/foo a:80",), "/foo/", "a"),
    Case(("^/foo/ a:80",), "/foo", "a"),
    Case(("^/foo/ a:80",), "/foo/", "a"),
    Case(("^/aaa/bb a:80",), "/aaa/bbb", ""),
    Case(("^/aaa/bbb a:80",), "/aaa/bbb", "a"),
    Case(("^/aaa/bbb/ a:80",), "/aaa/bbb", "a"),
    Case(("^/aaa/bbb a:80",), "/aaa/bbb/", "a"),
    Case(("^/aaa/bbb a:80",), "/aaa/bbb/ccc", "a"),
    Case(("^/aaa/bbb a:80",), "/aaa/bbbxyz", ""),
    Case(("^/ a:80", "^/aaa b:80"), "/aaa/ccc", "b"),
    Case(("^/ a:80", "^/aaa b:80", "^/aaa/bbb c:80"), "/aaa/bbb", "c"),
    Case(("^/ a:80", "^/aaa b:80", "^/aaa/bbb c:80"), "/ccc", "a"),
    Case(("^/aaa a:80",), "/ccc", ""),
    Case(("^/foo a:80", "=/foo b:80"), "/foo", "b"),
)

# What that table leaves out.
FURTHER = (
    Case(("^/foo a:80", "=/foo b:80"), "/foo/", "a"),
    Case(("^/foo a:80", "=/foo/ b:80"), "/foo", "a"),
    Case(("^/foo a:80", "=/foo/ b:80"), "/foo/", "b"),
    Case(("^/foo a:80", "=/foo/ b:80"), "/foo/bar", "a"),
    Case(("=/ a:80",), "/", "a"),
    Case(("=/ a:80",), "/x", ""),
    Case(("~ a:80",), "/x", "a"),
    Case(("~/foo a:80",), "/foo/bar", "a"),
    Case(("^/foo a:80",), "/FOO", ""),
    Case(("^/foo a:80",), "/foo?x=/bar", "a"),
    Case(("^/foo a:80",), "//foo", ""),
    Case(("^/foo a:80",), "/foo//bar", "a"),
    Case(("^/foo a:80",), "/bar/../foo/x", "a"),
    Case(("^/foo a:80",), "/foo/../bar", ""),
    Case(("^/foo a:80",), "/foo/./", "a"),
    Case(("^/foo a:80",), "/%66oo", "a"),
    Case(("^/a%20b a:80",), "/a%20b", "a"),
    Case(("^/caf\u00e9 a:80",), "/caf%C3%A9/x", "a"),
    Case(("=/a;b{c}\"d'e$host\\f a:80",), "/a;b%7Bc%7D%22d'e$host%5Cf", "a"),
    Case(("=/foo/bar/ a:80", "^/foo b:80"), "/foo/bar", "b"),
)
