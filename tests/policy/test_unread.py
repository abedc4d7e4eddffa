"""Verdicts beside policies that netlab does not read: unknown exactly where one of them could change what is known."""

from __future__ import annotations

from typing import Any

import pytest
from builders import cluster, decide, flow, namespace, peer, pod, policy, rule, selector, topology, unread, verdict

from netlab.cluster.flows import every_pair
from netlab.cluster.follow import follow
from netlab.conformance.cases import Cell, Stage
from netlab.conformance.opinions import judge
from netlab.objects import decode, read
from netlab.objects.types import Direction
from netlab.objects.unread import Subject
from netlab.policy import evaluate
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
    """Return what is not allow, by pair."""
    of = cluster(*PODS, *things)
    found = {}
    for source in of.pods:
        for destination in of.pods:
            if source is not destination:
                said = verdict(of, source.ref, destination.ref, service)
                if said != "allow":
                    found[f"{source.ref}>{destination.ref}"] = said
    return found


def test_what_could_deny_makes_allowed_pairs_unknown() -> None:
    """Those of the pods that it could select, in the direction that it could deny."""
    into, out_of = subject("app=b", denies="ingress"), subject("app=b", denies="egress")

    assert {"x/a>x/b": "unknown", "y/c>x/b": "unknown"} == verdicts(unread("x/u", into))
    assert {"x/b>x/a": "unknown", "x/b>y/c": "unknown"} == verdicts(unread("x/u", out_of))


def test_what_could_only_allow_leaves_allowed_pairs_allowed() -> None:
    """It has nothing to change there."""
    assert {} == verdicts(unread("x/u", subject(allows="ingress egress")))


def test_what_could_only_deny_leaves_denied_pairs_denied() -> None:
    """A pair is denied for certain where one side is, whatever could deny it as well."""
    closed = policy("x/p", "app=b", ingress=[])

    assert {"x/a>x/b": "deny", "y/c>x/b": "deny"} == verdicts(closed, unread("x/u", subject("app=b", denies="ingress")))


def test_what_could_allow_makes_denied_pairs_unknown() -> None:
    """On the side that NetworkPolicy denies; the other side stays what it is."""
    closed, opens = policy("x/p", "app=b", ingress=[]), unread("x/u", subject("app=b", allows="ingress"))
    shut = policy("y/p", egress=[])

    assert {"x/a>x/b": "unknown", "y/c>x/b": "unknown"} == verdicts(closed, opens)
    assert {"x/a>x/b": "unknown", "y/c>x/b": "deny", "y/c>x/a": "deny"} == verdicts(closed, opens, shut)


def test_both_sides_may_be_open() -> None:
    """A pair that is denied on both takes two that could allow it."""
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
def test_namespaces_that_nothing_declares_may_have_any_label(asks_for: str, unknown: list[str]) -> None:
    """But for their name, which is known."""
    of = cluster(
        *(namespace("x", "team=a"), namespace("y", "team=none" if asks_for != "!team" else "owner=q")),
        *(pod(f"{ns}/p") for ns in "wxyz"),
        namespace("w", "team=w"),
        unread("u", subject("", "", denies="egress", namespaces=asks_for)),
    )
    found = [ns for ns in "xyz" if verdict(of, f"{ns}/p", "w/p") == "unknown"]

    assert unknown == found


def test_pairs_that_no_wiring_joins_stay_denied() -> None:
    """No policy could open them."""
    of = cluster(
        topology(["n1", "n2"]),
        *(pod("x/a", node="n1"), pod("x/b", node="n2"), pod("x/n", network="none")),
        unread("x/u", subject(denies="ingress egress", allows="ingress egress")),
    )

    assert {"deny"} == {evaluate(of, one).verdict for one in every_pair(of)}
    assert "bridge networks of n1 and n2 are not joined" == decide(of, "x/a", "x/b").reason
    assert "deny" == verdict(of, "x/a", "203.0.113.1")


def test_what_stays_in_one_network_namespace_is_known() -> None:
    """A pod always reaches itself, and a node what shares its namespace."""
    both: dict[str, Any] = {"denies": "ingress egress"}
    of = cluster(
        topology(["n"]), pod("x/a"), pod("x/h", host=True), unread("u", subject(**both), subject(nodes=True, **both))
    )

    assert "allow" == verdict(of, "x/a", "x/a")
    assert "allow" == verdict(of, "node:n", "x/h")


@pytest.mark.parametrize("mode", ["bridge", "macvlan"])
def test_what_nodes_may_do_is_unknown_too(mode: str) -> None:
    """Others enforce their policies between a pod and its node, and on macvlan networks."""
    of = cluster(
        topology(["n", "m"], mode=mode, hosts={"h": ["192.0.2.1"]}),
        *(pod("x/a", node="n"), pod("x/b", node="n")),
        unread("x/u", subject(denies="ingress egress")),
    )

    assert "unknown" == verdict(of, "x/a", "x/b")
    assert "unknown" == verdict(of, "x/a", "host:h")
    if mode == "bridge":
        assert {"unknown"} == {verdict(of, "node:n", "x/a"), verdict(of, "x/a", "node:n")}


def test_policies_of_nodes_are_about_nodes_and_host_network_pods() -> None:
    """And not about the pods of the same names."""
    of = cluster(
        topology(["n", "m"], mode="routed", hosts={"h": ["192.0.2.1"]}),
        *(pod("x/a", node="n"), pod("x/b", node="m", host=True)),
        unread("u", subject(namespace="", nodes=True, denies="ingress")),
    )

    assert {"unknown"} == {verdict(of, "x/a", "x/b"), verdict(of, "host:h", "node:m")}
    assert {"allow"} == {verdict(of, "x/b", "x/a"), verdict(of, "host:h", "x/a")}


