"""Pods that no policy selects, beside pods that policies select."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Pod
from netlab.policy.isolating import isolating
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found_at_pod
from netlab.policy.matched_pods import pods_by_namespace
from netlab.policy.problems import some
from netlab.policy.tiers.cluster_policy import denying_all


def _find(given: Given) -> Iterator[Found]:
    if not given.decided_by_policies:
        return
    here = pods_by_namespace(given.cluster)
    for name in dict.fromkeys(policy.meta.namespace for policy in given.policies):
        free: dict[str, list[Pod]] = {}
        for pod in here[name]:
            if pod.selectable and not any(
                isolating(given.cluster, pod, direction) or denying_all(given.cluster, pod, direction)
                for direction in given.directions
            ):
                free.setdefault(pod.workload or pod.ref, []).append(pod)
        for pods in free.values():
            refs = some([pod.ref for pod in pods])
            yield found_at_pod(pods[0], f"no policy selects {refs}, and namespace {name} has policies")


RULE = Rule(
    "pod-without-policy",
    "info",
    "pods that no policy selects",
    what="No policy isolates a pod in any direction, and its namespace has policies. A cluster-wide policy that"
    " denies the pod every port of all pods isolates it too. Namespaces without policies are left to"
    " `no-default-deny`, host-network pods to `host-network-in-vain`. If policies of other APIs decide too, there is"
    " no finding.",
    why="The pod can connect to everything, and everything to the pod. The author of the policies may have forgotten"
    " it.",
    fix="select the pod in a policy, or add a default deny",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 80}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}
  ingress:
  - ports: [{port: 80}]
""",
    find=_find,
)
