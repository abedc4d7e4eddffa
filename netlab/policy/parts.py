"""What verdicts and reasons are put together from: the way, what each side says, and what unread policies could do.

Each is found once for all endpoints that it cannot tell apart (``kinds``, ``sets``), by the functions that ``evaluate``
asks about a pair. In texts there are marks where the two endpoints are named.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeVar

from netlab.cluster.flows import Flow, Questions
from netlab.cluster.paths import Path
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.objects.types import Direction, NetworkPolicy
from netlab.policy.bitsets import members
from netlab.policy.decision import Match, Open, Side, denial, service_text
from netlab.policy.evaluate import isolating, way_of
from netlab.policy.kinds import Kinds
from netlab.policy.mismatch import ports_mismatch
from netlab.policy.sets import Service, Sets, numbers
from netlab.policy.unread import changing, selecting
from netlab.verdicts import Certain

# No name and no file's name holds a NUL.
SOURCE, DESTINATION = "\0s", "\0d"
"""What stands for the source and the destination in texts."""

_T = TypeVar("_T", bound=Endpoint)


@dataclass(frozen=True, slots=True)
class Part:
    """What one side says: its verdict, and the text for it where policies isolate the side's pod."""

    number: int
    verdict: Certain
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ingress:
    """What the ingress of a destination says: ``parts[of[v]]`` to a source of view v."""

    parts: Sequence[Part]
    of: Sequence[int]


