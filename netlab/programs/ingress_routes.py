"""Where a request goes: the pods of the ingress controller, the matching rule, and its ready endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.system import INGRESS, INGRESS_LABELS
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import NamedTuple
from netlab.programs.ingress_rules import Backend, Location, Server, plain_host, rules

NO_TLS = 421
"""The status of a TLS request for a host without a certificate. Usually nginx refuses the handshake before."""

_NAMESPACE = INGRESS.partition("/")[0]


class Route(NamedTuple):
    """Where a request goes: its server and its location.

    ``status`` is 0 if a pod answers. Else nginx itself answers with it, and ``reason`` says why.
    """

    server: Server
    location: Location | None
    status: int = 0
    reason: str = ""


def controllers(cluster: Cluster) -> tuple[Pod, ...]:
    """Return the pods of the ingress controller that have an address: the input's, or the one that netlab added."""
    here = (pod for pod in cluster.pods if pod.namespace == _NAMESPACE and pod.addresses)
    return tuple(pod for pod in here if INGRESS_LABELS.items() <= pod.labels.items())


def route(cluster: Cluster, host: str, path: str, *, tls: bool = False) -> Route:
    """Return where a request goes, as nginx decides.

    ``host`` is the header Host, and with TLS also the server name. ``path`` is the target as the client sends it.
    """
    server = rules(cluster).server(host)
    if tls and server.secret is None:
        why = f"no Ingress has a certificate for {plain_host(host) or 'clients that name no host'}"
        return Route(server, None, NO_TLS, why)
    plain = plain_path(path)
    if plain is None:
        return Route(server, None, 400, f"{path} is no valid path")
    location = server.find(plain)
    if location is None:
        if not server.host:
            return Route(server, None, 404, f"no rule has the host {plain_host(host)}, and there is no default backend")
        return Route(server, None, 404, f"no path of host {server.host} matches, and there is no default backend")
    if location.backend.reason:
        return Route(server, location, 503, location.backend.reason)
    if not ready_endpoints(cluster, location.backend):
        return Route(server, location, 503, f"{location.backend.text} has no ready endpoint")
    return Route(server, location)


def ready_endpoints(
    cluster: Cluster, backend: Backend, families: Iterable[int] | None = None
) -> tuple[ServiceEndpoint, ...]:
    """Return the ready endpoints of a backend, in IP families (4 or 6) or in all of the cluster."""
    service, port = backend.service, backend.port
    if service is None or port is None:
        return ()
    wanted = cluster.families if families is None else families
    return tuple(one for family in wanted for one in endpoints(cluster, service, port, family) if one.ready)


def plain_path(target: str) -> str | None:
    """Return the path of a request as nginx compares it, None if nginx refuses it.

    nginx cuts the query off, decodes escapes and resolves ``.`` and ``..``. Slashes are not merged.
    """
    path = unquote(target.partition("#")[0].partition("?")[0], errors="surrogateescape")
    if not path.startswith("/") or "\x00" in path:
        return None
    parts = path.split("/")[1:]
    found: list[str] = []
    for number, part in enumerate(parts, 1):
        if part not in (".", ".."):
            found.append(part)
            continue
        if part == "..":
            if not found:
                return None
            found.pop()
        if number == len(parts):
            found.append("")
    return "/" + "/".join(found)
