"""What is open: namespaces and pods without policies, rules for the outside, and holes of one IP family."""

from __future__ import annotations

import pytest
from linting import found_in

from netlab.policy.lint import all_rules

RULES = {rule.id: rule for rule in all_rules()}
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x, labels: {app: %s}}\n---\n"
WEB = POD % ("web", "web")


def policy(spec: str, name: str = "one") -> str:
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: x}}\n"
    return f"{head}spec: {spec}\n---\n"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{podSelector: {}, policyTypes: [Ingress, Egress]}", ""),
        ("{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}", ""),
        ("{podSelector: {}, policyTypes: [Ingress]}", "for egress: no policy isolates x/web today"),
        ("{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}", "isolates new pods"),
        ("{podSelector: {matchLabels: {app: db}}}", "ingress and egress: no policy isolates x/web today, and new pods"),
    ],
)
def test_a_namespace_has_a_default_deny_if_a_policy_isolates_all_pods_that_may_come(spec: str, message: str) -> None:
    """In both directions; its rules do not matter."""
    found = found_in(SPACE + WEB + policy(spec), RULES["no-default-deny"])

    assert bool(message) == bool(found)
    for one in found:
        assert message in one.message
        assert "Namespace x" == one.object


def test_a_namespace_that_is_not_in_the_input_is_found_at_its_first_pod() -> None:
    """Those of the cluster itself are left out."""
    (one,) = found_in(WEB, RULES["no-default-deny"])

    assert "Pod x/web" == one.object
    assert [] == found_in(WEB.replace("namespace: x", "namespace: kube-system"), RULES["no-default-deny"])


OTHER_API = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: x}\nspec: {}\n---\n"


def test_pods_without_a_policy_are_found_once_for_a_workload() -> None:
    """Where policies of other APIs may decide, nothing is found."""
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db, namespace: x}\nspec:\n  replicas: 3\n"
        "  selector: {matchLabels: {app: db}}\n  template: {metadata: {labels: {app: db}}}\n---\n"
    )
    text = WEB + deployment + policy("{podSelector: {matchLabels: {app: web}}}")
    (one,) = found_in(text, RULES["pod-without-policy"])

    assert "Deployment x/db" == one.object
    assert [] == found_in(text + OTHER_API, RULES["pod-without-policy"])
    assert [] == found_in(WEB + OTHER_API, RULES["no-default-deny"])
    assert [] == found_in(WEB, RULES["pod-without-policy"])
