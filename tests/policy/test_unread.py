"""Policies that netlab does not read: a verdict is unknown exactly if one of them could change it."""

from __future__ import annotations

from typing import Any

import pytest
from builders import cluster, decide, flow, namespace, peer, pod, policy, rule, selector, topology, unread, verdict

from netlab.cluster.flows import every_pair
from netlab.cluster.resolve_change import resolve_change
from netlab.conformance.cases import Cell, Stage
from netlab.conformance.disagreements import disagreements
from netlab.objects import decode, read
from netlab.objects.types import Direction
from netlab.objects.unread import Subject
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import explain
from netlab.policy.reachability import reachability, workload_reachability

PODS = (pod("x/a", "app=a"), pod("x/b", "app=b"), pod("y/c", "app=c"))


def subject(
    pods: str = "",
    namespace: str = "x",
    *,
    denies: str = "",
    allows: str = "",
    namespaces: str = "",
    nodes: bool = False,
) -> Subject:
    def directions(text: str) -> frozenset[Direction]:
        return frozenset(text.split())  # type: ignore[arg-type]

    return Subject(
        namespace, selector(namespaces), selector(pods), nodes, denies=directions(denies), allows=directions(allows)
    )


def verdicts(*things: Any, service: str = "80/TCP") -> dict[str, str]:
    """Return the verdicts other than allow, by pair."""
    of = cluster(*PODS, *things)
    found = {}
    for source in of.pods:
        for destination in of.pods:
            if source is not destination:
                said = verdict(of, source.ref, destination.ref, service)
                if said != "allow":
                    found[f"{source.ref}>{destination.ref}"] = said
    return found


def test_a_policy_that_could_deny_makes_allowed_pairs_unknown() -> None:
    """Those of the pods that it may select, in the direction that it could deny."""
    into, out_of = subject("app=b", denies="ingress"), subject("app=b", denies="egress")

    assert {"x/a>x/b": "unknown", "y/c>x/b": "unknown"} == verdicts(unread("x/u", into))
    assert {"x/b>x/a": "unknown", "x/b>y/c": "unknown"} == verdicts(unread("x/u", out_of))


def test_a_policy_that_could_only_allow_leaves_allowed_pairs_allowed() -> None:
    """It could not change them."""
    assert {} == verdicts(unread("x/u", subject(allows="ingress egress")))


def test_a_policy_that_could_only_deny_leaves_denied_pairs_denied() -> None:
    """One side that denies is enough."""
    closed = policy("x/p", "app=b", ingress=[])

    assert {"x/a>x/b": "deny", "y/c>x/b": "deny"} == verdicts(closed, unread("x/u", subject("app=b", denies="ingress")))


def test_a_policy_that_could_allow_makes_denied_pairs_unknown() -> None:
    """On the side that NetworkPolicy denies; the other side does not change."""
    closed, opens = policy("x/p", "app=b", ingress=[]), unread("x/u", subject("app=b", allows="ingress"))
    shut = policy("y/p", egress=[])

    assert {"x/a>x/b": "unknown", "y/c>x/b": "unknown"} == verdicts(closed, opens)
    assert {"x/a>x/b": "unknown", "y/c>x/b": "deny", "y/c>x/a": "deny"} == verdicts(closed, opens, shut)


def test_a_pair_that_both_sides_deny_is_unknown_only_if_policies_could_allow_both() -> None:
    """One such policy is not enough."""
    closed, shut = policy("x/p", "app=b", ingress=[]), policy("y/p", egress=[])
    into, out_of = unread("x/u", subject("app=b", allows="ingress")), unread("y/u", subject("", "y", allows="egress"))

    assert "deny" == verdict(cluster(*PODS, closed, shut, into), "y/c", "x/b")
    assert "unknown" == verdict(cluster(*PODS, closed, shut, into, out_of), "y/c", "x/b")


