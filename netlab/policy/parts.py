"""What verdicts and reasons are put together from: the way, what each side says, and what unread policies could do.

Each is found once for all endpoints that it cannot tell apart (``kinds``, ``sets``), by the functions that ``evaluate``
asks about a pair. In texts there are marks where the two endpoints are named.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TypeVar

from netlab.cluster.flows import Flow, Questions
from netlab.cluster.paths import Path
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.decision import Open, by_default
from netlab.policy.evaluate import way_of
from netlab.policy.kinds import Kinds
from netlab.policy.marks import DESTINATION, SOURCE
from netlab.policy.sets import Sets, numbers
from netlab.policy.tiers import with_policies
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.unread import changing, selecting
from netlab.verdicts import Certain

_T = TypeVar("_T", bound=Endpoint)


@frozen
class Part:
    """What one side says: its verdict, and the text for it where policies isolate the side's pod."""

    number: int
    verdict: Certain
    text: str = ""


@frozen
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
        self._known_ingress: dict[tuple[tuple[int, ...], int, AskedPort], Ingress] = {}
        self._known_opened: dict[tuple[Direction, int, Certain, str, bool], str] = {}
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

    def selecting(self, direction: Direction, endpoint: Endpoint) -> tuple[int, ...]:
        """Return the policies of all tiers that have a say on the side of an endpoint, by identity."""
        if not isinstance(endpoint, Pod):
            return ()
        tiers = with_policies(self._cluster)
        return tuple(id(policy) for tier in tiers for policy in tier.selecting(self._cluster, direction, endpoint))

    def ingress(self, destination: Endpoint, service: AskedPort) -> Ingress:
        """Return what the ingress of a destination says of a service."""
        policies = self.selecting("ingress", destination)
        served = self._served_of[self.kind_of[id(destination)]]
        key = (policies, served, service) if policies else ((), 0, service)
        if key not in self._known_ingress:
            rest, said = self._said("ingress", destination, service, self._sets.all)
            parts = [rest]
            of = [0] * self._views
            for part, found in said:
                parts.append(part)
                for kind in members(found):
                    of[self._view_of[kind]] = len(parts) - 1
            self._known_ingress[key] = Ingress(parts, bytes(of) if len(parts) < 256 else of)
        return self._known_ingress[key]

    def egress(self, source: Endpoint, asked: Mapping[AskedPort, Mapping[int, int]], size: int) -> Sequence[Part]:
        """Return what the egress of a source says of each of ``size`` questions, none where no policy selects it.

        ``asked`` has for each service the number of the question by the kind of the destination.
        """
        if not self.selecting("egress", source):
            return ()
        found = [self.free] * size
        for service, number_of in asked.items():
            rest, said = self._said("egress", source, service, sum(1 << kind for kind in number_of))
            for number in number_of.values():
                found[number] = rest
            for part, kinds in said:
                for kind in members(kinds):
                    found[number_of[kind]] = part
        return found

    def _said(
        self, direction: Direction, subject: Endpoint, service: AskedPort, others: int
    ) -> tuple[Part, list[tuple[Part, int]]]:
        """Return what the tiers say on a side to each of some kinds, and apart from it what is said to the rest."""
        if not isinstance(subject, Pod):
            return self.free, []
        said: list[tuple[Part, int]] = []
        left, passed = others, ""
        for tier in with_policies(self._cluster):
            if not tier.selecting(self._cluster, direction, subject):
                continue
            for verdict, text, kinds in self._sets.tiers[tier.name].said(direction, subject, service, left):
                if verdict != "pass" and kinds:
                    said.append((self._part("deny" if verdict == "deny" else "allow", text), kinds))
                    left &= ~kinds
            passed = f"{passed} and {tier.name}" if passed else tier.name
        if left or not said:
            return self._part("allow", by_default(passed)), said
        return said[-1][0], said[:-1]

    def opened(self, direction: Direction, end: Endpoint, settled: Certain, protocol: str, *, inside: bool) -> str:
        """Return what unread policies could do on one side, in words; "" where they could do nothing."""
        key = (direction, self.selection(end), settled, protocol, inside)
        if key not in self._known_opened:
            policies = changing(self._cluster, direction, end, settled, protocol, inside=inside)
            subject = _called(end, SOURCE if direction == "egress" else DESTINATION)
            self._known_opened[key] = str(Open(direction, subject, settled, policies)) if policies else ""
        return self._known_opened[key]

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