def test_published_ports_are_judged_at_the_pod_behind() -> None:
    """And at its node, where a policy could select that."""
    lab = (topology(["n", "m"], hosts={"h": ["192.0.2.1"]}), pod("x/a", "app=a", ports=["8080:80"], node="n"))
    by_pod = cluster(*lab, unread("x/u", subject("app=a", denies="ingress")))
    by_node = cluster(*lab, unread("u", subject(namespace="", nodes=True, denies="ingress")))
    closed = policy("x/p", ingress=[])

    assert "unknown" == verdict(by_pod, "host:h", "node:n", "8080/TCP")
    assert "allow" == verdict(by_pod, "host:h", "node:n", "81/TCP")
    assert "unknown" == verdict(by_node, "host:h", "node:n", "8080/TCP")
    assert "deny" == verdict(cluster(*lab, closed, *by_node.unread), "host:h", "node:n", "8080/TCP")


def test_protocols_and_what_leaves_the_cluster() -> None:
    """A policy for TCP says nothing of UDP; one of what leaves the cluster says nothing of pods."""
    tcp = unread("x/u", subject(denies="ingress"), protocols="TCP")
    outside = unread("x/u", subject(denies="egress"), outside=True)
    of = cluster(topology(["n"], mode="routed", hosts={"h": ["192.0.2.1"]}), *PODS, outside)

    assert {} == verdicts(tcp, service="53/UDP")
    assert {} == verdicts(tcp, service="ICMP")
    assert {"x/a>x/b", "x/b>x/a", "y/c>x/a", "y/c>x/b"} == {*verdicts(tcp)}
    assert {} == verdicts(outside)
    assert "unknown" == verdict(of, "x/a", "host:h")


def test_the_reason_names_side_policy_and_line() -> None:
    """And what NetworkPolicy alone says."""
    one, other = (unread(f"x/{name}", subject("app=b", denies="ingress")) for name in "uv")
    decision = decide(cluster(*PODS, one, other), "x/a", "x/b")

    assert ("unknown", "allow") == (decision.verdict, decision.settled)
    assert (
        "FooNetworkPolicy x/u (foo.yaml:7) and 1 more, which netlab does not read, could deny it on ingress of x/b;"
        " NetworkPolicy alone allows it"
    ) == decision.reason


def test_explain_says_what_is_known_and_what_is_not() -> None:
    """The sections of NetworkPolicy, then every policy that could change one, then the way to a verdict."""
    of = cluster(*PODS, policy("x/p", "app=b", ingress=[rule(peer("app=z"))]), unread("x/u", subject(allows="ingress")))
    text = str(explain(of, flow(of, "x/a", "x/b")))

    assert text.startswith("x/a -> x/b 80/TCP, IPv4: unknown\n")
    assert "Ingress of x/b: deny\n  NetworkPolicy x/p isolates it\n" in text
    assert "by policies that netlab does not read: unknown\n  FooNetworkPolicy x/u (foo.yaml:7) could allow it" in text
    known = "leave these policies out with --ignore FooNetworkPolicy; the verdict is then deny: ingress of x/b: "
    assert f"To be known\n  {known}" in text


def test_graphs_have_no_edge_for_what_is_unknown() -> None:
    """It is beside the edges."""
    of = cluster(*PODS, unread("x/u", subject("app=b", denies="ingress")))
    graph, by_workload = reachability(of), workload_reachability(of)

    assert not graph.has_edge("x/a", "x/b")
    assert [(4, "TCP", 80)] == graph.graph["unknown"]["x/a", "x/b"]
    assert {("Pod x/a", "Pod x/b"): 1, ("Pod y/c", "Pod x/b"): 1} == by_workload.graph["unknown"]
    assert not by_workload.has_edge("Pod y/c", "Pod x/b")


def test_what_is_unknown_is_no_opinion_in_conformance(tmp_path: Any) -> None:
    """The other judges are held against one another only."""
    file = tmp_path / "a.yaml"
    file.write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x}}\n---\n"
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: x}}\n"
    )
    stage = Stage("s", tuple(read([str(file)])[0]), {Cell("x/a", "x/b", "TCP", 80, 4): None})
    says = {"unknown": lambda *_: ["unknown"], "allow": lambda *_: ["allow"], "deny": lambda *_: ["deny"]}

    assert [] == list(judge(stage, {"evaluator": says["unknown"], "packets": says["allow"]}))
    assert 1 == len(list(judge(stage, {"evaluator": says["unknown"], "p": says["allow"], "t": says["deny"]})))


def test_a_change_is_followed(tmp_path: Any) -> None:
    """An unread policy that comes or goes makes verdicts unknown, and known again."""
    file = tmp_path / "a.yaml"
    pods = "".join(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: x}}}}\n---\n" for name in "ab")
    file.write_text(
        f"{pods}{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: p, namespace: x}}}}"
    )
    documents = read([str(file)])[0]
    without, with_it = decode(documents[:2])[0], decode(documents)[0]
    before = cluster(*without.pods)
    after = follow(before, without, with_it)

    assert after is not None
    assert "unknown" == verdict(after, "x/a", "x/b")
    again = follow(after, with_it, without)
    assert again is not None
    assert "allow" == verdict(again, "x/a", "x/b")