@pytest.mark.parametrize(
    ("asks_for", "unknown"),
    [
        ("", ["x", "y", "z"]),
        ("team=a", ["x", "z"]),
        ("!team", ["y", "z"]),
        ("kubernetes.io/metadata.name=z", ["z"]),
        ("kubernetes.io/metadata.name notin (z),team=b", []),
    ],
)
def test_namespaces_outside_the_input_may_have_any_label(asks_for: str, unknown: list[str]) -> None:
    """Except the label of their name, which is known."""
    of = cluster(
        *(namespace("x", "team=a"), namespace("y", "team=none" if asks_for != "!team" else "owner=q")),
        *(pod(f"{ns}/p") for ns in "wxyz"),
        namespace("w", "team=w"),
        unread("u", subject("", "", denies="egress", namespaces=asks_for)),
    )
    found = [ns for ns in "xyz" if verdict(of, f"{ns}/p", "w/p") == "unknown"]

    assert unknown == found


def test_pairs_without_a_path_stay_denied() -> None:
    """No policy could allow them."""
    of = cluster(
        topology(["n1", "n2"]),
        *(pod("x/a", node="n1"), pod("x/b", node="n2"), pod("x/n", network="none")),
        unread("x/u", subject(denies="ingress egress", allows="ingress egress")),
    )

    assert {"deny"} == {evaluate(of, one).verdict for one in every_pair(of)}
    assert "bridge networks of n1 and n2 are not joined" == decide(of, "x/a", "x/b").reason
    assert "deny" == verdict(of, "x/a", "203.0.113.1")


def test_flows_within_one_network_namespace_are_known() -> None:
    """A pod always reaches itself, and a node its host-network pods."""
    both: dict[str, Any] = {"denies": "ingress egress"}
    of = cluster(
        topology(["n"]), pod("x/a"), pod("x/h", host=True), unread("u", subject(**both), subject(nodes=True, **both))
    )

    assert "allow" == verdict(of, "x/a", "x/a")
    assert "allow" == verdict(of, "node:n", "x/h")


@pytest.mark.parametrize("mode", ["bridge", "macvlan"])
def test_flows_of_nodes_may_be_unknown_too(mode: str) -> None:
    """Other implementations enforce their policies between a pod and its node, and on macvlan networks."""
    of = cluster(
        topology(["n", "m"], mode=mode, hosts={"h": ["192.0.2.1"]}),
        *(pod("x/a", node="n"), pod("x/b", node="n")),
        unread("x/u", subject(denies="ingress egress")),
    )

    assert "unknown" == verdict(of, "x/a", "x/b")
    assert "unknown" == verdict(of, "x/a", "host:h")
    if mode == "bridge":
        assert {"unknown"} == {verdict(of, "node:n", "x/a"), verdict(of, "x/a", "node:n")}


def test_policies_of_nodes_select_nodes_and_host_network_pods() -> None:
    """And no other pods."""
    of = cluster(
        topology(["n", "m"], mode="routed", hosts={"h": ["192.0.2.1"]}),
        *(pod("x/a", node="n"), pod("x/b", node="m", host=True)),
        unread("u", subject(namespace="", nodes=True, denies="ingress")),
    )

    assert {"unknown"} == {verdict(of, "x/a", "x/b"), verdict(of, "host:h", "node:m")}
    assert {"allow"} == {verdict(of, "x/b", "x/a"), verdict(of, "host:h", "x/a")}


def test_a_published_port_depends_on_policies_of_its_pod() -> None:
    """And on policies of its node."""
    lab = (topology(["n", "m"], hosts={"h": ["192.0.2.1"]}), pod("x/a", "app=a", ports=["8080:80"], node="n"))
    by_pod = cluster(*lab, unread("x/u", subject("app=a", denies="ingress")))
    by_node = cluster(*lab, unread("u", subject(namespace="", nodes=True, denies="ingress")))
    closed = policy("x/p", ingress=[])

    assert "unknown" == verdict(by_pod, "host:h", "node:n", "8080/TCP")
    assert "allow" == verdict(by_pod, "host:h", "node:n", "81/TCP")
    assert "unknown" == verdict(by_node, "host:h", "node:n", "8080/TCP")
    assert "deny" == verdict(cluster(*lab, closed, *by_node.unread), "host:h", "node:n", "8080/TCP")


