"""``baseline`` and ``baselineAdmin``: when the tier Baseline is asked, and in which order its policies decide."""

from __future__ import annotations

import pytest

from netlab.cluster.flows import FlowSelection
from netlab.cluster.resolve import resolve
from netlab.objects import decode
from netlab.objects.documents import parse
from netlab.policy.evaluate import evaluate

GROUP = "policy.networking.k8s.io"
PODS = """\
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}}
---
"""
# A NetworkPolicy that isolates x/a for ingress, and a baseline policy that denies all egress.
INGRESS_ONLY = f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: np, namespace: x}}
spec: {{podSelector: {{matchLabels: {{app: a}}}}, policyTypes: [Ingress]}}
---
apiVersion: {GROUP}/v1beta1
kind: ClusterNetworkPolicy
metadata: {{name: p}}
spec:
  tier: Baseline
  priority: 0
  subject: {{namespaces: {{}}}}
  egress: [{{action: Deny, to: [{{namespaces: {{}}}}]}}]
"""
# Two baseline policies: the one without a priority allows, the other one denies.
TWO = f"""\
apiVersion: {GROUP}/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {{name: default}}
spec: {{subject: {{namespaces: {{}}}}, egress: [{{action: Allow, to: [{{namespaces: {{}}}}]}}]}}
---
{INGRESS_ONLY.partition("---")[2].replace("name: p", "name: a")}"""


def verdicts(objects: str, settings: str = "{}") -> dict[str, str]:
    """Return the verdict of each pair on TCP 80."""
    topology = f"{{apiVersion: netlab/v1alpha1, kind: Topology, spec: {{policy: {settings}}}}}\n---\n"
    documents, problems = parse(PODS + topology + objects, "x.yaml")
    found, more = decode(documents)
    assert [] == [*problems, *more]
    cluster = resolve(found)
    flows = [flow for flow in FlowSelection().flows(cluster) if flow.family == 4]
    return {
        f"{flow.source.ref} {flow.destination.ref}": evaluate(cluster, flow).verdict
        for flow in flows
        if flow.destination is not None
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [("{}", "deny"), ("{baseline: per-direction}", "deny"), ("{baseline: unselected-pods}", "allow")],
)
def test_a_network_policy_settles_its_direction_or_the_pod(settings: str, expected: str) -> None:
    """A NetworkPolicy isolates x/a for ingress only; the tier Baseline denies egress."""
    assert {"x/a x/b": expected, "x/b x/a": "deny"} == verdicts(INGRESS_ONLY, settings)


@pytest.mark.parametrize(
    ("settings", "expected"), [("{}", "allow"), ("{baselineAdmin: first}", "allow"), ("{baselineAdmin: last}", "deny")]
)
def test_the_policy_without_a_priority_stands_first_or_last(settings: str, expected: str) -> None:
    """Even before priority 0, and before another name."""
    assert {"x/a x/b": expected, "x/b x/a": expected} == verdicts(TWO, settings)
