"""An ipBlock of one IP family without one of the other family, where pods have both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from netlab.objects.policies import IPBlock, NetworkPolicy
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction
from netlab.policy.lint.covers import ports_cover, selector_covers
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_selected
from netlab.policy.matching import peer_path

_FAMILIES = (4, 6)
# Rules that are compared with one.
_MOST = 500
_Rules = Sequence[tuple[NetworkPolicy, PolicyRule]]


def _find(given: Given) -> Iterator[Found]:
    if {*given.cluster.families} != {*_FAMILIES}:
        return
    rules = _with_blocks(given)
    for policy, direction, rule in given.rules():
        if not rule.peers or not pods_selected(given.cluster, policy):
            continue
        beside = rules.get((policy.meta.namespace, direction), ())
        for version in _FAMILIES:
            one = _first(rule, version)
            if one is None:
                continue
            number, block = one
            path, other = f"{peer_path(rule, number)}.ipBlock", 10 - version
            counterparts = [*_counterparts(policy, rule, beside, other)]
            if not counterparts:
                if block.cidr.num_addresses > 1:
                    yield found(
                        policy,
                        path,
                        f"{block.cidr} is IPv{version}, and no rule allows IPv{other} addresses on these ports",
                    )
            elif _is_whole(block) and block.excepts and _no_excepts(counterparts):
                message = f"except has IPv{version} ranges, and all of IPv{other} is allowed beside it"
                yield found(policy, path, message, "write the ranges of the other family into its except")


def _with_blocks(given: Given) -> Mapping[tuple[str, Direction], _Rules]:
    """Return the rules that may allow addresses: those with ipBlocks, and those without peers."""
    made: dict[tuple[str, Direction], list[tuple[NetworkPolicy, PolicyRule]]] = {}
    for policy, direction, rule in given.rules():
        if not rule.peers or any(peer.ip_block is not None for peer in rule.peers):
            made.setdefault((policy.meta.namespace, direction), []).append((policy, rule))
    return made


def _first(rule: PolicyRule, version: int) -> tuple[int, IPBlock] | None:
    """Return the widest block of a family in a rule, with its number."""
    blocks = [
        (number, peer.ip_block)
        for number, peer in enumerate(rule.peers)
        if peer.ip_block is not None and peer.ip_block.cidr.version == version
    ]
    return min(blocks, key=lambda one: one[1].cidr.prefixlen, default=None)


def _counterparts(policy: NetworkPolicy, rule: PolicyRule, beside: _Rules, version: int) -> Iterator[IPBlock | None]:
    """Yield the blocks of a family that the same pods are allowed on the same ports; None for every address."""
    for other, candidate in ((policy, rule), *islice(beside, _MOST)):
        if not ports_cover(candidate.ports, rule.ports):
            continue
        if other is not policy and not selector_covers(other.pod_selector, policy.pod_selector):
            continue
        if not candidate.peers:
            yield None
        for peer in candidate.peers:
            if peer.ip_block is not None and peer.ip_block.cidr.version == version:
                yield peer.ip_block


def _no_excepts(blocks: Iterable[IPBlock | None]) -> bool:
    """Say whether one of some blocks is all of its family without any except. A rule without peers is meant."""
    return any(block is not None and _is_whole(block) and not block.excepts for block in blocks)


def _is_whole(block: IPBlock) -> bool:
    return block.cidr.prefixlen == 0


RULE = Rule(
    "one-family-only",
    "warning",
    "an ipBlock for one IP family only",
    what="Pods have IPv4 and IPv6 addresses. A rule has an ipBlock of one family, and the same pods have no ipBlock"
    " of the other family on the same ports, in this policy or in others. ipBlocks of one address are no finding."
    " Or both families are allowed as a whole, and only one of the two ipBlocks has an `except`.",
    why="An ipBlock has addresses of one family only. Either a client that prefers the other family is denied, or the"
    " addresses that `except` leaves out in one family are reachable in the other one.",
    fix="add an ipBlock with the ranges of the other family",
    objects="""\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: lab}
spec:
  networks: [{name: default, podCIDRs: [10.244.0.0/16, "fd00:244::/56"]}]
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
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}]
    ports: [{port: 443}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "::/0"}}]
    ports: [{port: 443}]
""",
    find=_find,
)
