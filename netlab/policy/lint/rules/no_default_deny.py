"""A namespace without a default deny."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Pod
from netlab.objects.types import Direction
from netlab.policy.isolating import isolating
from netlab.policy.lint.covers import selects_all
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found, found_at_pod
from netlab.policy.matched_pods import pods_by_namespace
from netlab.policy.meaning import policies_meant
from netlab.policy.problems import some
from netlab.policy.tiers.cilium import CiliumDefaultTier, isolated_spaces
from netlab.policy.tiers.cluster_policy import TIERS, closing, denying_all, in_order

# Namespaces of the cluster itself. Few clusters have policies there.
_OF_CLUSTER = frozenset({"kube-system", "kube-public", "kube-node-lease"})


def _find(given: Given) -> Iterator[Found]:
    if not given.decided_by_policies:
        return
    closed = {
        (policy.meta.namespace, direction)
        for policy in policies_meant(given.cluster)
        for direction in given.directions
        if policy.isolates(direction) and selects_all(policy.pod_selector)
    }
    if given.cluster.cluster_policies:
        closed |= set(_closed_by_tiers(given))
    closed |= isolated_spaces(given.cluster)
    declared = {one.meta.name: one for one in given.objects.namespaces if one.declared}
    for name, own in pods_by_namespace(given.cluster).items():
        pods = [pod for pod in own if pod.selectable]
        missing = [one for one in given.directions if (name, one) not in closed]
        if name in _OF_CLUSTER or not pods or not missing:
            continue
        message = f"namespace {name} has no default deny for {_open(given, pods, missing)}"
        if name in declared:
            yield found(declared[name], "metadata.name", message, kind="Namespace")
        else:
            yield found_at_pod(pods[0], message)


def _closed_by_tiers(given: Given) -> Iterator[tuple[str, Direction]]:
    """Yield the namespaces and directions in which cluster-wide policies deny every port of all pods to any pod."""
    for name, own in given.cluster.namespaces.items():
        of_all = [
            [
                one
                for one in in_order(given.cluster, tier)
                if (one.subject.pods is None or selects_all(one.subject.pods))
                and (one.subject.namespaces is None or one.subject.namespaces.matches(own))
            ]
            for tier in TIERS
        ]
        for direction in given.directions:
            if closing(given.cluster, of_all, direction) is not None:
                yield name, direction


def _open(given: Given, pods: list[Pod], missing: list[Direction]) -> str:
    """Return the directions as text, and the pods that no policy isolates in each of them today."""
    free: dict[str, list[Direction]] = {}
    for direction in missing:
        names = [
            pod.ref
            for pod in pods
            if not (
                isolating(given.cluster, pod, direction)
                or denying_all(given.cluster, pod, direction)
                or CiliumDefaultTier().selecting(given.cluster, direction, pod)
            )
        ]
        if names:
            free.setdefault(some(names), []).append(direction)
    today = [names if found == missing else f"{names} for {' and '.join(found)}" for names, found in free.items()]
    now = f"; today none isolates {', '.join(today)}" if today else ""
    return f"{' and '.join(missing)}: no policy isolates new pods{now}"


RULE = Rule(
    "no-default-deny",
    "info",
    "a namespace without a default deny",
    what="No policy isolates all pods of the namespace, whatever labels they have, for ingress or for egress. A"
    " policy with an empty `podSelector` isolates all of them, also if it has rules. So does a"
    " cluster-wide policy that selects them all and denies every port of all pods. `kube-system`,"
    " `kube-public`, `kube-node-lease` and namespaces without pods are left out. If policies of other APIs decide"
    " too, there is no finding.",
    why="A pod that no policy selects can connect to everything, and everything to it. This includes each new"
    " workload that no selector matches.",
    fix="add a policy with podSelector {} and both policyTypes, and DNS in its egress rules",
    objects="""\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
""",
    find=_find,
)
