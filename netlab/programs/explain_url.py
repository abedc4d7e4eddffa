"""Why a request for a URL reaches pods or does not: the Ingress, its rule, and the policies on both legs.

The first leg is from the client to the ingress controller, the second one from the controller to the endpoints. The
controller opens a connection of its own, so policies of the endpoints see its address.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from netlab.cluster.find import literal
from netlab.cluster.flows import Flow
from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.errors import UsageError, printable
from netlab.frozen import NamedTuple
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address
from netlab.policy.explain import Explanation, Section, explain
from netlab.programs.ingress_routes import NO_TLS, Route, controllers, ready_endpoints, route
from netlab.programs.ingress_rules import Location, rules
from netlab.verdicts import Expected, joined

_PORTS = {"http": 80, "https": 443}


class Url(NamedTuple):
    """A URL: its text, whether it is HTTPS, its host, its port, and the target of the request."""

    text: str
    tls: bool
    host: str
    port: int
    target: str


class UrlExplanation(NamedTuple):
    """The verdict of a request and what decides it; ``in_lines`` is the text for a terminal, not escaped."""

    verdict: Expected
    route: Route
    sections: tuple[Section, ...]
    legs: tuple[tuple[str, Explanation], ...]

    def in_lines(self) -> Iterator[str]:
        """Yield the text line by line: the verdict, the way, and each leg with what decides it."""
        yield from self.sections[0].in_lines()
        for section in self.sections[1:]:
            yield ""
            yield from section.in_lines()
        for title, leg in self.legs:
            yield ""
            yield title
            yield from (f"  {line}".rstrip() for line in leg.in_lines())

    def __str__(self) -> str:
        return "\n".join(map(printable, self.in_lines()))


def is_url(text: str) -> bool:
    """Return whether an argument is a URL."""
    return text.lower().startswith(("http://", "https://"))


def parse_url(text: str) -> Url:
    """Return the parts of ``http://HOST[:PORT]/PATH``; raises UsageError for another form."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{text!r} is no URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise UsageError(f"{text!r}: write http://HOST/PATH or https://HOST/PATH")
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return Url(text, parts.scheme == "https", parts.hostname, port or _PORTS[parts.scheme], target)


def explain_url(cluster: Cluster, source: Endpoint, url: Url, family: int) -> UrlExplanation:
    """Return the way of a source's request in an IP family (4 or 6), and its verdict.

    ``allow``: every endpoint that nginx may choose answers. ``deny``: none does. ``some``: some do.

    Raises:
      UsageError: if the cluster has no ingress controller, or the controller has no such port, or if the host is no
        host of an Ingress and leads to a Service or another endpoint.
    """
    pods = controllers(cluster)
    if not pods:
        raise UsageError("there is no ingress controller with an address: the input needs an Ingress")
    if other := _past_ingress(cluster, source, url, pods):
        raise UsageError(other)
    front = _front(cluster, pods, family, url.port)
    port = front.target if front is not None else url.port
    if port not in _PORTS.values():
        raise UsageError(f"{url.text!r}: the ingress controller serves the ports 80 and 443, and not {url.port}")
    found = route(cluster, url.host, url.target, tls=port == _PORTS["https"])
    legs: list[tuple[str, Explanation]] = []
    first = [explain(cluster, _to_controller(source, front, pods[0], family, url.port))]
    legs += [(f"Leg 1: {source.ref} -> ingress controller", one) for one in first]
    second: list[Explanation] = []
    if not found.status and found.location is not None:
        for pod in pods:
            second += [explain(cluster, flow) for flow in _to_endpoints(cluster, pod, found.location)]
    legs += [(f"Leg 2: ingress controller -> {one.decision.flow.target}", one) for one in second]
    verdict = _verdict(first[0].decision.verdict, [one.decision.verdict for one in second])
    title = f"{source.ref} -> {url.text}, IPv{family}: {verdict}"
    why = _why(found, first[0], second)
    head = Section(title, (f"why   {why}",))
    return UrlExplanation(verdict, found, (head, _way(cluster, url, front, pods, found, family)), tuple(legs))


def _past_ingress(cluster: Cluster, source: Endpoint, url: Url, pods: tuple[Pod, ...]) -> str:
    """Return the message if a host leads to a Service or an endpoint, and not to an ingress controller, else ""."""
    address = literal(url.host)
    if address is not None:
        target = f"[{address}]" if address.version == 6 else str(address)
        instead = f"`netlab explain {source.ref} {target}:{url.port}`"
        if address in _of_controller(cluster, pods):
            return ""
        return f"{url.text!r} is no address of the ingress controller; use {instead}"
    if any(server.host == url.host for server in rules(cluster).servers) or not isinstance(source, Pod):
        return ""
    name, _, rest = url.host.partition(".")
    for one in cluster.services:
        space = one.meta.namespace
        ends = [space, f"{space}.svc", f"{space}.svc.{cluster.cluster_domain}"]
        if one.meta.name == name and (rest in ends or (not rest and space == source.namespace)):
            instead = f"`netlab explain {source.ref} service:{one.meta.key}:{url.port}`"
            return f"{url.text!r}: no Ingress has this host; it is a name of Service {one.meta.key}; use {instead}"
    return ""


