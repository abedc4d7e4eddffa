"""A rule for one end of connections that the policies of the other end deny."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.controllers import is_known
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_matched, pods_selected
from netlab.policy.matching import peer_path
from netlab.policy.port_sets import ports_of
from netlab.policy.problems import some
from netlab.policy.tiers.networkpolicy import isolating
from netlab.policy.unknown_labels import may_match_by_unknown_labels

# RFC 1918 and RFC 6598.
_PRIVATE = [IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_OTHER: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}


@frozen
class _Kinds:
    """Kinds of pods: pods of one have the same namespace, labels and ports, so rules with selectors match all or none.

    ``mask`` has a bit for each kind.
    """

    mask: int
    pods: tuple[Pod, ...]
    """The first pod of each kind."""


_Denied = tuple[NetworkPolicy, ...]
"""The policies that deny all of some connections; none if one connection is allowed."""


class _OtherEnds:
    """Finds what the policies of the other ends of rules deny."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._kinds: dict[tuple[object, ...], int] = {}
        # The keys of labels that some pod has with a value that is not known.
        self._unknown_keys: set[str] = set()
        self._number: dict[int, int] = {}
        self._of_pods: dict[int, tuple[tuple[Pod, ...], _Kinds]] = {}
        self._known: dict[tuple[Direction, int, int, tuple[PolicyPort, ...]], _Denied] = {}
        for pod in cluster.asked_pods():
            if pod.selectable:
                key = (pod.namespace, frozenset(pod.labels.items()), pod.ports, pod.traits.attachment.enforced)
                self._number[id(pod)] = self._kinds.setdefault(key, len(self._kinds))
                self._unknown_keys.update(name for name, value in pod.labels.items() if not is_known(name, value))

    def kinds(self, pods: tuple[Pod, ...]) -> _Kinds:
        """Return the kinds of some pods, which are a value that ``matched_pods`` keeps."""
        known = self._of_pods.get(id(pods))
        if known is None:
            first: dict[int, Pod] = {}
            for pod in pods:
                if (number := self._number.get(id(pod))) is not None:
                    first.setdefault(number, pod)
            known = self._of_pods[id(pods)] = (pods, _Kinds(sum(1 << number for number in first), (*first.values(),)))
        return known[1]

    def denied(self, policy: NetworkPolicy, direction: Direction, rule: PolicyRule, peer: Peer) -> _Denied:
        """Return the policies of the peer's pods that deny all that a rule allows between them and its own pods."""
        own = self.kinds(pods_selected(self.cluster, policy))
        there = self.kinds(pods_matched(self.cluster, policy, peer))
        key = (direction, own.mask, there.mask, rule.ports)
        if key not in self._known:
            self._known[key] = self._denied(direction, own, there, rule.ports)
        return self._known[key]

    def _denied(self, direction: Direction, own: _Kinds, there: _Kinds, ports: tuple[PolicyPort, ...]) -> _Denied:
        by: dict[str, NetworkPolicy] = {}
        named = any(isinstance(item.port, str) for item in ports)
        for pod in there.pods:
            policies = isolating(self.cluster, pod, _OTHER[direction])
            if not policies or not pod.traits.attachment.enforced:
                return ()
            for policy in policies:
                by[policy.meta.key] = policy
                for rule in policy.rules(_OTHER[direction]):
                    for one in self._admitted(policy, rule, own):
                        destination = pod if direction == "egress" else one
                        if ports_of(ports, destination).meets(ports_of(rule.ports, destination)):
                            return ()
                        if direction == "egress" or not (named or _has_names(rule)):
                            break  # The answer is the same for all others.
        return (*by.values(),)

    def _admitted(self, policy: NetworkPolicy, rule: PolicyRule, pods: _Kinds) -> Iterator[Pod]:
        """Yield the pods, one of each kind, that the peers of a rule match or may match."""
        if not rule.peers:
            yield from pods.pods
            return
        mask = 0
        unsure: list[Peer] = []
        for peer in rule.peers:
            if peer.ip_block is None:
                mask |= self.kinds(pods_matched(self.cluster, policy, peer)).mask
                if self._is_unsure(peer):
                    unsure.append(peer)
            else:
                unsure.append(peer)
        if not unsure and not mask & pods.mask:
            return
        for pod in pods.pods:
            if mask >> self._number[id(pod)] & 1 or any(self._may_match(policy, peer, pod) for peer in unsure):
                yield pod

    def _is_unsure(self, peer: Peer) -> bool:
        """Say whether a peer reads labels that are not known, of some namespace or pod."""
        if peer.namespace_selector is not None and self.cluster.undeclared:
            return True
        selector = peer.pod_selector
        return selector is not None and not self._unknown_keys.isdisjoint(
            [*(key for key, _ in selector.match_labels), *(one.key for one in selector.match_expressions)]
        )

    def _may_match(self, policy: NetworkPolicy, peer: Peer, pod: Pod) -> bool:
        """Say whether a peer may match a pod whose labels or addresses are not all in the input."""
        block = peer.ip_block
        if block is None:
            return may_match_by_unknown_labels(self.cluster, policy, peer, pod)
        if self.cluster.policy.ip_block_pods == "ignore":
            return False
        # Few inputs say which addresses pods have. Those of IPv4 are mostly private ones.
        if block.cidr.version == 6 or any(block.cidr.overlaps(one) for one in _PRIVATE):
            return True
        return any(block.contains(one) for one in pod.addresses)


def _has_names(rule: PolicyRule) -> bool:
    return any(isinstance(item.port, str) for item in rule.ports)


def _find(given: Given) -> Iterator[Found]:
    if not given.decided_by_network_policies:
        return
    other_ends = _OtherEnds(given.cluster)
    for policy, direction, rule in given.rules():
        own = pods_selected(given.cluster, policy)
        for number, peer in enumerate(rule.peers):
            if peer.ip_block is not None or not own:
                continue
            there = [pod for pod in pods_matched(given.cluster, policy, peer) if pod.selectable]
            # A pod always reaches itself.
            if not there or (len(own) == 1 == len(there) and own[0] is there[0]):
                continue
            by = other_ends.denied(policy, direction, rule, peer)
            if by:
                yield found(policy, peer_path(rule, number), _message(direction, there, own, by))


def _message(direction: Direction, there: Sequence[Pod], own: Sequence[Pod], by: Sequence[NetworkPolicy]) -> str:
    policies = some([one.meta.key for one in by])
    way = "from" if direction == "egress" else "to"
    denied = f"{_OTHER[direction]} of {_refs(there)} {way} {_refs(own)}"
    return f"the other end denies all of it: no rule of {policies} allows {denied}"


def _refs(pods: Sequence[Pod]) -> str:
    return some([pod.ref for pod in pods])


RULE = Rule(
    "half-connection",
    "warning",
    "one half of a connection is missing",
    what="A rule allows egress to pods by selectors, and the policies that isolate these pods for ingress deny all of"
    " it. Or a rule allows ingress from pods by selectors, and the policies that isolate these pods for egress"
    " deny all of it. An item of `from` or `to` is a finding if no pod of it can connect with a pod of the policy"
    " on a port of the rule. An ipBlock at the other end counts as allowing if it has private addresses or IPv6"
    " addresses, as few inputs say which addresses pods have. If policies of other APIs decide too, there is no"
    " finding.",
    why="A connection needs both: egress at its source and ingress at its destination.",
    fix="add the missing rule to a policy of the other end, or remove the item",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-to-db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}]
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 3306}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
""",
    find=_find,
)
