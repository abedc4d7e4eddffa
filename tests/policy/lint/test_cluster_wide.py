"""Rules of ``netlab lint`` about NetworkPolicies, beside cluster-wide policies."""

from __future__ import annotations

import pytest
from linting import found_in

from netlab.policy.lint import all_rules

RULES = {rule.id: rule for rule in all_rules()}
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {app: %s}}\n"
PODS = POD % ("web", "x", "web") + "---\n" + POD % ("db", "x", "db") + "---\n"
DNS = """\
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {containers: [{name: c, ports: [{name: dns, containerPort: 53, protocol: UDP}]}]}
---
"""


def policy(spec: str) -> str:
    head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: one, namespace: x}\n"
    return f"{head}spec: {spec}\n---\n"


def wide(rules: str, tier: str = "Admin", priority: int = 10) -> str:
    head = "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\n"
    spec = f"spec: {{tier: {tier}, priority: {priority}, subject: {{namespaces: {{}}}}, {rules}}}"
    return f"{head}metadata: {{name: w{priority}}}\n{spec}\n---\n"


CLOSED = policy("{podSelector: {}, policyTypes: [Egress]}")
TO_DNS = "egress: [{action: %s, to: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]"
TO_ALL = "egress: [{action: %s, to: [{networks: [0.0.0.0/0]}]}]"


@pytest.mark.parametrize(
    ("policies", "objects"),
    [
        (CLOSED, ["NetworkPolicy x/one"]),
        (CLOSED + wide(TO_DNS % "Accept"), []),
        (CLOSED + wide(TO_DNS % "Pass"), ["NetworkPolicy x/one"]),
        (wide(TO_ALL % "Deny"), ["ClusterNetworkPolicy w10"]),
        (wide(TO_ALL % "Deny", "Baseline"), ["ClusterNetworkPolicy w10"]),
        (wide(TO_ALL % "Deny") + wide(TO_DNS % "Accept", priority=5), []),
        (
            wide(TO_ALL % "Deny", "Baseline")
            + policy("{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]}"),
            [],
        ),
    ],
    ids=["closed", "accepted", "passed", "admin", "baseline", "accepted before", "baseline is not asked"],
)
def test_dns_is_open_or_cut_as_the_tiers_decide(policies: str, objects: list[str]) -> None:
    """The tier Admin decides before NetworkPolicies, and the tier Baseline where none isolates the pod."""
    assert objects == [one.object for one in found_in(DNS + PODS + policies, RULES["dns-cut"])]


def test_without_pods_of_dns_a_rule_that_accepts_its_port_opens_it() -> None:
    """Nothing says where queries go."""
    accept = "egress: [{action: Accept, to: [{networks: [10.0.0.10/32]}], protocols: [%s]}]"
    both = "{udp: {destinationPort: {number: 53}}}, {tcp: {destinationPort: {number: 53}}}"

    assert [] == found_in(PODS + CLOSED + wide(accept % both), RULES["dns-cut"])
    assert ["53/TCP"] == [
        one.message.partition("(")[2].partition(")")[0]
        for one in found_in(PODS + CLOSED + wide(accept % both.partition(", {")[0]), RULES["dns-cut"])
    ]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (TO_ALL % "Deny", 0),
        ("egress: [{action: Deny, to: [{networks: [169.254.169.254/32]}]}]", 0),
        ("egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}]}]", 1),
        (TO_ALL % "Pass", 1),
    ],
)
def test_the_metadata_service_is_out_of_reach_if_the_tier_admin_denies_it(rules: str, found: int) -> None:
    """For all pods of the policy."""
    open_to_all = policy("{podSelector: {}, policyTypes: [Egress], egress: [{}]}")

    assert found == len(found_in(PODS + open_to_all + wide(rules), RULES["metadata-reachable"]))


def test_a_rule_open_to_the_world_names_the_tier_that_denies_pods() -> None:
    """Ingress rules of cluster-wide policies match pods only, so every other address gets in."""
    open_to_all = policy("{podSelector: {}, ingress: [{}]}")
    (plain,) = found_in(PODS + open_to_all, RULES["open-to-world"])
    deny = "ingress: [{action: Deny, from: [{namespaces: {}}]}]"
    (found,) = found_in(PODS + open_to_all + wide(deny), RULES["open-to-world"])

    assert "tier Admin" not in plain.message
    assert found.message.endswith("but the pods that the tier Admin denies")


def test_half_connections_are_not_found_beside_cluster_wide_policies() -> None:
    """Such a policy may accept the other half."""
    half = policy(
        "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress, Ingress],"
        " egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}"
    )
    closed = policy("{podSelector: {matchLabels: {app: db}}, ingress: []}").replace("name: one", "name: two")

    assert 1 == len(found_in(PODS + half + closed, RULES["half-connection"]))
    assert [] == found_in(PODS + half + closed + wide(TO_DNS % "Pass"), RULES["half-connection"])


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{action: Deny, from: [{namespaces: {}}]}", "for egress"),
        (
            "{action: Accept, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}",
            "for ingress and egress",
        ),
    ],
)
def test_a_default_deny_of_a_tier_counts_unless_a_rule_before_accepts_all(rules: str, message: str) -> None:
    """The first rule for every port of all pods decides."""
    (found,) = found_in(PODS + wide(f"ingress: [{rules}]"), RULES["no-default-deny"])

    assert message in found.message