def _of_controller(cluster: Cluster, pods: tuple[Pod, ...]) -> set[Address]:
    """Return the addresses of the controller's pods, and of the Services of its namespace."""
    found = {address for pod in pods for address in pod.addresses}
    for one in cluster.services:
        if one.meta.namespace == pods[0].namespace:
            balancers = (item.address for item in one.load_balancer if item.address is not None)
            found.update((*one.cluster_ips, *one.external_ips, *balancers))
    return found


class _Front(NamedTuple):
    """The address at which clients reach the controller, its Service, and the controller's port."""

    service: Service
    port: ServicePort
    address: Address
    target: int


def _front(cluster: Cluster, pods: tuple[Pod, ...], family: int, port: int) -> _Front | None:
    """Return the controller's front for a port: a load balancer's address, else an external IP, else the ClusterIP."""
    refs = {pod.ref for pod in pods}
    for service in cluster.services:
        if service.meta.namespace != pods[0].namespace or service.headless:
            continue
        for one in service.ports:
            if one.port != port or one.protocol != "TCP":
                continue
            behind = [end for end in endpoints(cluster, service, one, family) if end.pod in refs]
            outer = [item.address for item in service.load_balancer if item.address is not None]
            for address in (*outer, *service.external_ips, *service.cluster_ips):
                if behind and address.version == family:
                    return _Front(service, one, address, behind[0].port)
    return None


def _to_controller(source: Endpoint, front: _Front | None, pod: Pod, family: int, port: int) -> Flow:
    if front is None:
        return Flow(source, pod, family, "TCP", port, address_of(pod, family))
    return Flow(source, None, family, "TCP", port, front.address)


def _to_endpoints(cluster: Cluster, pod: Pod, location: Location) -> Iterator[Flow]:
    """Yield the flows from a pod of the controller to each endpoint that nginx chooses from."""
    families = sorted({address.version for address in pod.addresses})
    for one in ready_endpoints(cluster, location.backend, families):
        owner = cluster.by_ref.get(one.pod) or cluster.by_address.get(one.address)
        yield Flow(pod, owner, one.address.version, "TCP", one.port, one.address)


def _verdict(first: Expected, second: list[Expected]) -> Expected:
    if first == "deny" or not second:
        return "deny"
    then = joined(second)
    if "unknown" in (first, then):
        return "deny" if then == "deny" else "unknown"
    return "some" if first == "some" and then == "allow" else then


def _why(found: Route, first: Explanation, second: list[Explanation]) -> str:
    if first.decision.verdict == "deny":
        return f"leg 1: {first.decision.reason}"
    if found.status:
        return f"{_answer(found)}: {found.reason}"
    denied = [one for one in second if one.decision.verdict != "allow"]
    if not denied:
        can = "1 endpoint can" if len(second) == 1 else f"{len(second)} endpoints can"
        return f"{can} answer, and no policy denies the request on its way"
    # A reject is answered at once, a drop is not.
    answer = "502 or 504"
    few = f"{len(denied)} of {len(second)} endpoints" if len(second) > 1 else denied[0].decision.flow.target
    return f"leg 2: nginx answers {answer} for {few}: {denied[0].decision.reason}"


def _answer(found: Route) -> str:
    return "nginx refuses TLS" if found.status == NO_TLS else f"nginx answers {found.status}"


def _way(cluster: Cluster, url: Url, front: _Front | None, pods: tuple[Pod, ...], found: Route, family: int) -> Section:
    """Return the section about names, the Ingress and its rule."""
    lines = []
    address = front.address if front is not None else address_of(pods[0], family)
    named = next((host.ref for host in cluster.hosts if url.host in host.hostnames), "")
    if literal(url.host) is None:
        answer = f"DNS of the lab answers with {named}" if named else "DNS of the lab does not have it"
        lines.append(f"name      {answer}; use curl --resolve {url.host}:{url.port}:{address}")
    if front is not None:
        lines.append(f"address   {address} on {url.port}/TCP, of Service {front.service.meta.key}")
    lines.append(f"nginx     in {', '.join(pod.ref for pod in pods)}")
    location = found.location
    if location is None:
        known = ", ".join(server.host or "*" for server in rules(cluster).servers if server.host or server.locations)
        lines += [f"rule      none; {_answer(found)}: {found.reason}", f"hosts     {known or 'none'}"]
        return Section(f"Way to {url.host}", tuple(lines))
    source = location.ingress.source
    where = source.place(location.place) or source.file
    what = "default backend" if location.kind == "default" else f"{location.kind} {location.path or '/'}"
    host = f" of host {found.server.host or '*'}" if location.kind != "default" else ""
    lines.append(f"rule      Ingress {location.ingress.meta.key}: {what}{host} ({where})")
    lines.append(f"backend   {location.backend.text}")
    if found.status:
        lines.append(f"answer    {found.status}, from nginx itself: {found.reason}")
        return Section(f"Way to {url.host}", tuple(lines))
    pods_behind = ready_endpoints(cluster, location.backend, sorted({a.version for pod in pods for a in pod.addresses}))
    ends = [f"{one.pod or one.address} ({one.address} on {one.port}/TCP)" for one in pods_behind]
    lines += [f"endpoint  {end}" for end in ends]
    return Section(f"Way to {url.host}", tuple(lines))
