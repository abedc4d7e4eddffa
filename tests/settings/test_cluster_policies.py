"""``clusterPolicies``: which kinds of cluster-wide policies are read, and what profiles choose."""

from __future__ import annotations

import pytest

from netlab.cluster.flows import FlowSelection
from netlab.cluster.resolve import resolve
from netlab.cluster.types import Cluster
from netlab.errors import UsageError
from netlab.objects import decode
from netlab.objects.documents import parse
from netlab.policy.deciding import deciding
from netlab.policy.evaluate import evaluate
from netlab.policy.selections import find_selections
from netlab.policy.warnings import warnings

OBJECTS = """\
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: z}}
---
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: new}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: x}}}
  egress: [{action: Deny, to: [{namespaces: {}}]}]
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: z}}}
  egress: [{action: Deny, to: [{namespaces: {}}]}]
"""


def cluster(spec: str) -> Cluster:
    topology = f"{{apiVersion: netlab/v1alpha1, kind: Topology, spec: {spec}}}"
    documents, problems = parse(f"{topology}\n---\n{OBJECTS}", "x.yaml")
    found, more = decode(documents)
    assert [] == [*problems, *more]
    return resolve(found)


def verdicts(of: Cluster) -> list[str]:
    """Return the verdicts of x/a to z/b, and of z/b to x/a."""
    pairs = [flow for flow in FlowSelection().flows(of) if flow.family == 4]
    return [str(evaluate(of, flow).verdict) for flow in pairs]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("all", ["deny", "deny"]),
        ("cluster-network-policy", ["deny", "allow"]),
        ("admin-network-policy", ["allow", "deny"]),
        ("none", ["allow", "allow"]),
    ],
)
def test_policies_of_kinds_that_are_not_read_have_no_effect(setting: str, expected: list[str]) -> None:
    """And each of them has a warning."""
    of = cluster(f"{{policy: {{clusterPolicies: {setting}}}}}")
    message = f"has no effect, as this kind is not read (clusterPolicies: {setting})"

    assert expected == verdicts(of)
    assert expected.count("allow") == [one.message for one in warnings(of)].count(message)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kubernetes", ["deny", "deny"]),
        ("calico", ["deny", "allow"]),
        ("canal", ["deny", "allow"]),
        ("ovn-kubernetes", ["allow", "deny"]),
        *((name, ["allow", "allow"]) for name in ("antrea", "aws-vpc", "cilium", "flannel-netpol", "kindnet")),
        *((name, ["allow", "allow"]) for name in ("kube-router", "romana", "weave")),
    ],
)
def test_a_profile_reads_the_kinds_of_its_cni(name: str, expected: list[str]) -> None:
    """Most CNIs read none by default."""
    assert expected == verdicts(cluster(f"{{profile: {name}}}"))


def test_what_a_topology_writes_wins_over_its_profile() -> None:
    """Cilium reads ClusterNetworkPolicy if an option says so."""
    spec = "{profile: cilium, policy: {clusterPolicies: cluster-network-policy}}"

    assert ["deny", "allow"] == verdicts(cluster(spec))


def test_the_choice_of_a_profile_decides() -> None:
    """Where the verdict is another one if the policies are read."""
    of = cluster("{profile: kube-router}")
    flow = next(iter(FlowSelection().flows(of)))

    assert "clusterPolicies" in [choice.name for choice in deciding(of, evaluate(of, flow))]


def test_a_policy_that_is_not_read_selects_nothing() -> None:
    """The message names the setting, and does not say that there is no such policy."""
    with pytest.raises(UsageError, match=r"new selects nothing, as this kind is not read \(clusterPolicies: none\)"):
        find_selections(cluster("{policy: {clusterPolicies: none}}"), "clusternetworkpolicy/new")
