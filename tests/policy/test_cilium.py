"""Cilium's policies beside NetworkPolicy: examples like those of its documentation, and the profile that they need."""

from __future__ import annotations

import pytest

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.plain_policies import as_unread
from netlab.cluster.types import Endpoint, address_of
from netlab.conformance.judges import cluster_of, tracer
from netlab.conformance.shorthand import parse_yaml
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import explain
from netlab.policy.exposure import exposures

LAB = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: t}
spec:
  profile: PROFILE
  nodes: [{name: node-1}, {name: node-2}]
  hosts: [{name: client, addresses: [192.0.2.10]}]
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {team: b}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {role: frontend}}
spec: {nodeName: node-1, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {role: backend}}
spec: {nodeName: node-2, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: other, labels: {role: frontend}}
spec: {nodeName: node-2, containers: [{name: c, image: i}]}
---
"""


def lab(*policies: str, profile: str = "cilium", settings: str = "") -> Cluster:
    """Return a cluster of three pods, two nodes and a host with some policies."""
    given = LAB.replace("PROFILE", f"{profile}\n  policy: {{{settings}}}") + "\n---\n".join(policies)
    documents = parse_yaml(given)
    of = cluster_of(documents)
    if not of.unread:
        ends: list[Endpoint] = [*of.pods, *of.nodes, *of.hosts]
        flows = [
            Flow(a, b, 4, protocol, port, address_of(b, 4))
            for a in ends
            for b in ends
            for protocol, port in (("TCP", 80), ("TCP", 443), ("UDP", 53), ("ICMP", None))
            if a is not b and (a in of.pods or b in of.pods)
        ]
        assert tracer()(documents, of, flows) == [evaluate(of, one).verdict for one in flows]
    return of


def cilium(spec: str, name: str = "shop/p") -> str:
    """Return the text of a policy; without a namespace it is cluster-wide."""
    space, _, own = name.rpartition("/")
    kind = "CiliumNetworkPolicy" if space else "CiliumClusterwideNetworkPolicy"
    meta = f"{{name: {own}, namespace: {space}}}" if space else f"{{name: {own}}}"
    return f"apiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {meta}\nspec: {spec}"


def verdict(of: Cluster, source: str, to: str, protocol: str = "TCP", port: int | None = 80) -> str:
    end = of.by_ref[to]
    return evaluate(of, Flow(of.by_ref[source], end, 4, protocol, port, address_of(end, 4))).verdict


NETWORK_POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np, namespace: shop}
spec: {podSelector: {}, ingress: [RULE]}
"""
BACKEND = "endpointSelector: {matchLabels: {role: backend}}"
FROM_FRONTEND = f"{{{BACKEND}, ingress: [{{fromEndpoints: [{{matchLabels: {{role: frontend}}}}]}}]}}"


def test_a_rule_allows_endpoints_of_the_same_namespace() -> None:
    """All others are denied on ingress. Egress is open."""
    of = lab(cilium(FROM_FRONTEND))

    assert "allow" == verdict(of, "shop/web", "shop/db")
    assert "allow" == verdict(of, "shop/web", "shop/db", "ICMP", None)
    assert "deny" == verdict(of, "other/web", "shop/db")
    assert "deny" == verdict(of, "host:client", "shop/db")
    assert "deny" == verdict(of, "node:node-1", "shop/db")
    assert "allow" == verdict(of, "node:node-2", "shop/db")
    assert "allow" == verdict(of, "shop/db", "other/web")


def test_an_empty_rule_isolates_and_allows_nothing() -> None:
    """In a NetworkPolicy it would allow everything."""
    of = lab(cilium(f"{{{BACKEND}, ingress: [{{}}]}}"))

    assert "deny" == verdict(of, "shop/web", "shop/db")


def test_a_port_alone_allows_everything_on_it() -> None:
    """From pods, nodes and outside. ICMP has no port."""
    of = lab(cilium(f"{{{BACKEND}, ingress: [{{toPorts: [{{ports: [{{port: '80', protocol: TCP}}]}}]}}]}}"))

    assert "allow" == verdict(of, "host:client", "shop/db")
    assert "allow" == verdict(of, "node:node-1", "shop/db")
    assert "deny" == verdict(of, "shop/web", "shop/db", "TCP", 443)
    assert "deny" == verdict(of, "shop/web", "shop/db", "ICMP", None)


def test_cidrs_match_neither_pods_nor_nodes() -> None:
    """``all`` does."""
    of = lab(cilium("{endpointSelector: {}, egress: [{toCIDR: [0.0.0.0/0]}]}"))
    every = lab(cilium("{endpointSelector: {}, egress: [{toEntities: [all]}]}"))

    assert ["allow", "deny", "deny", "deny"] == [
        verdict(of, "shop/web", to) for to in ("host:client", "shop/db", "node:node-1", "node:node-2")
    ]
    assert {"allow"} == {verdict(every, "shop/web", to) for to in ("host:client", "shop/db", "node:node-1")}


