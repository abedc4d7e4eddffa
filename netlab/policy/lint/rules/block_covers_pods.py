"""An ipBlock that covers addresses of pods."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from ipaddress import collapse_addresses

from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import IPBlock, Peer
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matching import peer_path

# The two ways to write a peer that has every pod.
_EVERY_POD = {Peer(None, LabelSelector()), Peer(LabelSelector(), LabelSelector())}


def _find(given: Given) -> Iterator[Found]:
    cluster = given.cluster
    if cluster.policy.ip_block_pods == "ignore":
        return
    stated = _states_addresses(given)
    known: dict[IPBlock, tuple[Pod, Address, int] | None] = {}
    for policy, direction, rule in given.rules():
        if _EVERY_POD & {*rule.peers}:
            continue
        for number, peer in enumerate(rule.peers):
            block = peer.ip_block
            if block is None or not (stated if block.cidr.prefixlen else direction == "egress"):
                continue
            if block not in known:
                known[block] = _first_inside(cluster, block)
            inside = known[block]
            if inside is None:
                continue
            pod, address, pods = inside
            more = f" and of {pods - 1} more pods" if pods > 1 else ""
            path = f"{peer_path(rule, number)}.ipBlock"
            yield found(policy, path, f"{block.cidr} covers {address} of pod {pod.ref}{more}")


def _states_addresses(given: Given) -> bool:
    """Say whether the input says which addresses pods have, or from which range."""
    topology = given.objects.topology
    if topology is not None and any("podCIDRs" not in one.unwritten for one in topology.networks):
        return True
    return any(pod.addresses for pod in given.objects.pods) or any(one.pod_cidrs for one in given.objects.nodes)


def _first_inside(cluster: Cluster, block: IPBlock) -> tuple[Pod, Address, int] | None:
    """Return the pod with the lowest address in a block, that address, and the number of addresses inside."""
    numbers, pods = _addresses(cluster, block.cidr.version)
    first, number = None, 0
    begin = int(block.cidr.network_address)
    excepts = sorted(collapse_addresses(block.excepts))  # type: ignore[type-var]
    ends = [(int(one.network_address), int(one.broadcast_address) + 1) for one in excepts]
    for end, after in (*ends, (int(block.cidr.broadcast_address) + 1, 0)):
        low, high = bisect_left(numbers, begin), bisect_left(numbers, end)
        if high > low:
            number += high - low
            first = first or pods[low]
        begin = after
    return (*first, number) if first is not None else None


def _addresses(cluster: Cluster, version: int) -> tuple[Sequence[int], Sequence[tuple[Pod, Address]]]:
    """Return the addresses of pods as numbers, ascending, and the pod and the address of each."""
    known: dict[int, tuple[list[int], list[tuple[Pod, Address]]]] = cluster.memo.setdefault("policy.lint.addresses", {})
    if version not in known:
        found = {
            int(address): (pod, address)
            for pod in cluster.asked_pods()
            if pod.selectable
            for address in pod.addresses
            if address.version == version
        }
        numbers = sorted(found)
        known[version] = numbers, [found[number] for number in numbers]
    return known[version]


RULE = Rule(
    "block-covers-pods",
    "info",
    "an ipBlock that contains addresses of pods",
    what="An ipBlock contains addresses of pods, and no selector of the rule matches these pods. An ipBlock with all"
    " addresses of an IP family (`0.0.0.0/0`, `::/0`) is a finding in egress rules only. A smaller one is a"
    " finding only if the input says which addresses pods have.",
    why="Addresses of pods change. With most CNIs the ipBlock matches pods too, so `0.0.0.0/0`, meant for the"
    " internet, also allows every pod. With some CNIs (Cilium) it matches no pod.",
    fix="add the pods' ranges to except, or select the pods by labels",
    objects="""\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: lab}
spec:
  networks: [{name: default, podCIDRs: [10.244.0.0/16]}]
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
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/16]}}]
""",
    find=_find,
)
