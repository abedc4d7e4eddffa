"""Selectors meant for host-network pods."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Pod
from netlab.objects.selectors import LabelSelector
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_by_namespace, pods_selected
from netlab.policy.problems import some

_EVERYTHING = LabelSelector()


def _find(given: Given) -> Iterator[Found]:
    """Find policies that select other pods too; the check of ``netlab check`` finds those that select no other."""
    hosted: dict[str, list[Pod]] = {
        name: own
        for name, pods in pods_by_namespace(given.cluster).items()
        if (own := [pod for pod in pods if pod.host_network])
    }
    for policy in given.policies if hosted else ():
        selector = policy.pod_selector
        if selector == _EVERYTHING or not pods_selected(given.cluster, policy):
            continue
        refs = [pod.ref for pod in hosted.get(policy.meta.namespace, ()) if selector.matches(pod.labels)]
        if refs:
            message = f"{selector} also matches host-network pods, and the policy does not apply to them: {some(refs)}"
            yield found(policy, "spec.podSelector", message)


RULE = Rule(
    "host-network-in-vain",
    "warning",
    "a selector that matches host-network pods",
    what="The selector of a policy or of a peer matches host-network pods. A `podSelector` that selects every pod is"
    " no finding if it selects other pods too.",
    why="A host-network pod has its node's address. Policies do not apply to it, and selectors of peers do not match"
    " it.",
    fix="move the pod off the host's network, or write its node's address as an ipBlock",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent, tier: front}}
spec: {hostNetwork: true}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: agent, namespace: shop}
spec:
  podSelector: {matchLabels: {app: agent}}
  ingress: []
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
""",
    checks=(
        "selects-host-network",
        "peer-host-network",
    ),
    find=_find,
)
