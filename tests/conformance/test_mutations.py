"""Deliberate faults, each of which the suite must find: proof that its cases can fail.

Every fault replaces one function (or one table) by what an implementation got wrong, or could; the list is the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

import pytest

from netlab.cluster.types import Host, Pod
from netlab.conformance import edges, product, upstream
from netlab.conformance.cases import Case
from netlab.conformance.disagreements import Disagreement
from netlab.conformance.judges import JudgeName
from netlab.conformance.run import judges, run
from netlab.objects.kinds import networkpolicy
from netlab.objects.policies import IPBlock, NetworkPolicy, PolicyPort
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.types import Document
from netlab.policy import isolating, matching
from netlab.policy.decision import PolicyRuling
from netlab.policy.tiers import networkpolicy as tier
from netlab.ruleset import address_space, allows, classes, cluster_change, identities, peers, policy_elements, ranges
from netlab.ruleset.cluster_change import ItemChanges

Fault = Callable[..., Any]
"""Takes what it replaces and returns what stands in for it."""


@cache
def selected() -> tuple[Case, ...]:
    """Return the selection of cases that has to find every fault."""
    return (*upstream.cases(), *edges.cases(), *islice(product.cases(), 0, None, 40))


def first_found(names: tuple[JudgeName, ...], cases: Sequence[Case] | None = None) -> Disagreement | None:
    """Return the first disagreement on cases, by default the selection."""
    with judges(names) as panel:
        found = (
            wrong
            for result in run(map(unread, selected() if cases is None else cases), panel)
            for wrong in result.disagreements
        )
        return next(found, None)


def unread(case: Case) -> Case:
    """Return a case with policies of its own: a document keeps what it was read as, and a fault changes that."""

    def own(document: Document) -> Document:
        return replace(document) if document.kind == "NetworkPolicy" else document

    stages = (replace(stage, documents=tuple(map(own, stage.documents))) for stage in case.stages)
    return replace(case, stages=tuple(stages))


# --- reading ------------------------------------------------------------------------------------------------------


def types_ingress_only(right: Fault) -> Fault:
    return lambda spec, rules: right(spec, rules) if spec.data.get("policyTypes") else frozenset({"ingress"})


def types_always_both(right: Fault) -> Fault:
    return lambda spec, rules: right(spec, rules) | {"ingress", "egress"}


def types_by_presence(right: Fault) -> Fault:
    return lambda spec, rules: right(spec, rules) | ({"egress"} if "egress" in spec.data else set())


def default_protocol_is_udp(right: Fault) -> Fault:
    def port(fields: Any) -> PolicyPort:
        found = right(fields)
        return found if fields.data.get("protocol") else replace(found, protocol="UDP")  # type: ignore[no-any-return]

    return port


def host_bits_are_kept(right: Fault) -> Fault:
    def prefix(text: str) -> Any:
        found = right(text)
        address, _, length = text.partition("/")
        unmasked = found is not None and length not in ("32", "128") and str(found.network_address) != address
        return right(f"{address}/32") if unmasked and found.version == 4 and ":" not in text else found

    return prefix


def end_port_is_dropped(right: Fault) -> Fault:
    return lambda fields: replace(right(fields), end_port=None)


def every_policy_isolates_both_ways(_: Fault) -> Fault:
    return lambda self, direction: True


# --- selectors ----------------------------------------------------------------------------------------------------


def not_in_needs_the_key(right: Fault) -> Fault:
    return lambda self, labels: right(self, labels) and (self.operator != "NotIn" or self.key in labels)


def in_without_the_key(right: Fault) -> Fault:
    return lambda self, labels: right(self, labels) or (self.operator == "In" and self.key not in labels)


def empty_value_does_not_exist(right: Fault) -> Fault:
    return lambda self, labels: right(self, {key: value for key, value in labels.items() if value})


def does_not_exist_always(right: Fault) -> Fault:
    return lambda self, labels: self.operator == "DoesNotExist" or right(self, labels)


def expressions_are_ignored(_: Fault) -> Fault:
    return lambda self, labels: all(labels.get(key) == value for key, value in self.match_labels)


# --- the evaluator ------------------------------------------------------------------------------------------------


def excepts_are_ignored(_: Fault) -> Fault:
    return lambda self, address: address.version == self.cidr.version and address in self.cidr


def except_denies(right: Fault) -> Fault:
    def matching_peer(cluster: Any, policy: Any, rule: Any, other: Any, address: Any) -> Any:
        blocks = [peer.ip_block for peer in rule.peers if peer.ip_block]
        if any(address in e for b in blocks for e in b.excepts if e.version == address.version):
            return None
        return right(cluster, policy, rule, other, address)

    return matching_peer


def named_port_is_a_union(right: Fault) -> Fault:
    def port_matches(item: PolicyPort, destination: Any, protocol: str, port: int) -> bool:
        named = isinstance(item.port, str) and item.port == "web" and item.protocol == protocol
        return port in (80, 81) if named else bool(right(item, destination, protocol, port))

    return port_matches


def named_port_of_any_protocol(_: Fault) -> Fault:
    def container_port(destination: Any, name: str, protocol: str) -> int | None:
        ports = destination.ports if isinstance(destination, Pod) else ()
        return next((p.port for p in ports if p.name == name), None)

    return container_port


def last_port_of_a_name(_: Fault) -> Fault:
    def container_port(destination: Any, name: str, protocol: str) -> int | None:
        ports = destination.ports if isinstance(destination, Pod) else ()
        return next((p.port for p in reversed(ports) if p.name == name and p.protocol == protocol), None)

    return container_port


def udp_is_tcp(right: Fault) -> Fault:
    return lambda item, destination, protocol, port: right(
        item, destination, "TCP" if protocol == "UDP" else protocol, port
    )


def range_excludes_its_end(right: Fault) -> Fault:
    return lambda item, destination, protocol, port: port != item.end_port and right(item, destination, protocol, port)


def icmp_passes_port_rules(right: Fault) -> Fault:
    return lambda rule, destination, protocol, port: right(rule, destination, protocol, port) if port else True


def pod_selector_in_every_namespace(right: Fault) -> Fault:
    def matches(cluster: Any, policy: Any, peer: Any, other: Any, address: Any) -> str:
        if peer.pod_selector is not None and peer.namespace_selector is None:
            peer = replace(peer, namespace_selector=LabelSelector())
        return str(right(cluster, policy, peer, other, address))

    return matches


def namespace_selector_ignores_pod_selector(right: Fault) -> Fault:
    def matches(cluster: Any, policy: Any, peer: Any, other: Any, address: Any) -> str:
        if peer.namespace_selector is not None:
            peer = replace(peer, pod_selector=None)
        return str(right(cluster, policy, peer, other, address))

    return matches


def selectors_match_outsiders(right: Fault) -> Fault:
    def matches(cluster: Any, policy: Any, peer: Any, other: Any, address: Any) -> str:
        outside = isinstance(other, Host) and peer.ip_block is None and peer.namespace_selector == LabelSelector()
        return "" if outside else str(right(cluster, policy, peer, other, address))

    return matches


def ip_block_matches_no_pod(right: Fault) -> Fault:
    def matches(cluster: Any, policy: Any, peer: Any, other: Any, address: Any) -> str:
        if peer.ip_block is not None and isinstance(other, Pod):
            return "a pod"
        return str(right(cluster, policy, peer, other, address))

    return matches


def egress_is_never_checked(right: Fault) -> Fault:
    return lambda cluster, pod, direction: () if direction == "egress" else right(cluster, pod, direction)


def policies_reach_into_other_namespaces(_: Fault) -> Fault:
    return lambda cluster: {namespace: list(cluster.policies) for namespace in cluster.namespaces}


def every_policy_has_to_allow(_: Fault) -> Fault:
    def action(self: PolicyRuling) -> str:
        allowing = {match.policy.meta.key for match in self.allowing}
        return "allow" if all(policy.meta.key in allowing for policy in self.isolating) else "deny"

    return property(action)  # type: ignore[return-value]


# --- the compiler -------------------------------------------------------------------------------------------------


def compiled_range_excludes_its_end(right: Fault) -> Fault:
    def numbers(port: PolicyPort) -> tuple[int, int]:
        first, last = right(port)
        return first, max(first, last - 1) if port.end_port else last

    return numbers


def rules_open_without_a_direction_guard(right: Fault) -> Fault:
    return lambda policy, direction: right(policy, "ingress") or right(policy, "egress")


def directions_are_swapped(_: Fault) -> Any:
    return (("ingress", "eg", "from"), ("egress", "in", "to"))


def every_namespace_is_in_scope(_: Fault) -> Fault:
    return lambda self, namespace, labels: True


def excepts_have_no_holes(_: Fault) -> Fault:
    return lambda block: iter([(int(block.cidr.network_address), int(block.cidr.broadcast_address))])


def pods_are_in_no_block(_: Fault) -> Fault:
    return lambda found, address: frozenset()


def resolved_names_are_a_union(right: Fault) -> Fault:
    def resolved(self: Any, name: str, protocol: Any) -> Iterator[tuple[int, Any]]:
        found = list(right(self, name, protocol))
        return iter([(number, signature) for number, _ in found for _, signature in found])

    return resolved


def ingress_names_are_anybodys(_: Fault) -> Fault:
    return lambda self, name, protocol: next((number for n, p, number in self.ports if p == protocol), None)


def pods_of_a_namespace_share_a_class(_: Fault) -> Fault:
    return lambda labels, keys: ()


def blocks_are_named_by_their_cidr(right: Fault) -> Fault:
    return lambda peer, namespace: str(peer.ip_block.cidr) if peer.ip_block else right(peer, namespace)


def peers_mean_what_they_meant(right: Fault) -> Fault:
    def move(self: Any, name: str, old: Any, new: Any) -> set[Any]:
        right(self, name, old, new)
        return set()

    return move


def changed_policies_are_not_followed(right: Fault) -> Fault:
    def exchange(old: Any, new: Any, key: Any) -> Any:
        found = right(old, new, key)
        both = {key(one) for one in found.removed} & {key(one) for one in found.added}
        stay = [one for one in (*found.removed, *found.added) if isinstance(one, NetworkPolicy) and key(one) in both]
        return ItemChanges(*(tuple(one for one in part if one not in stay) for part in (found.removed, found.added)))

    return exchange


def ranges_lose_their_joint(right: Fault) -> Fault:
    def without_overlap(found: Any) -> Any:
        return {allow: keys for allow, keys in right(found).items() if not allow.is_range}

    return without_overlap


FAULTS: list[tuple[JudgeName, Any, str, Fault]] = [
    ("evaluator", networkpolicy, "_policy_types", types_ingress_only),
    ("evaluator", networkpolicy, "_policy_types", types_always_both),
    ("evaluator", networkpolicy, "_policy_types", types_by_presence),
    ("evaluator", networkpolicy, "_port", default_protocol_is_udp),
    ("evaluator", networkpolicy, "_port", end_port_is_dropped),
    ("evaluator", networkpolicy, "parse_cidr", host_bits_are_kept),
    ("evaluator", NetworkPolicy, "isolates", every_policy_isolates_both_ways),
    ("evaluator", Requirement, "matches", not_in_needs_the_key),
    ("evaluator", Requirement, "matches", in_without_the_key),
    ("evaluator", Requirement, "matches", empty_value_does_not_exist),
    ("evaluator", Requirement, "matches", does_not_exist_always),
    ("tracer", LabelSelector, "matches", expressions_are_ignored),
    ("evaluator", IPBlock, "contains", excepts_are_ignored),
    ("evaluator", tier, "first_peer", except_denies),
    ("evaluator", matching, "port_matches", named_port_is_a_union),
    ("evaluator", matching, "container_port", named_port_of_any_protocol),
    ("evaluator", matching, "container_port", last_port_of_a_name),
    ("evaluator", matching, "port_matches", udp_is_tcp),
    ("evaluator", matching, "port_matches", range_excludes_its_end),
    ("evaluator", tier, "ports_match", icmp_passes_port_rules),
    ("evaluator", matching, "peer_mismatch_text", pod_selector_in_every_namespace),
    ("evaluator", matching, "peer_mismatch_text", namespace_selector_ignores_pod_selector),
    ("evaluator", matching, "peer_mismatch_text", selectors_match_outsiders),
    ("evaluator", matching, "peer_mismatch_text", ip_block_matches_no_pod),
    ("evaluator", isolating, "_selecting", egress_is_never_checked),
    ("evaluator", isolating, "_policies_of", policies_reach_into_other_namespaces),
    ("evaluator", PolicyRuling, "action", every_policy_has_to_allow),
    ("tracer", allows, "_numbers", compiled_range_excludes_its_end),
    ("tracer", classes, "_opens", rules_open_without_a_direction_guard),
    ("tracer", policy_elements, "WAYS", directions_are_swapped),
    ("tracer", peers.PodPeer, "admits", every_namespace_is_in_scope),
    ("tracer", ranges, "_spans", excepts_have_no_holes),
    ("tracer", identities, "blocks_at", pods_are_in_no_block),
    ("tracer", address_space.AddressSpace, "resolved", resolved_names_are_a_union),
    ("tracer", classes.PolicyClass, "number_of", ingress_names_are_anybodys),
    ("tracer", classes, "labels_read", pods_of_a_namespace_share_a_class),
    ("tracer", identities, "labels_read", pods_of_a_namespace_share_a_class),
    ("tracer", allows, "_without_overlap", ranges_lose_their_joint),
    ("tracer", address_space.AddressSpace, "move", peers_mean_what_they_meant),
    ("tracer", cluster_change, "_item_changes", changed_policies_are_not_followed),
]


@pytest.mark.parametrize(
    ("judge", "where", "name", "fault"), FAULTS, ids=[f"{f[0]}: {f[3].__name__} ({f[2]})" for f in FAULTS]
)
def test_a_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, judge: JudgeName, where: Any, name: str, fault: Fault
) -> None:
    """A case disagrees with its stated verdict."""
    monkeypatch.setattr(where, name, fault(getattr(where, name)))

    assert first_found((judge,)) is not None


def test_a_fault_of_reading_leaves_nothing_behind() -> None:
    """Documents that other tests share are unchanged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networkpolicy, "_policy_types", types_ingress_only(networkpolicy._policy_types))
        assert first_found(("evaluator",)) is not None
    with judges(("evaluator",)) as panel:
        assert [] == [result.name for result in run(selected(), panel) if not result.passed]


def test_without_a_fault_nothing_is_found() -> None:
    """Without a fault the cases agree, so a disagreement comes from the fault."""

    assert first_found(("evaluator", "tracer")) is None


@pytest.mark.kernel
def test_packets_find_a_fault_that_no_text_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed policy is not loaded into the kernel: rulesets are right, and packets disagree."""
    monkeypatch.setattr("netlab.lab.convergence.differences", lambda old, new: {})
    changing = [case for case in selected() if case.name.startswith(("edge/76", "edge/77"))]

    assert first_found(("tracer",), changing) is None
    assert first_found(("packets",), changing) is not None
