"""What the Ingresses of a cluster say: the hosts, the paths of each host, and the Service port behind each path.

Source: the Kubernetes API reference (networking.k8s.io/v1) and "Ingress". Where both are silent, netlab does what
ingress-nginx does. It chooses the host before the path, merges the paths of one host of several Ingresses, and lets the
oldest Ingress win a conflict. The oldest is the first one of the input; those that a running lab gets come after it.
Unlike ingress-nginx, netlab redirects no request to HTTPS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import unquote

from netlab.cluster.services.system import INGRESS_CONTROLLER
from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.frozen import NamedTuple, frozen
from netlab.objects import names
from netlab.objects.ingresses import Ingress, IngressBackend, IngressRule, TlsSecret
from netlab.objects.services import Service, ServicePort

_ANNOTATIONS = "nginx.ingress.kubernetes.io/"
MOST_PATH = 1024
"""The longest path of a rule, in bytes: nginx reads words of at most 4096 bytes, and each byte may need an escape."""

LocationKind = Literal["Exact", "Prefix", "default"]
_PATTERN = re.compile(r"[*()\[\]^$|+\\?]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@frozen
class Backend:
    """A Service and its port; if one of them is missing, ``reason`` says so, and nginx answers 503."""

    text: str
    service: Service | None = None
    port: ServicePort | None = None
    reason: str = ""


@frozen
class Location:
    """A path of a host, and its backend.

    ``path`` is decoded; that of a Prefix has no slash at its end. The kind ``default`` is the default backend, which
    matches every path. ``place`` is the field's path in ``ingress``.
    """

    path: str
    kind: LocationKind
    backend: Backend
    ingress: Ingress
    place: str

    def matches(self, path: str) -> bool:
        """Return whether the location matches a normalized path of a request."""
        if self.kind == "Exact":
            return path == self.path
        return path == self.path or path.startswith(f"{self.path}/")


@frozen
class Server:
    """A host: its locations in the order in which they match, its default backend and its certificate.

    ``host`` is "" for all other hosts; in ``*.example.com`` the star stands for one label.
    """

    host: str
    locations: tuple[Location, ...] = ()
    default: Location | None = None
    secret: TlsSecret | None = None

    def find(self, path: str) -> Location | None:
        """Return the location that matches a normalized path, else the default backend, None if there is none."""
        return next((one for one in self.locations if one.matches(path)), self.default)


class Remark(NamedTuple):
    """A warning about an Ingress: the field's path, a message and the name of the check."""

    ingress: Ingress
    path: str
    message: str
    rule: str


@frozen
class IngressRules:
    """The rules of all served Ingresses of a cluster.

    ``servers`` has one for each host; that of all other hosts ("") is always there. ``unserved`` has each Ingress that
    no controller serves, with the reason.
    """

    servers: tuple[Server, ...]
    served: tuple[Ingress, ...] = ()
    unserved: tuple[tuple[Ingress, str], ...] = ()
    remarks: tuple[Remark, ...] = ()

    def server(self, host: str) -> Server:
        """Return the server of a request's host: that of the host, else of its wildcard, else of all other hosts."""
        name = plain_host(host)
        by_host = {server.host: server for server in self.servers}
        wildcard = f"*.{name.partition('.')[2]}"
        first = not name.startswith(".")
        return by_host.get(name) or (by_host.get(wildcard) if first else None) or by_host[""]


def rules(cluster: Cluster) -> IngressRules:
    """Return the rules of the Ingresses of a cluster, which are read once for each cluster."""
    found: IngressRules | None = cluster.memo.get("programs.ingress_rules")
    if found is None:
        found = cluster.memo["programs.ingress_rules"] = _Reader(cluster).read()
    return found


def plain_host(host: str) -> str:
    """Return a header Host without its port and the dot at its end, in lower case."""
    name = host if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


