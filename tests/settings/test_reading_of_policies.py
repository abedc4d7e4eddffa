"""What a CNI reads: annotations of namespaces, refused policies, and changes while a lab runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import cluster, decide, namespace, objects, peer, pod, policy, rule, topology

from netlab.cluster import Cluster, resolve
from netlab.cluster.resolve import try_resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.objects.meta import BETA_ISOLATION
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Namespace
from netlab.policy.explain import explain
from netlab.policy.warnings import warnings
from netlab.ruleset import Compiler, compile_rulesets

DENY = '{"ingress": {"isolation": "DefaultDeny"}}'


def lab(*things: Any, **settings: Any) -> Cluster:
    """Return a cluster under settings of ``spec.policy``."""
    return cluster(replace(topology(["n"]), policy=TopologyPolicy(**settings)), *things)


def annotated(name: str, text: str) -> Namespace:
    """Return a namespace with the annotation of the beta API."""
    found = namespace(name)
    return replace(found, meta=replace(found.meta, annotations={BETA_ISOLATION: text}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DENY, None),
        ('{"ingress": {"isolation": "None"}}', None),
        ('{"ingress": {}}', None),
        ("{}", None),
        ("{", "is not JSON"),
        ("[" * 3000, "is not JSON"),
        ('"DefaultDeny"', "must be"),
        ('{"ingress": "DefaultDeny"}', "must be"),
        (" " * 5000, "has more than 4096 characters"),
    ],
)
def test_only_the_annotation_of_the_beta_api_isolates(text: str, message: str | None) -> None:
    """Any other value does not, and a value that is not of the API has a warning."""
    given = replace(topology(["n"]), policy=TopologyPolicy(isolation="annotated-namespaces"))
    found, problems = try_resolve(objects(given, annotated("x", text), pod("x/a"), pod("x/b")), warn=True)
    told = [one.message for one in problems if one.rule == "beta-annotation"]

    assert frozenset({"x"} if text == DENY else ()) == found.isolated_namespaces
    assert (message is not None) == bool(told)
    assert all(message in one for one in told if message is not None)
    assert ("deny" if text == DENY else "allow") == decide(found, "x/a", "x/b").verdict


def test_nothing_reads_the_annotation_by_default() -> None:
    """A wrong one has no warning."""
    found, problems = try_resolve(objects(topology(["n"]), annotated("x", "{"), pod("x/a")), warn=True)

    assert frozenset() == found.isolated_namespaces
    assert [] == [one for one in problems if one.rule == "beta-annotation"]


def test_an_annotation_isolates_from_the_moment_of_its_change() -> None:
    """The next cluster and ruleset are those of a new start."""
    given = replace(topology(["n"]), policy=TopologyPolicy(isolation="annotated-namespaces"))
    old = objects(given, namespace("x"), pod("x/a"), pod("x/b"))
    new = objects(given, annotated("x", DENY), pod("x/a"), pod("x/b"))
    before = resolve(old)
    after = resolve_change(before, old, new)
    compiler = Compiler()
    compiler.compile(before)

    assert after is not None
    assert frozenset({"x"}) == after.isolated_namespaces
    assert [one.text() for one in compile_rulesets(resolve(new)).values()] == [
        one.text() for one in compiler.compile(after).values()
    ]
    assert "deny" == decide(after, "x/a", "x/b").verdict


def test_a_new_pod_brings_names_into_conflict_and_takes_them_out_again() -> None:
    """The ruleset follows, as if it were compiled anew."""
    opening = policy("x/p", "app=c", egress=[rule(peer(), ports=["web"])])
    pods = (pod("x/c", "app=c"), pod("x/d", ports=["web=80"]))
    few = lab(opening, *pods, named_ports="skip-on-conflict")
    more = lab(opening, *pods, pod("y/e", ports=["web=81"]), named_ports="skip-on-conflict")
    compiler = Compiler()

    for of, verdict in ((few, "allow"), (more, "deny"), (few, "allow")):
        found = [one.text() for one in compiler.compile(of).values()]
        assert [one.text() for one in compile_rulesets(of).values()] == found
        assert verdict == decide(of, "x/c", "x/d").verdict


def test_a_refused_policy_has_a_warning_and_an_explanation() -> None:
    """Both name the policy and the setting."""
    refused = policy("x/p", ingress=[rule(peer(), ports=["web"])])
    of = lab(refused, pod("x/a"), pod("y/b"), named_ports="refuse-policy")
    decision = decide(of, "y/b", "x/a")
    told = [one for one in warnings(of) if one.rule == "policy-without-effect"]

    why = "NetworkPolicy x/p is refused, as it has a named port (namedPorts: refuse-policy)"
    assert ("allow", f"allowed by default, as {why}") == (decision.verdict, decision.reason)
    assert ["is refused, as it has a named port (namedPorts: refuse-policy)"] == [one.message for one in told]
    assert f"{why}, so everything is allowed." in [
        line for section in explain(of, decision.flow).sections for line in section.lines
    ]


def test_another_policy_still_isolates_a_pod_of_a_refused_one() -> None:
    """Policies are additive."""
    refused = policy("x/p", ingress=[rule(peer(), ports=["web"])])
    of = lab(refused, policy("x/q", ingress=[]), pod("x/a", ports=["web=80"]), pod("x/b"), named_ports="refuse-policy")

    assert "deny" == decide(of, "x/b", "x/a").verdict


def test_an_explanation_says_which_rule_a_setting_narrows() -> None:
    """The rule as written would allow the flow."""
    wide = policy("x/p", ingress=[rule(ports=["80-90"])])
    of = lab(wide, pod("x/a"), pod("x/b"), end_port="first-only")
    lines = [
        line
        for section in explain(of, decide(of, "x/b", "x/a", "85/TCP").flow).sections
        for line in section.lines
        if "does not match" in line
    ]

    assert ["  spec.ingress[0] does not match: port: 80/TCP, asked 85/TCP (endPort: first-only)"] == lines


def test_a_tenant_label_names_the_namespace_of_a_peer() -> None:
    """Romana reads the label ``namespace`` of a namespaceSelector; any other one means the own namespace."""
    things = (pod("x/a"), pod("x/b"), pod("y/b"), namespace("y", "team=1"))
    by_tenant = policy("x/p", "", ingress=[rule(peer(ns="namespace=y"))])
    by_label = policy("x/p", "", ingress=[rule(peer(ns="team=1"))])
    tenant, label = (lab(one, *things, selectors="segment-label") for one in (by_tenant, by_label))

    assert ("allow", "deny") == (decide(tenant, "y/b", "x/a").verdict, decide(tenant, "x/b", "x/a").verdict)
    assert ("deny", "allow") == (decide(label, "y/b", "x/a").verdict, decide(label, "x/b", "x/a").verdict)
