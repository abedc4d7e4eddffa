"""The parts of verdicts and reasons: the path, the decision of each side, and the possible effect of unread policies.

Each part is evaluated once for all endpoints that it cannot tell apart (``endpoint_kinds``, ``set_evaluator``), by the
functions that ``evaluate`` calls for one pair. Texts have placeholders for the names of the two endpoints.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TypeVar

from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.node_sources import chosen_network
from netlab.cluster.paths import Path
from netlab.cluster.policies_in_force import reads_plainly
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.decision import UnknownSide
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import way_of
from netlab.policy.isolating import isolating
from netlab.policy.meaning import selection_text, without_effect
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import default_text, without_effect_text
from netlab.policy.set_evaluator import SetEvaluator, part_numbers
from netlab.policy.tiers import judging_own_node, tiers_in_use
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.unread import changing, selecting
from netlab.verdicts import Certain

_T = TypeVar("_T", bound=Endpoint)


@frozen
class Part:
    """The decision of one side: its verdict, and its text if policies select the side's pod."""

    number: int
    verdict: Certain
    text: str = ""


@frozen
class Ingress:
    """The decisions of a destination's ingress: ``parts[of[v]]`` for a source of view v."""

    parts: Sequence[Part]
    of: Sequence[int]


class Numbers(dict[Hashable, int]):
    """Numbers for values: 0 for the first value, and so on."""

    def of(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


class Parts:
    """The parts of all answers about a cluster; ``free`` is the part of a side that no policy decides.

    ``kind_of`` has the number of each endpoint's kind, by the endpoint's identity. ``ways`` are the paths by number.
    """

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        self._cluster = cluster
        kinds = EndpointKinds(cluster, questions)
        self._members = kinds.members
        self._sets = SetEvaluator(cluster, kinds)
        self.kind_of = {id(one): number for number, alike in enumerate(kinds.members) for one in alike}
        wires = kinds.split(kinds.wired)
        self._wires = [examples[0] for examples, _ in wires]
        self._wire_of = part_numbers([found for _, found in wires])
        views = kinds.split(
            lambda one: (kinds.named(one), kinds.placed(one, 4), kinds.placed(one, 6), kinds.comes_as(one))
        )
        self._views = len(views)
        self._view_of = part_numbers([found for _, found in views])
        self._served_of = part_numbers([found for _, found in kinds.split(kinds.served)])
        self.free = Part(0, "allow")
        self._parts: dict[tuple[Certain, str], Part] = {("allow", ""): self.free}
        self.ways: list[Path] = []
        self._way_numbers = Numbers()
        self._known_ways: dict[tuple[int, int, int, str, int | None], int] = {}
        self._known_ingress: dict[tuple[tuple[int, ...], int, AskedPort, str], Ingress] = {}
        self._known_unread: dict[tuple[Direction, int, Certain, str, bool], str] = {}
        self._selections = Numbers()
        self._setting_texts = Numbers()

    # --- numbers of the properties that parts read -------------------------------------------------------------------

    def wire(self, endpoint: Endpoint) -> int:
        """Return the number of an endpoint's properties that paths depend on."""
        return self._wire_of[self.kind_of[id(endpoint)]]

    def view(self, endpoint: Endpoint) -> int:
        """Return the number of an endpoint's properties that peers depend on."""
        return self._view_of[self.kind_of[id(endpoint)]]

    def selection(self, endpoint: Endpoint) -> int:
        """Return the number of the unread policies that may select an endpoint."""
        if not self._cluster.unread:
            return 0
        return self._selections.of(tuple((id(c.policy), id(c.subject)) for c in selecting(self._cluster, endpoint)))

    # --- parts -------------------------------------------------------------------------------------------------------

    def way(self, source: int, destination: int, family: int, protocol: str, port: int | None) -> int:
        """Return the number of the path between two wires; ``by_settings.asked_like`` returns the last arguments."""
        key = (source, destination, family, protocol, port)
        if key not in self._known_ways:
            ends = renamed(self._wires[source], SOURCE), renamed(self._wires[destination], DESTINATION)
            asked = Flow(*ends, family, protocol, port, address_of(ends[1], family))
            found = replace(way_of(self._cluster, asked), seen_as=None)
            number = self._known_ways[key] = self._way_numbers.of(found)
            if number == len(self.ways):
                self.ways.append(found)
        return self._known_ways[key]

    def selecting(self, direction: Direction, endpoint: Endpoint) -> tuple[int, ...]:
        """Return the identities of the policies of all tiers that select an endpoint in a direction."""
        if not isinstance(endpoint, Pod):
            return ()
        tiers = tiers_in_use(self._cluster)
        found = tuple(id(policy) for tier in tiers for policy in tier.selecting(self._cluster, direction, endpoint))
        if reads_plainly(self._cluster.policy):
            return found
        # Texts depend on what was written, too.
        text = (
            selection_text(self._cluster, isolating(self._cluster, endpoint, direction), endpoint)
            if found
            else without_effect(self._cluster, endpoint, direction)
        )
        return (*found, -1 - self._setting_texts.of(text)) if text else found

    def ingress(self, destination: Endpoint, service: AskedPort) -> Ingress:
        """Return the decisions of a destination's ingress on a service."""
        policies = self.selecting("ingress", destination)
        served = self._served_of[self.kind_of[id(destination)]]
        network = chosen_network(destination) if policies and isinstance(destination, Pod) else ""
        key = (policies, served, service, network) if policies else ((), 0, service, "")
        if key not in self._known_ingress:
            rest, reasons = self._reasons("ingress", destination, service, self._sets.all)
            parts = [rest]
            of = [0] * self._views
            for part, found in reasons:
                parts.append(part)
                for kind in members(found):
                    of[self._view_of[kind]] = len(parts) - 1
            self._known_ingress[key] = Ingress(parts, bytes(of) if len(parts) < 256 else of)
        return self._known_ingress[key]

    def egress(
        self, source: Endpoint, asked: Mapping[AskedPort, Mapping[int, int]], size: int, *, own_node: bool = False
    ) -> Sequence[Part]:
        """Return the decisions of a source's egress on ``size`` questions; none if no policy selects the source.

        ``asked`` has, by service and kind of destination, the number of the question. ``own_node``: the decisions where
        the destination is the source's own node and NetworkPolicy does not judge.
        """
        if not self.selecting("egress", source):
            return ()
        found = [self.free] * size
        for service, number_of in asked.items():
            rest, reasons = self._reasons(
                "egress", source, service, sum(1 << kind for kind in number_of), own_node=own_node
            )
            for number in number_of.values():
                found[number] = rest
            for part, kinds in reasons:
                for kind in members(kinds):
                    found[number_of[kind]] = part
        return found

    def _reasons(
        self, direction: Direction, subject: Endpoint, service: AskedPort, others: int, *, own_node: bool = False
    ) -> tuple[Part, list[tuple[Part, int]]]:
        """Return the tiers' decisions on a side towards the kinds ``others``: one for the rest, and those of sets."""
        if not isinstance(subject, Pod):
            return self.free, []
        reasons: list[tuple[Part, int]] = []
        left, passed = others, ""
        judging = judging_own_node(self._cluster, subject) if own_node else tiers_in_use(self._cluster)
        for tier in judging:
            if not tier.selecting(self._cluster, direction, subject):
                continue
            for action, text, kinds in self._sets.tiers[tier.name].reasons(direction, subject, service, left):
                if action != "pass" and kinds:
                    reasons.append((self._part("deny" if action == "deny" else "allow", text), kinds))
                    left &= ~kinds
            passed = f"{passed} and {tier.name}" if passed else tier.name
        if left or not reasons:
            text = default_text(passed)
            if not passed and not own_node and not reads_plainly(self._cluster.policy):
                why = without_effect(self._cluster, subject, direction)
                text = without_effect_text(why) if why and not reasons else ""
            return self._part("allow", text), reasons
        return reasons[-1][0], reasons[:-1]

    def unread_text(self, direction: Direction, end: Endpoint, verdict: Certain, protocol: str, *, inside: bool) -> str:
        """Return, as text, how unread policies could change a side's verdict; "" if they could not."""
        key = (direction, self.selection(end), verdict, protocol, inside)
        if key not in self._known_unread:
            policies = changing(self._cluster, direction, end, verdict, protocol, inside=inside)
            subject = renamed(end, SOURCE if direction == "egress" else DESTINATION)
            self._known_unread[key] = str(UnknownSide(direction, subject, verdict, policies)) if policies else ""
        return self._known_unread[key]

    def _part(self, verdict: Certain, text: str) -> Part:
        known = self._parts.get((verdict, text))
        if known is None:
            known = self._parts[verdict, text] = Part(len(self._parts), verdict, text)
        return known


def renamed(endpoint: _T, name: str) -> _T:
    """Return a copy of an endpoint with another reference."""
    found = copy(endpoint)
    object.__setattr__(found, "ref", name)
    return found