class _Reader:
    """Reads the Ingresses of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._services = {service.meta.key: service for service in cluster.services}
        self._secrets = {secret.meta.key: secret for secret in cluster.tls_secrets}
        self._remarks: list[Remark] = []
        self._by_host: dict[str, list[tuple[Ingress, IngressRule]]] = {}

    def read(self) -> IngressRules:
        served, unserved = [], []
        for ingress in self._cluster.ingresses:
            why = self._unserved(ingress)
            if why:
                unserved.append((ingress, why))
                self._remark(ingress, "spec.ingressClassName", f"no controller serves it: {why}", "ingress-class")
            else:
                served.append(ingress)
        catch_all = self._catch_all(served)
        for ingress in served:
            for rule in ingress.rules:
                host = rule.host.lower()
                if host and not valid_host(host):
                    message = "is no DNS name, so nginx does not serve it"
                    self._remark(ingress, f"{rule.place}.host", message, "ingress-host")
                    continue
                self._by_host.setdefault(host, []).append((ingress, rule))
        servers = tuple(self._server(host, catch_all) for host in sorted({"", *self._by_host}))
        return IngressRules(servers, tuple(served), tuple(unserved), tuple(self._remarks))

    def _remark(self, ingress: Ingress, path: str, message: str, rule: str) -> None:
        self._remarks.append(Remark(ingress, path, message, rule))

    def _unserved(self, ingress: Ingress) -> str:
        """Return why no controller serves an Ingress, "" if the lab's nginx does."""
        by_name = {one.meta.name: one for one in self._cluster.ingress_classes}
        name = ingress.class_name
        if not name:
            return "it names no class, and no IngressClass is the default" if by_name else ""
        one = by_name.get(name)
        if one is None:
            own = next((known for known, one in by_name.items() if one.controller == INGRESS_CONTROLLER), "")
            hint = f"add one with the controller {INGRESS_CONTROLLER}{f', or write {own}' if own else ''}"
            return f"there is no IngressClass {name!r}: {hint}"
        if one.controller == INGRESS_CONTROLLER:
            return ""
        return f"IngressClass {name!r} has the controller {one.controller}, and the lab has {INGRESS_CONTROLLER} only"

    def _catch_all(self, served: Iterable[Ingress]) -> Location | None:
        """Return the default backend of hosts without a rule: of an Ingress without rules, else of the first."""
        having = [one for one in served if one.default_backend is not None]
        having.sort(key=lambda one: bool(one.rules))
        for other in having[1:]:
            if not other.rules or not having[0].rules:
                continue
            message = f"for hosts without a rule the default backend of Ingress {having[0].meta.key} counts"
            self._remark(other, "spec.defaultBackend", message, "ingress-conflict")
        for other in [one for one in having[1:] if not one.rules]:
            message = f"has no effect: Ingress {having[0].meta.key} has the default backend of all hosts already"
            self._remark(other, "spec.defaultBackend", message, "ingress-conflict")
        return self._default(having[0]) if having else None

    def _default(self, ingress: Ingress) -> Location | None:
        if ingress.default_backend is None:
            return None
        place = ingress.default_backend.path or "spec.defaultBackend"
        return Location("", "default", self._backend(ingress, ingress.default_backend), ingress, place)

    def _server(self, host: str, catch_all: Location | None) -> Server:
        found: dict[tuple[str, str], Location] = {}
        default = secret = None
        for ingress, rule in self._by_host.get(host, ()):
            for location in self._locations(ingress, rule):
                first = found.setdefault((location.kind, location.path), location)
                if first is not location:
                    shown = f"{location.kind} {location.path or '/'} of {f'host {host}' if host else 'all hosts'}"
                    source = first.ingress.source
                    where = source.place(first.place) or source.file
                    message = f"has no effect: Ingress {first.ingress.meta.key} ({where}) has {shown} already"
                    self._remark(ingress, location.place, message, "ingress-conflict")
            if host:
                default = default or self._default(ingress)
                secret = secret or self._secret(ingress, host)
        ordered = sorted(found.values(), key=lambda one: (one.kind != "Exact", -len(one.path)))
        return Server(host, tuple(ordered), default or catch_all, secret)

    def _locations(self, ingress: Ingress, rule: IngressRule) -> Iterator[Location]:
        for item in rule.paths:
            exact = item.path_type == "Exact"
            path = unquote(item.path or "/", errors="surrogateescape")
            if not path.startswith("/") or len(path.encode(errors="replace")) > MOST_PATH or _CONTROL.search(path):
                message = f"nginx does not serve it: a path is at most {MOST_PATH} bytes of text, and begins with /"
                self._remark(ingress, f"{item.place}.path", message, "ingress-path")
                continue
            if item.path_type == "ImplementationSpecific" and _PATTERN.search(path):
                message = "pathType ImplementationSpecific is read as Prefix, so this text is no pattern"
                self._remark(ingress, f"{item.place}.path", message, "ingress-path")
            kind: LocationKind = "Exact" if exact else "Prefix"
            backend = self._backend(ingress, item.backend)
            yield Location(path if exact else path.rstrip("/"), kind, backend, ingress, item.place)

    def _backend(self, ingress: Ingress, backend: IngressBackend) -> Backend:
        if not backend.service:
            found = Backend("a resource", reason="its backend is a resource, which netlab does not serve")
        else:
            found = self._service_backend(ingress, backend)
        if found.reason:
            self._remark(ingress, backend.path, f"nginx answers 503: {found.reason}", "ingress-backend")
        return found

    def _service_backend(self, ingress: Ingress, backend: IngressBackend) -> Backend:
        key = f"{ingress.meta.namespace}/{backend.service}"
        text = f"Service {key} port {backend.port}"
        service = self._services.get(key)
        if service is None:
            return Backend(text, reason=f"there is no Service {key}")
        if service.type == "ExternalName":
            return Backend(text, service, reason=f"Service {key} is an ExternalName, which has no endpoints")
        tcp = [port for port in service.ports if port.protocol == "TCP"]
        port = next((one for one in tcp if backend.port in (one.port, one.name)), None)
        if port is None:
            have = ", ".join(f"{one.port}{f' ({one.name})' if one.name else ''}" for one in tcp) or "none"
            return Backend(text, service, reason=f"Service {key} has no TCP port {backend.port}; it has {have}")
        return Backend(text, service, port)

    def _secret(self, ingress: Ingress, host: str) -> TlsSecret | None:
        """Return the certificate of a host; an item of ``spec.tls`` without hosts is for all hosts of its Ingress."""
        for item in ingress.tls:
            listed = [one.lower() for one in item.hosts]
            if listed and host not in listed and f"*.{host.partition('.')[2]}" not in listed:
                continue
            key = f"{ingress.meta.namespace}/{item.secret}"
            found = self._secrets.get(key) if item.secret else None
            if found is not None and found.certificate and found.key:
                return found
            missing = "it names no Secret"
            if found is not None:
                empty = [name for name, text in (("tls.crt", found.certificate), ("tls.key", found.key)) if not text]
                missing = f"in Secret {key}, {' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} empty"
            elif item.secret:
                missing = f"there is no Secret {key} of type kubernetes.io/tls"
            self._remark(ingress, item.place, f"no TLS for host {host}: {missing}", "ingress-tls")
        return None


def valid_host(host: str) -> bool:
    """Return whether a host is a DNS name in lower case, possibly after ``*.``."""
    return not names.dns_subdomain(host.removeprefix("*."))


def warnings(cluster: Cluster) -> list[Problem]:
    """Return the warnings about the Ingresses of a cluster, in order."""
    if not cluster.ingresses:
        return []
    found = []
    for one in rules(cluster).remarks:
        source, name = one.ingress.source, f"Ingress {one.ingress.meta.key}"
        found.append(Problem(source.file, source.line(one.path), one.path, name, one.message, "warning", one.rule))
    for ingress in cluster.ingresses:
        unread = sorted(key for key in ingress.meta.annotations if key.startswith(_ANNOTATIONS))
        if unread:
            source, path = ingress.source, "metadata.annotations"
            more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
            message = f"netlab does not read {unread[0]}{more}; the lab's nginx does what the Ingress itself says"
            name = f"Ingress {ingress.meta.key}"
            found.append(Problem(source.file, source.line(path), path, name, message, "warning", "ingress-annotation"))
    return list(dict.fromkeys(found))
