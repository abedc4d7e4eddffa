"""The tiers of Cilium's policies over sets of kinds of endpoints: one call for all sources.

The plain reading (``cilium``) evaluates every rule for every pair. Both call the same functions for peers and ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.node_sources import address_to_network, chosen_network
from netlab.cluster.types import Pod
from netlab.objects.cilium_policies import CiliumPeer, CiliumRule
from netlab.objects.types import Direction
from netlab.policy.decision import Ruling
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import service_text
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.cilium import Selected, is_on, isolation, peer_matches, ruling_of, specs
from netlab.policy.tiers.networkpolicy_sets import by_address
from netlab.policy.tiers.tier import AskedPort, KindsByAction, Tier, TierReason


class CiliumSets:
    """The decisions of the tier with the rules."""

    def __init__(self, tier: Tier, sets: SetEvaluator) -> None:
        self._tier, self._sets, self._cluster = tier, sets, sets.cluster
        self._peers: dict[tuple[CiliumPeer, int, str], int] = {}
        self._subjects: dict[int, int] | None = None
        self._known: dict[tuple[tuple[int, ...], AskedPort, str], KindsByAction] = {}
        self._egress: dict[AskedPort, list[tuple[bool, int, int]]] = {}

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        subject = self._sets.kinds[kind][0]
        selecting = self._tier.selecting(self._cluster, "ingress", subject) if isinstance(subject, Pod) else ()
        if not selecting or not isinstance(subject, Pod):
            return KindsByAction(0, 0)
        network = chosen_network(subject)
        key = (tuple(map(id, selecting)), asked, network)
        if key not in self._known:
            allow = deny = 0
            for one in selecting:
                for rule in one.spec.ingress:
                    if is_on(rule, *asked[1:]):
                        found = self._rule(rule, asked[0], network)
                        allow, deny = (allow, deny | found) if rule.denies else (allow | found, deny)
            self._known[key] = KindsByAction(allow & ~deny, deny)
        return self._known[key]

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        if asked not in self._egress:
            self._egress[asked] = [
                (rule.denies, self._rule(rule, asked[0], ""), subjects)
                for one in specs(self._cluster)
                if (subjects := self._selected().get(id(one), 0))
                for rule in one.spec.egress
                if is_on(rule, *asked[1:])
            ]
        allow = deny = 0
        for denies, peers, subjects in self._egress[asked]:
            if peers >> kind & 1:
                allow, deny = (allow, deny | subjects) if denies else (allow | subjects, deny)
        return KindsByAction(allow & ~deny, deny)

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        own, there = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        network = chosen_network(subject) if direction == "ingress" else ""
        selecting: Sequence[Selected] = self._tier.selecting(self._cluster, direction, subject)
        rules = [(one, rule) for one in selecting for rule in one.spec.rules(direction) if is_on(rule, *asked[1:])]
        # The sort keeps the order of rules alike.
        for one, rule in sorted(rules, key=lambda each: not each[1].denies):
            here = others & self._rule(rule, asked[0], network)
            others &= ~here
            ruling = ruling_of(one.policy, rule)
            if not rule.denies and here:
                yield TierReason("allow", ruling.allowed_by, here)
            elif here:
                yield from _denials(self._sets, f"{direction} of {own}", there, ruling, asked, here, network)

    def _rule(self, rule: CiliumRule, family: int, network: str) -> int:
        """Return the kinds that a rule's peers have.

        ``network``: the addresses are those of sources, as other nodes' pods of this network see them; "" for their
        own addresses.
        """
        found = 0
        for peer in rule.peers:
            found |= self._peer(peer, family, network if peer.pods is None else "")
        return found

    def _peer(self, peer: CiliumPeer, family: int, network: str) -> int:
        key = (peer, family, network)
        if key not in self._peers:
            found = 0
            for number, (example, *_) in enumerate(self._sets.kinds):
                address = address_to_network(self._cluster, example, network, family)
                if address is not None and peer_matches(self._cluster, peer, example, address):
                    found |= 1 << number
            self._peers[key] = found
        return self._peers[key]

    def _selected(self) -> dict[int, int]:
        if self._subjects is None:
            self._subjects = _subjects(self._tier, self._sets, "egress")
        return self._subjects


class CiliumDefaultSets:
    """The decisions of the tier that denies what isolated pods may not."""

    def __init__(self, tier: Tier, sets: SetEvaluator) -> None:
        self._tier, self._sets = tier, sets
        self._isolated: int | None = None

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        subject = self._sets.kinds[kind][0]
        isolated = isinstance(subject, Pod) and self._tier.selecting(self._sets.cluster, "ingress", subject)
        return KindsByAction(0, self._sets.all if isolated else 0)

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        if self._isolated is None:
            self._isolated = 0
            for kinds in _subjects(self._tier, self._sets, "egress").values():
                self._isolated |= kinds
        return KindsByAction(0, self._isolated)

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        own, there = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        network = chosen_network(subject) if direction == "ingress" else ""
        isolating = self._tier.selecting(self._sets.cluster, direction, subject)
        if isolating and others:
            ruling = isolation(isolating[0])
            yield from _denials(self._sets, f"{direction} of {own}", there, ruling, asked, others, network)


def _denials(
    sets: SetEvaluator, side: str, there: str, ruling: Ruling, asked: AskedPort, kinds: int, network: str
) -> Iterator[TierReason]:
    for comes_as, some in by_address(sets, kinds, asked[0], network):
        yield TierReason("deny", f"{side}: {ruling.denial(f'{there}{comes_as} on {service_text(*asked[1:])}')}", some)


def _subjects(tier: Tier, sets: SetEvaluator, direction: Direction) -> dict[int, int]:
    """Return the kinds that each spec selects, by the id of the ``Selected`` that the cluster keeps."""
    found: dict[int, int] = {}
    by_ids: dict[tuple[int, ...], int] = {}
    for number, (example, *_) in enumerate(sets.kinds):
        if isinstance(example, Pod):
            ids = tuple(map(id, tier.selecting(sets.cluster, direction, example)))
            by_ids[ids] = by_ids.get(ids, 0) | 1 << number
    for ids, kinds in by_ids.items():
        for one in ids:
            found[one] = found.get(one, 0) | kinds
    return found
