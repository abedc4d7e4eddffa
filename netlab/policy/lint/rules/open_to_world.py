"""A rule that lets every address in."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import collapse_addresses

from netlab.cluster.types import Cluster
from netlab.objects.policies import Rule as PolicyRule
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_selected
from netlab.policy.matching import peer_path
from netlab.policy.port_sets import ports_of
from netlab.policy.problems import some
from netlab.policy.service_ports import pods_of
from netlab.policy.tiers import tier_of


def _find(given: Given) -> Iterator[Found]:
    exposed = _exposed(given.cluster)
    for policy, direction, rule in given.rules():
        if direction == "egress":
            continue
        pods = [pod for pod in pods_selected(given.cluster, policy) if id(pod) not in exposed]
        world = _world(rule) if pods else None
        if world is not None:
            path, reached = world
            ports = some(ports_of(rule.ports).words())
            if given.cluster.cluster_policies and any(
                one.action == "deny"
                for pod in pods
                for by in tier_of("Admin").selecting(given.cluster, "ingress", pod)
                for one in by.rules("ingress")
            ):
                # Ingress rules of that tier match pods only, so other addresses get in all the same.
                reached += ", but the pods that the tier Admin denies"
            yield found(policy, path, f"opens {ports} of {some([pod.ref for pod in pods])} to {reached}")


def _world(rule: PolicyRule) -> tuple[str, str] | None:
    """Return the path and the text of what lets every address of a family in, None if nothing does."""
    if not rule.peers:
        return rule.path, "every pod and every address: the rule has no from"
    blocks = [(number, peer.ip_block) for number, peer in enumerate(rule.peers) if peer.ip_block is not None]
    for version in (4, 6):
        of = [(number, block) for number, block in blocks if block.cidr.version == version]
        whole = [*collapse_addresses(block.cidr for _, block in of)]  # type: ignore[type-var]
        if whole and not whole[0].prefixlen:
            number = next((number for number, block in of if not block.cidr.prefixlen), of[0][0])
            but = " but those of except" if all(block.excepts for _, block in of) else ""
            return f"{peer_path(rule, number)}.ipBlock", f"every IPv{version} address{but}"
    return None


def _exposed(cluster: Cluster) -> frozenset[int]:
    """Return the identities of the pods behind Services that have an address or a port outside of the cluster."""
    return frozenset(
        id(pod)
        for service in cluster.services
        if service.type in ("NodePort", "LoadBalancer") or service.external_ips
        for pod in pods_of(cluster, service)
    )


RULE = Rule(
    "open-to-world",
    "info",
    "a rule that lets every address in",
    what="An ingress rule has no `from`, or its ipBlocks have every address of a family (`0.0.0.0/0`, `::/0`), with"
    " or without `except`. Pods behind a Service of type NodePort or LoadBalancer, or with externalIPs, are meant"
    " to be open and are left out. Ingress controllers usually have such a Service.",
    why="The port is open to everything that can reach the pod network: every pod, every node and perhaps the"
    " internet.",
    fix="list the peers that need the port",
    objects="""\
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
  ingress:
  - ports: [{port: 80}]
""",
    clean="""\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 80}]
""",
    find=_find,
)