def test_a_policy_may_be_limited_to_protocols_or_to_destinations_outside() -> None:
    """A policy for TCP does not change UDP; one for destinations outside the cluster does not change pods."""
    tcp = unread("x/u", subject(denies="ingress"), protocols="TCP")
    outside = unread("x/u", subject(denies="egress"), outside=True)
    of = cluster(topology(["n"], mode="routed", hosts={"h": ["192.0.2.1"]}), *PODS, outside)

    assert {} == verdicts(tcp, service="53/UDP")
    assert {} == verdicts(tcp, service="ICMP")
    assert {"x/a>x/b", "x/b>x/a", "y/c>x/a", "y/c>x/b"} == {*verdicts(tcp)}
    assert {} == verdicts(outside)
    assert "unknown" == verdict(of, "x/a", "host:h")


def test_the_reason_names_side_policy_and_line() -> None:
    """And the verdict of NetworkPolicy alone."""
    one, other = (unread(f"x/{name}", subject("app=b", denies="ingress")) for name in "uv")
    decision = decide(cluster(*PODS, one, other), "x/a", "x/b")

    assert ("unknown", "allow") == (decision.verdict, decision.verdict_without_unread)
    assert (
        "FooNetworkPolicy x/u (foo.yaml:7) and 1 more, which netlab does not read, could deny it on ingress of x/b;"
        " NetworkPolicy alone allows it"
    ) == decision.reason


def test_explain_has_a_section_for_unread_policies() -> None:
    """After the sections of NetworkPolicy; the last section says how to get a certain verdict."""
    of = cluster(*PODS, policy("x/p", "app=b", ingress=[rule(peer("app=z"))]), unread("x/u", subject(allows="ingress")))
    text = str(explain(of, flow(of, "x/a", "x/b")))

    assert text.startswith("x/a -> x/b 80/TCP, IPv4: unknown\n")
    assert "Ingress of x/b: deny\n  NetworkPolicy x/p isolates it\n" in text
    assert "by policies that netlab does not read: unknown\n  FooNetworkPolicy x/u (foo.yaml:7) could allow it" in text
    known = "leave these policies out with --ignore FooNetworkPolicy; the verdict is then deny: ingress of x/b: "
    assert f"To be known\n  {known}" in text


def test_an_unknown_pair_is_no_edge_of_a_graph() -> None:
    """The graph's attribute ``unknown`` has it."""
    of = cluster(*PODS, unread("x/u", subject("app=b", denies="ingress")))
    graph, by_workload = reachability(of), workload_reachability(of)

    assert not graph.has_edge("x/a", "x/b")
    assert [(4, "TCP", 80)] == graph.graph["unknown"]["x/a", "x/b"]
    assert {("Pod x/a", "Pod x/b"): 1, ("Pod y/c", "Pod x/b"): 1} == by_workload.graph["unknown"]
    assert not by_workload.has_edge("Pod y/c", "Pod x/b")


def test_conformance_does_not_compare_an_unknown_verdict(tmp_path: Any) -> None:
    """It compares the other judges only."""
    file = tmp_path / "a.yaml"
    file.write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x}}\n---\n"
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: x}}\n"
    )
    stage = Stage("s", tuple(read([str(file)])[0]), {Cell("x/a", "x/b", "TCP", 80, 4): None})
    says = {"unknown": lambda *_: ["unknown"], "allow": lambda *_: ["allow"], "deny": lambda *_: ["deny"]}

    assert [] == list(disagreements(stage, {"evaluator": says["unknown"], "packets": says["allow"]}))
    assert 1 == len(list(disagreements(stage, {"evaluator": says["unknown"], "p": says["allow"], "t": says["deny"]})))


def test_a_verdict_is_unknown_only_while_the_policy_exists(tmp_path: Any) -> None:
    """An unread policy that comes makes verdicts unknown; when it goes, they are known again."""
    file = tmp_path / "a.yaml"
    pods = "".join(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: x}}}}\n---\n" for name in "ab")
    file.write_text(
        f"{pods}{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: p, namespace: x}}}}"
    )
    documents = read([str(file)])[0]
    without, with_it = decode(documents[:2])[0], decode(documents)[0]
    before = cluster(*without.pods)
    after = resolve_change(before, without, with_it)

    assert after is not None
    assert "unknown" == verdict(after, "x/a", "x/b")
    again = resolve_change(after, with_it, without)
    assert again is not None
    assert "allow" == verdict(again, "x/a", "x/b")
