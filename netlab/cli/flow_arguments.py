"""Arguments ``SRC DST:PORT[/PROTO]`` and options ``--port PORT/PROTO`` as flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.patterns import pattern

if TYPE_CHECKING:
    from netlab.cluster import Cluster, Endpoint
    from netlab.cluster.flows import Flow, FlowSelection
    from netlab.objects.types import Address

ProtocolPort = tuple[str, int | None]
"""A protocol and its port; None for ICMP."""

PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")
_BRACKETED = pattern(r"\[(?P<name>[^]]*)\](?P<rest>.*)")
# A Service's name, then a port by number or name, then a protocol.
_SERVICE = pattern(r"(?P<name>service:(?:[^:/]*/)?[^:/]*)(?::(?P<port>[^:/]*))?(?:/(?P<protocol>[^:/]*))?")
# A reference, then a port. The reference of a node or host has a colon too.
_WITH_PORT = pattern(r"(?P<name>(?:node:|host:)?[^:]+):(?P<rest>[^:]*)")


@frozen
class Target:
    """A destination of the command line; ``port`` None stands for the ports that it declares."""

    name: str
    port: ProtocolPort | None = None


@frozen
class ServiceTarget:
    """A Service of the command line: ``service:NAMESPACE/NAME``, and the number or name of one of its ports.

    ``port`` None stands for all ports. ``protocol`` is that of the port; ICMP has no port.
    """

    name: str
    port: str | None = None
    protocol: str | None = None


def parse_port(text: str) -> ProtocolPort:
    """Return the protocol and port of ``80``, ``53/UDP`` or ``ICMP``; raises UsageError."""
    number, slash, protocol = text.partition("/")
    protocol = protocol.upper() if slash else "TCP"
    if not slash and number.upper() == "ICMP":
        return "ICMP", None
    if protocol not in PROTOCOLS:
        raise UsageError(f"{text!r}: no protocol {protocol!r}; it is one of {', '.join(PROTOCOLS)}")
    if protocol == "ICMP":
        if number:
            raise UsageError(f"{text!r}: ICMP has no ports")
        return "ICMP", None
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= 65535):
        raise UsageError(f"{text!r}: a port is a number from 1 to 65535, as in 80, 53/UDP or ICMP")
    return protocol, int(number)


def parse_destination(text: str) -> Target | ServiceTarget:
    """Return the destination and port of ``DST[:PORT[/PROTO]]``; raises UsageError."""
    if text.lower().startswith(("http://", "https://")):
        raise UsageError(
            f"{text!r}: a destination is DST:PORT; for a URL use `netlab explain URL --from SRC`, an expectation of a"
            " scenario, or `netlab exec SRC -- curl URL`"
        )
    return _parse_service(text) if text.startswith("service:") else parse_target(text)


def _parse_service(text: str) -> ServiceTarget:
    found = _SERVICE.fullmatch(text)
    if found is None or found["name"] == "service:" or found["port"] == "":
        raise UsageError(
            f"{text!r}: a Service is written service:NAMESPACE/NAME:PORT[/PROTO], as in service:shop/db:5432"
        )
    port, protocol = found["port"], found["protocol"]
    if port is not None and port.upper() == "ICMP" and protocol is None:
        port, protocol = None, "ICMP"
    if protocol is not None:
        protocol = protocol.upper()
        if protocol not in PROTOCOLS:
            raise UsageError(f"{text!r}: no protocol {protocol!r}; it is one of {', '.join(PROTOCOLS)}")
        if protocol == "ICMP" and port is not None:
            raise UsageError(f"{text!r}: ICMP has no ports")
    return ServiceTarget(found["name"], port, protocol)


def parse_target(text: str) -> Target:
    """Return the destination and port of ``DST[:PORT[/PROTO]]`` or ``DST/ICMP``; raises UsageError."""
    if bracketed := _BRACKETED.fullmatch(text):
        rest = bracketed["rest"]
        if rest and rest[0] not in ":/":
            raise UsageError(f"{text!r}: after the bracket comes a port, as in [fd00::1]:80")
        return Target(bracketed["name"], parse_port(rest.removeprefix(":")) if rest else None)
    name, slash, protocol = text.rpartition("/")
    if slash and protocol == "ICMP" and ":" not in name.removeprefix("node:").removeprefix("host:"):
        return Target(name, ("ICMP", None))
    if _address_of(text) is not None:
        return Target(text)
    if with_port := _WITH_PORT.fullmatch(text):
        if text.startswith(("node:", "host:")) and with_port["name"] in ("node", "host"):
            return Target(text)
        return Target(with_port["name"], parse_port(with_port["rest"]))
    return Target(text)


def _address_of(text: str) -> Address | None:
    from netlab.objects.addresses import plain_address

    return plain_address(text)


def families_of(cluster: Cluster, family: str | None) -> tuple[int, ...]:
    """Return the IP families of ``--family``; raises UsageError for one that the lab does not have."""
    if family is None:
        return cluster.families
    if int(family) not in cluster.families:
        raise UsageError(f"lab {cluster.name} has no IPv{family} pod network")
    return (int(family),)


@frozen
class Pairs:
    """The flows of every pair, made one by one; ``len`` counts them without making them, for progress."""

    cluster: Cluster
    selection: FlowSelection

    def __iter__(self) -> Iterator[Flow]:
        return self.selection.flows(self.cluster)

    def __len__(self) -> int:
        return self.selection.count(self.cluster)


def selection_of(
    cluster: Cluster,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    system: bool = False,
    services: bool = False,
) -> FlowSelection:
    """Return the selection of flows that the options make; raises UsageError."""
    from netlab.cluster.flows import FlowSelection

    chosen = tuple(dict.fromkeys(map(parse_port, ports)))
    return FlowSelection(chosen, families_of(cluster, family), nodes, self_pairs, system, services)


def every_pair(
    cluster: Cluster,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    system: bool = False,
    services: bool = False,
) -> Pairs:
    """Return the flows of every pair for the options; raises UsageError before the first flow."""
    return Pairs(cluster, selection_of(cluster, ports, family, nodes, self_pairs, system, services))


def one_pair(
    cluster: Cluster, source: str, target: str, namespace: str, ports: Sequence[str] = (), family: str | None = None
) -> list[Flow]:
    """Return the flows of one pair: the port of the target, else ``ports``, else the ports that the target declares.

    Raises:
      UsageError: when a name does not exist, or both the target and ``ports`` have a port.
    """
    from netlab.cluster.find import find, find_destination

    parsed = parse_destination(target)
    if isinstance(parsed, ServiceTarget):
        return list(_to_service(cluster, find(cluster, source, namespace), parsed, namespace, ports, family))
    if parsed.port and ports:
        raise UsageError(f"{target!r} names a port, and so does --port: leave one out")
    chosen = [parsed.port] if parsed.port else list(dict.fromkeys(map(parse_port, ports)))
    from_end = find(cluster, source, namespace)
    to_end = find_destination(cluster, parsed.name, namespace, from_end)
    literal = _address_of(parsed.name)
    if literal is not None and family is not None and literal.version != int(family):
        raise UsageError(f"{target!r} is an IPv{literal.version} address, but --family is {family}: leave it out")
    families = families_of(cluster, family)
    return list(_flows(from_end, to_end, literal, chosen, families))


def _to_service(
    cluster: Cluster,
    source: Endpoint,
    target: ServiceTarget,
    namespace: str,
    ports: Sequence[str],
    family: str | None,
) -> Iterator[Flow]:
    """Yield the flows to a Service: in each IP family of its cluster IPs, to each of the ports."""
    from netlab.cluster.find import find_ports, find_service
    from netlab.cluster.flows import service_flow

    if ports and (target.port or target.protocol):
        raise UsageError(f"{target.name!r} names a port, and so does --port: leave one out")
    service = find_service(cluster, target.name, namespace)
    asked: list[tuple[str | None, str | None]] = [(target.port, target.protocol)]
    if ports:
        parsed = dict.fromkeys(map(parse_port, ports))
        asked = [(None if number is None else str(number), protocol) for protocol, number in parsed]
    chosen: dict[ProtocolPort, None] = {}
    for port, protocol in asked:
        if protocol == "ICMP":
            chosen["ICMP", None] = None
            continue
        for one in find_ports(service, port, protocol):
            chosen[one.protocol, one.port] = None
    own = tuple(address.version for address in service.cluster_ips) or service.ip_families or cluster.families
    for version in families_of(cluster, family) if family is not None else sorted(own):
        for protocol, number in chosen:
            yield service_flow(source, service, protocol, number, version)


def _flows(
    source: Endpoint,
    destination: Endpoint | Address,
    literal: Address | None,
    ports: Sequence[ProtocolPort],
    families: Sequence[int],
) -> Iterator[Flow]:
    from netlab.cluster.flows import Flow, declared_ports
    from netlab.cluster.types import Endpoint, address_of

    if not isinstance(destination, Endpoint):
        for protocol, port in ports or [("TCP", 80)]:
            yield Flow(source, None, destination.version, protocol, port, destination)
        return
    for family in [literal.version] if literal is not None else families:
        address = literal or address_of(destination, family)
        for protocol, port in ports or declared_ports(destination):
            yield Flow(source, destination, family, protocol, port, address)
