"""What is asked: ``SRC DST:PORT[/PROTO]`` and ``--port PORT/PROTO`` as flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.patterns import pattern

if TYPE_CHECKING:
    from netlab.cluster import Cluster, Endpoint
    from netlab.cluster.flows import Flow, Questions
    from netlab.objects.types import Address

Service = tuple[str, int | None]
PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")
_BRACKETED = pattern(r"\[(?P<name>[^]]*)\](?P<rest>.*)")
# A reference, then a port; the reference of a node or a host has a colon of its own.
_WITH_PORT = pattern(r"(?P<name>(?:node:|host:)?[^:]+):(?P<rest>[^:]*)")


@frozen
class Target:
    """A destination as it was typed; ``service`` None means the ports that it declares."""

    name: str
    service: Service | None = None


def parse_service(text: str) -> Service:
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


def parse_target(text: str) -> Target:
    """Return the destination and service of ``DST[:PORT[/PROTO]]`` or ``DST/ICMP``; raises UsageError."""
    if bracketed := _BRACKETED.fullmatch(text):
        rest = bracketed["rest"]
        if rest and rest[0] not in ":/":
            raise UsageError(f"{text!r}: after the bracket comes a port, as in [fd00::1]:80")
        return Target(bracketed["name"], parse_service(rest.removeprefix(":")) if rest else None)
    name, slash, protocol = text.rpartition("/")
    if slash and protocol == "ICMP" and ":" not in name.removeprefix("node:").removeprefix("host:"):
        return Target(name, ("ICMP", None))
    if _address_of(text) is not None:
        return Target(text)
    if with_port := _WITH_PORT.fullmatch(text):
        if text.startswith(("node:", "host:")) and with_port["name"] in ("node", "host"):
            return Target(text)
        return Target(with_port["name"], parse_service(with_port["rest"]))
    return Target(text)


def _address_of(text: str) -> Address | None:
    from netlab.objects.addresses import plain_address

    return plain_address(text)


def families_of(cluster: Cluster, family: str | None) -> tuple[int, ...]:
    """Return the IP families to ask in; raises UsageError for one that the lab does not have."""
    if family is None:
        return cluster.families
    if int(family) not in cluster.families:
        raise UsageError(f"lab {cluster.name} has no IPv{family} pod network")
    return (int(family),)


@frozen
class Pairs:
    """The flows of every pair, made as they are asked for; ``len`` counts them without making them, for progress."""

    cluster: Cluster
    questions: Questions

    def __iter__(self) -> Iterator[Flow]:
        return self.questions.flows(self.cluster)

    def __len__(self) -> int:
        return self.questions.count(self.cluster)


def asked(cluster: Cluster, ports: Sequence[str], family: str | None, nodes: bool, self_pairs: bool) -> Questions:
    """Return what the options ask of every pair; raises UsageError."""
    from netlab.cluster.flows import Questions

    services = tuple(dict.fromkeys(map(parse_service, ports)))
    return Questions(services, families_of(cluster, family), nodes, self_pairs)


def every_pair(cluster: Cluster, ports: Sequence[str], family: str | None, nodes: bool, self_pairs: bool) -> Pairs:
    """Return the flows of every pair, as the options say; raises UsageError at once."""
    return Pairs(cluster, asked(cluster, ports, family, nodes, self_pairs))


def one_pair(
    cluster: Cluster, source: str, target: str, namespace: str, ports: Sequence[str] = (), family: str | None = None
) -> list[Flow]:
    """Return the flows of one pair: the port that its target names, else ``ports``, else those that are declared.

    Raises:
      UsageError: when a name does not exist, or both the target and ``ports`` name ports.
    """
    from netlab.cluster.find import find, find_destination

    parsed = parse_target(target)
    if parsed.service and ports:
        raise UsageError(f"{target!r} names a port, and so does --port: leave one out")
    services = [parsed.service] if parsed.service else list(dict.fromkeys(map(parse_service, ports)))
    from_end = find(cluster, source, namespace)
    to_end = find_destination(cluster, parsed.name, namespace, from_end)
    asked = _address_of(parsed.name)
    if asked is not None and family is not None and asked.version != int(family):
        raise UsageError(f"{target!r} is an IPv{asked.version} address, but --family is {family}: leave it out")
    families = families_of(cluster, family)
    return list(_flows(from_end, to_end, asked, services, families))


def _flows(
    source: Endpoint,
    destination: Endpoint | Address,
    asked: Address | None,
    services: Sequence[Service],
    families: Sequence[int],
) -> Iterator[Flow]:
    from netlab.cluster.flows import Flow, ports_of
    from netlab.cluster.types import Endpoint, address_of

    if not isinstance(destination, Endpoint):
        for protocol, port in services or [("TCP", 80)]:
            yield Flow(source, None, destination.version, protocol, port, destination)
        return
    for family in [asked.version] if asked is not None else families:
        address = asked or address_of(destination, family)
        for protocol, port in services or ports_of(destination):
            yield Flow(source, destination, family, protocol, port, address)
