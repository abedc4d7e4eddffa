"""Deliberate faults in the evaluator and the compiler, each of which a case of cluster-wide policies must find.

``test_cluster_policy_models`` has faults of whole models; these are faults of netlab's own code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from netlab.cluster.types import Pod
from netlab.conformance.cases import Case
from netlab.conformance.cluster_policies import edges, upstream
from netlab.conformance.disagreements import Disagreement
from netlab.conformance.judges import JudgeName
from netlab.conformance.run import judges, run
from netlab.policy.tiers import cluster_peers, cluster_policy
from netlab.ruleset import cluster_policies, tier_actions, tier_classes

Fault = Callable[..., Any]
"""Takes what it replaces and returns what stands in for it."""
MODE = "overlay"


@cache
def cases() -> tuple[Case, ...]:
    """Return the cases that must find every fault; what is refused tests the reading alone."""
    return (*(case for case in edges.cases(MODE) if not case.refusal), *upstream.cases(MODE))


def first_found(name: JudgeName) -> Disagreement | None:
    with judges((name,), MODE) as panel:
        return next((wrong for result in run(cases(), panel) for wrong in result.disagreements), None)


# --- the evaluator ----------------------------------------------------------------------------------------------------


def the_order_is_reversed(right: Fault) -> Fault:
    return lambda cluster, tier: right(cluster, tier)[::-1]


def the_singleton_has_no_place(_: Fault) -> Fault:
    return lambda cluster, policy: 1 if policy.kind == "BaselineAdminNetworkPolicy" else policy.priority


def icmp_passes_ports(right: Fault) -> Fault:
    return lambda rule, protocol, port, end: port is None or right(rule, protocol, port, end)


def ranges_exclude_their_end(right: Fault) -> Fault:
    return lambda one, protocol, port, end: (
        (not one.end_port or port != one.end_port) and right(one, protocol, port, end)
    )


def named_ports_are_numbers(right: Fault) -> Fault:
    def has(one: Any, protocol: str, port: int | None, end: Any) -> Any:
        if isinstance(one.port, str) and isinstance(end, Pod):
            return any((own.name, own.port) == (one.port, port) for own in end.ports)
        return right(one, protocol, port, end)

    return has


def host_network_pods_are_pods(right: Fault) -> Fault:
    def of(self: Any, end: Any) -> Any:
        return self._of(end) if isinstance(end, Pod) and end.host_network else right(self, end)

    return of


def other_peers_match_nothing(_: Fault) -> Fault:
    return lambda cluster, peer, other, address: False


# --- the compiler -----------------------------------------------------------------------------------------------------


def compiled_in_reverse(right: Fault) -> Fault:
    return lambda cluster, tier: [*right(cluster, tier)][::-1]


def compiled_without_the_singleton(_: Fault) -> Fault:
    return lambda cluster, policy: 1


def compiled_names_are_tcp(right: Fault) -> Fault:
    return lambda rule: (port for port in right(rule) if isinstance(port.port, int) or port.protocol == "TCP")


def compiled_wildcards_have_the_apex(right: Fault) -> Fault:
    return lambda name, wanted: right(name, wanted) or wanted == f"*.{name}"


def compiled_nodes_are_all(_: Fault) -> Fault:
    return lambda labels, nodes: nodes is not None


def compiled_peers_are_the_first(right: Fault) -> Fault:
    return lambda cluster, rule: right(cluster, replace(rule, peers=rule.peers[:1]))


def compiled_spans_end_early(right: Fault) -> Fault:
    def taken(left: Any, wanted: tuple[int, int]) -> Any:
        first, last = wanted
        return right(left, (first, last - 1 if first < last < 65535 else last))

    return taken


def compiled_rules_lose_their_order(right: Fault) -> Fault:
    return lambda self, members: right(self, members)[::-1]


def compiled_subjects_are_namespaces(right: Fault) -> Fault:
    def policy(cluster: Any, one: Any) -> Any:
        found = right(cluster, one)
        return replace(found, subject=replace(found.subject, pod_selector=None))

    return policy


def compiled_egress_to_the_own_node_is_open(right: Fault) -> Fault:
    def classes(*arguments: Any) -> Any:
        found = right(*arguments)
        return None if found is None else replace(found, own_node=None)

    return classes


FAULTS: list[tuple[JudgeName, Any, str, Fault]] = [
    ("evaluator", cluster_policy, "in_order", the_order_is_reversed),
    ("evaluator", cluster_policy, "place_of", the_singleton_has_no_place),
    ("evaluator", cluster_policy, "port_matches", icmp_passes_ports),
    ("evaluator", cluster_policy, "_has", ranges_exclude_their_end),
    ("evaluator", cluster_policy, "_has", named_ports_are_numbers),
    ("evaluator", cluster_peers.ClusterPeers, "of", host_network_pods_are_pods),
    ("evaluator", cluster_policy, "_matches_other", other_peers_match_nothing),
    ("tracer", cluster_policies, "tier_policies", compiled_in_reverse),
    ("tracer", cluster_policies, "_place", compiled_without_the_singleton),
    ("tracer", cluster_policies, "_ports", compiled_names_are_tcp),
    ("tracer", cluster_policies, "_is_meant", compiled_wildcards_have_the_apex),
    ("tracer", cluster_policies, "_is_among", compiled_nodes_are_all),
    ("tracer", cluster_policies, "_peers", compiled_peers_are_the_first),
    ("tracer", cluster_policies, "_policy", compiled_subjects_are_namespaces),
    ("tracer", tier_actions, "_taken", compiled_spans_end_early),
    ("tracer", tier_actions.StepRules, "matching", compiled_rules_lose_their_order),
    ("tracer", tier_classes, "_classes", compiled_egress_to_the_own_node_is_open),
]


@pytest.mark.parametrize(("judge", "where", "name", "fault"), FAULTS, ids=[f"{f[0]}: {f[3].__name__}" for f in FAULTS])
def test_a_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, judge: JudgeName, where: Any, name: str, fault: Fault
) -> None:
    """A case disagrees with its stated verdict."""
    monkeypatch.setattr(where, name, fault(getattr(where, name)))

    assert first_found(judge) is not None