class Numbers(dict[Hashable, int]):
    """Numbers for values, from 0 in the order in which they come."""

    def of(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


class Parts:
    """The parts of all answers of a cluster; ``free`` is that of a side on which no policy has a say.

    ``kind_of`` numbers endpoints that nothing can tell apart, by identity, and ``ways`` are the ways by number.
    """

    def __init__(self, cluster: Cluster, questions: Questions) -> None:
        self._cluster = cluster
        kinds = Kinds(cluster, questions)
        self._members = kinds.members
        self._sets = Sets(cluster, kinds)
        self.kind_of = {id(one): number for number, alike in enumerate(kinds.members) for one in alike}
        wires = kinds.split(kinds.wired)
        self._wires = [examples[0] for examples, _ in wires]
        self._wire_of = numbers([found for _, found in wires])
        views = kinds.split(lambda one: (kinds.named(one), kinds.placed(one, 4), kinds.placed(one, 6)))
        self._views = len(views)
        self._view_of = numbers([found for _, found in views])
        self._served_of = numbers([found for _, found in kinds.split(kinds.served)])
        self.free = Part(0, "allow")
        self._parts: dict[tuple[Certain, str], Part] = {("allow", ""): self.free}
        self.ways: list[Path] = []
        self._way_numbers = Numbers()
        self._known_ways: dict[tuple[int, int, int, bool], int] = {}
        self._known_ingress: dict[tuple[tuple[int, ...], int, Service], Ingress] = {}
        self._known_opened: dict[tuple[Direction, int, Certain, str, bool], str] = {}
        self._known_ports: dict[tuple[int, int, Service], bool] = {}
        self._selections = Numbers()

    # --- what parts can tell apart of an endpoint --------------------------------------------------------------------

    def wire(self, endpoint: Endpoint) -> int:
        """Return the number of what ways look at."""
        return self._wire_of[self.kind_of[id(endpoint)]]

    def view(self, endpoint: Endpoint) -> int:
        """Return the number of what peers look at."""
        return self._view_of[self.kind_of[id(endpoint)]]

    def selection(self, endpoint: Endpoint) -> int:
        """Return the number of what unread policies could do to it."""
        if not self._cluster.unread:
            return 0
        return self._selections.of(tuple((id(c.policy), id(c.subject)) for c in selecting(self._cluster, endpoint)))

    # --- parts -------------------------------------------------------------------------------------------------------

    def way(self, source: int, destination: int, family: int, icmp: bool) -> int:
        """Return the number of the way between two wires."""
        key = (source, destination, family, icmp)
        if key not in self._known_ways:
            ends = _called(self._wires[source], SOURCE), _called(self._wires[destination], DESTINATION)
            asked = Flow(*ends, family, "ICMP" if icmp else "TCP", None, address_of(ends[1], family))
            found = replace(way_of(self._cluster, asked), seen_as=None)
            number = self._known_ways[key] = self._way_numbers.of(found)
            if number == len(self.ways):
                self.ways.append(found)
        return self._known_ways[key]

    def ingress(self, destination: Endpoint, service: Service) -> Ingress:
        """Return what the ingress of a destination says of a service."""
        policies = isolating(self._cluster, destination, "ingress") if isinstance(destination, Pod) else ()
        served = self._served_of[self.kind_of[id(destination)]]
        key = (tuple(map(id, policies)), served, service) if policies else ((), 0, service)
        if key not in self._known_ingress:
            parts = [self._otherwise("ingress", destination, policies, service)]
            of = [0] * self._views
            for match, found in self._matches("ingress", policies, service[0]):
                if ports_mismatch(match.rule, destination, *service[1:]):
                    continue
                parts.append(self._part("allow", str(match)))
                for kind in members(found):
                    if not of[self._view_of[kind]]:
                        of[self._view_of[kind]] = len(parts) - 1
            self._known_ingress[key] = Ingress(parts, bytes(of) if len(parts) < 256 else of)
        return self._known_ingress[key]

    def egress(self, source: Endpoint, asked: Mapping[Service, Mapping[int, int]], size: int) -> Sequence[Part]:
        """Return what the egress of a source says of each of ``size`` questions, none where no policy isolates it.

        ``asked`` has for each service the number of the question by the kind of the destination.
        """
        policies = isolating(self._cluster, source, "egress") if isinstance(source, Pod) else ()
        if not policies:
            return ()
        found = [self.free] * size
        matches = {f: list(self._matches("egress", policies, f)) for f in {family for family, _, _ in asked}}
        for service, number_of in asked.items():
            deny = self._otherwise("egress", source, policies, service)
            for number in number_of.values():
                found[number] = deny
            left = sum(1 << kind for kind in number_of)
            for match, peers in matches[service[0]]:
                here = [kind for kind in members(peers & left) if self._opens(match, kind, service)]
                part = self._part("allow", str(match)) if here else deny
                for kind in here:
                    found[number_of[kind]] = part
                left &= ~sum(1 << kind for kind in here)
        return found

    def opened(self, direction: Direction, end: Endpoint, settled: Certain, protocol: str, *, inside: bool) -> str:
        """Return what unread policies could do on one side, in words; "" where they could do nothing."""
        key = (direction, self.selection(end), settled, protocol, inside)
        if key not in self._known_opened:
            policies = changing(self._cluster, direction, end, settled, protocol, inside=inside)
            subject = _called(end, SOURCE if direction == "egress" else DESTINATION)
            self._known_opened[key] = str(Open(direction, subject, settled, policies)) if policies else ""
        return self._known_opened[key]

    # --- the sides' rules --------------------------------------------------------------------------------------------

    def _matches(
        self, direction: Direction, policies: Iterable[NetworkPolicy], family: int
    ) -> Iterator[tuple[Match, int]]:
        """Yield the items of all rules' peers, in the evaluator's order, each with the kinds that it matches first."""
        for policy in policies:
            for rule in policy.rules(direction):
                for peer, kinds in self._sets.first_peers(policy, rule, family):
                    yield Match(policy, rule, peer), kinds

    def _opens(self, match: Match, kind: int, service: Service) -> bool:
        key = (id(match.rule), self._served_of[kind], service)
        if key not in self._known_ports:
            self._known_ports[key] = not ports_mismatch(match.rule, self._members[kind][0], *service[1:])
        return self._known_ports[key]

    def _otherwise(
        self, direction: Direction, subject: Endpoint, policies: tuple[NetworkPolicy, ...], service: Service
    ) -> Part:
        """Return what a side says that no rule allows."""
        if not policies or not isinstance(subject, Pod):
            return self.free
        own, other = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        side = Side(direction, _called(subject, own), policies)
        return self._part("deny", denial(side, f"{other} on {service_text(*service[1:])}"))

    def _part(self, verdict: Certain, text: str) -> Part:
        known = self._parts.get((verdict, text))
        if known is None:
            known = self._parts[verdict, text] = Part(len(self._parts), verdict, text)
        return known


def _called(endpoint: _T, name: str) -> _T:
    """Return an endpoint that is the same but for what reports call it."""
    found = copy(endpoint)
    object.__setattr__(found, "ref", name)
    return found