def test_a_deny_rule_has_precedence_over_rules_of_all_policies() -> None:
    """Over those of NetworkPolicies too."""
    policy = NETWORK_POLICY.replace("RULE", "{}")
    of_other = "{matchLabels: {'k8s:io.kubernetes.pod.namespace': other}}"
    deny = f"{{endpointSelector: {{}}, ingressDeny: [{{fromEndpoints: [{of_other}]}}]}}"
    of = lab(cilium(FROM_FRONTEND), cilium(deny, "all"), policy)

    assert "allow" == verdict(of, "shop/web", "shop/db")
    assert "allow" == verdict(of, "host:client", "shop/db")
    assert "deny" == verdict(of, "other/web", "shop/db")


def test_deny_rules_alone_isolate_unless_the_policy_says_otherwise() -> None:
    """``enableDefaultDeny`` is for one direction."""
    deny = "ingressDeny: [{fromEntities: [world]}]"
    closed = lab(cilium(f"{{endpointSelector: {{}}, {deny}}}"))
    opened = lab(cilium(f"{{endpointSelector: {{}}, {deny}, enableDefaultDeny: {{ingress: false}}}}"))

    assert ["deny", "deny"] == [verdict(closed, source, "shop/db") for source in ("host:client", "shop/web")]
    assert ["deny", "allow"] == [verdict(opened, source, "shop/db") for source in ("host:client", "shop/web")]


def test_rules_of_cilium_and_of_network_policy_are_a_union() -> None:
    """A rule of either is enough if both isolate the pod."""
    policy = NETWORK_POLICY.replace("RULE", "{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}")
    of = lab(cilium(FROM_FRONTEND), policy)

    assert ["allow", "allow", "deny"] == [
        verdict(of, source, "shop/db") for source in ("host:client", "shop/web", "other/web")
    ]


@pytest.mark.parametrize(
    ("profile", "settings"),
    [
        ("kubernetes", ""),
        ("calico", ""),
        ("cilium-cidr-pods", ""),
        ("cilium", "ownNode: allow"),
        ("cilium", "ipBlockNodes: match"),
    ],
)
def test_under_other_profiles_and_settings_the_policy_is_unread(profile: str, settings: str) -> None:
    """Its verdicts are unknown then, as the translation is exact with the profile's settings only."""
    of = lab(cilium(FROM_FRONTEND), profile=profile, settings=settings)

    assert not of.cilium_policies
    assert "unknown" == verdict(of, "shop/web", "shop/db")


@pytest.mark.parametrize("profile", ["cilium", "cilium-1.19", "cilium-native", "cilium-ebpf", "cilium-1.15"])
def test_profiles_of_cilium_enforce_it(profile: str) -> None:
    """The tracer agrees in each."""
    assert "deny" == verdict(lab(cilium(FROM_FRONTEND), profile=profile), "other/web", "shop/db")


def test_a_range_of_ports_is_unread_where_cilium_did_not_read_it() -> None:
    """``endPort`` came with 1.16."""
    spec = f"{{{BACKEND}, ingress: [{{toPorts: [{{ports: [{{port: '80', endPort: 90}}]}}]}}]}}"

    assert "unknown" == verdict(lab(cilium(spec), profile="cilium-1.15"), "shop/web", "shop/db", "TCP", 85)
    assert "allow" == verdict(lab(cilium(spec)), "shop/web", "shop/db", "TCP", 85)


def test_a_policy_that_is_not_understood_stays_unread_beside_others() -> None:
    """It could allow what the others deny."""
    http = f"{{{BACKEND}, ingress: [{{toPorts: [{{ports: [{{port: '80'}}], rules: {{http: [{{}}]}}}}]}}]}}"
    of = lab(cilium(FROM_FRONTEND), cilium(http, "shop/q"))

    assert ["shop/q"] == [one.meta.key for one in of.unread]
    assert "unknown" == verdict(of, "other/web", "shop/db")


def test_an_explanation_names_the_policy_and_the_rule() -> None:
    """With file and line, and what would change the verdict."""
    of = lab(cilium(FROM_FRONTEND))
    end = of.by_ref["shop/db"]
    allowed, denied = (
        explain(of, Flow(of.by_ref[source], end, 4, "TCP", 80, address_of(end, 4)))
        for source in ("shop/web", "other/web")
    )

    assert (
        "Cilium: allow",
        "  CiliumNetworkPolicy shop/p (conformance:33) selects it",
        "  CiliumNetworkPolicy shop/p spec.ingress[0] (conformance:33) allows it",
    ) == allowed.sections[2].lines[:3]
    assert "Cilium default: deny" in denied.sections[2].lines
    assert (
        "  CiliumNetworkPolicy shop/p (conformance:33) isolates it, and no rule allows it" in denied.sections[2].lines
    )


def test_exposure_reads_network_policy_alone() -> None:
    """What Cilium's policies could change is unknown there."""
    of = lab(cilium(FROM_FRONTEND))
    found = exposures(of, FlowSelection())

    assert ["shop/p"] == [one.meta.key for one in as_unread(of).unread]
    assert any(one.ingress.unread for one in found.found)
