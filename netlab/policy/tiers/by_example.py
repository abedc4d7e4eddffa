"""Tiers over sets without code of their own: ``judge`` decides for one example of each pair of kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.flows import Flow
from netlab.cluster.node_sources import address_to_network, chosen_network, source_address
from netlab.cluster.types import Endpoint, Pod, address_of
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.decision import PolicyRuling, Ruling
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import service_text
from netlab.policy.set_evaluator import SetEvaluator, example_pair
from netlab.policy.tiers.tier import AskedPort, KindsByAction, Tier, TierReason


class ByExample:
    """The decisions of a tier over sets of kinds: one call of ``judge`` for each pair of kinds and port."""

    def __init__(self, tier: Tier, sets: SetEvaluator) -> None:
        self._tier = tier
        self._sets = sets

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        return self._by_action("ingress", ((source, kind) for source in range(len(self._sets.kinds))), asked)

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        return self._by_action("egress", ((source, kind) for source in range(len(self._sets.kinds))), asked)

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        here, there = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        alike: dict[tuple[Ruling | PolicyRuling, str], int] = {}
        for other in members(others):
            ruling = self._judge(direction, subject, self._sets.kinds[other], asked)
            if ruling is None or ruling.action == "pass":
                continue
            comes_as = self._comes_as(subject, self._sets.kinds[other], asked[0]) if direction == "ingress" else ""
            denied = f"{direction} of {here}: {ruling.denial(f'{there}{comes_as} on {service_text(*asked[1:])}')}"
            key = (ruling, ruling.allowed_by if ruling.action == "allow" else denied)
            alike[key] = alike.get(key, 0) | 1 << other
        for (ruling, text), kinds in alike.items():
            yield TierReason(ruling.action, text, kinds)

    def _comes_as(self, subject: Pod, others: Sequence[Endpoint], family: int) -> str:
        """Return the address that a source comes as, as text; "" for its own one.

        What the own node sends is not judged, so it does not matter which node the subject is on.
        """
        address = address_to_network(self._sets.cluster, others[0], chosen_network(subject), family)
        return "" if address is None or address in others[0].addresses else f", which comes as {address},"

    def _by_action(self, direction: Direction, pairs: Iterator[tuple[int, int]], asked: AskedPort) -> KindsByAction:
        found = {"allow": 0, "deny": 0, "pass": 0}
        for source, destination in pairs:
            ends = example_pair(self._sets.kinds[source], self._sets.kinds[destination], asked[0])
            if ends is None:
                continue
            subject, other = ends if direction == "egress" else ends[::-1]
            ruling = self._judge(direction, subject, (other,), asked) if isinstance(subject, Pod) else None
            found[ruling.action if ruling is not None else "pass"] |= 1 << source
        return KindsByAction(found["allow"], found["deny"])

    def _judge(
        self, direction: Direction, subject: Pod, others: Sequence[Endpoint], asked: AskedPort
    ) -> Ruling | PolicyRuling | None:
        cluster, (family, protocol, port) = self._sets.cluster, asked
        other = others[1] if others[0] is subject and len(others) > 1 else others[0]
        ends: tuple[Endpoint, Endpoint] = (subject, other) if direction == "egress" else (other, subject)
        source, destination = ends
        own = direction == "egress"
        address = address_of(other, family) if own else source_address(cluster, other, subject, family)
        if address is None or not self._tier.selecting(cluster, direction, subject):
            return None
        flow = Flow(source, destination, family, protocol, port, address_of(destination, family))
        return self._tier.judge(cluster, direction, subject, other, address, flow)
