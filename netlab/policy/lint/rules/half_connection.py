"""A rule for one end of connections that the policies of the other end deny."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.controllers import is_known
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction
from netlab.policy.bitsets import members, set_of
from netlab.policy.isolating import isolating
from netlab.policy.label_index import LabelIndex
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_matched, pods_selected
from netlab.policy.matching import peer_path
from netlab.policy.pod_addresses import pod_addresses
from netlab.policy.port_sets import ports_of
from netlab.policy.problems import some
from netlab.policy.unknown_labels import may_match_by_unknown_labels, unknown_of_namespace

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
        # All pods of each kind.
        self._pods: list[list[Pod]] = []
        # The keys of labels that some pod has with a value that is not known, with the kinds of these pods.
        self._unknown: dict[str, int] = {}
        self._number: dict[int, int] = {}
        self._of_pods: dict[int, tuple[tuple[Pod, ...], _Kinds]] = {}
        self._known: dict[tuple[Direction, int, int, tuple[PolicyPort, ...]], _Denied] = {}
        self._known_masks: dict[tuple[str, Peer], int] = {}
        self._admitting: dict[tuple[Direction, int], list[tuple[tuple[PolicyPort, ...], int]]] = {}
        self._known_ports: dict[tuple[tuple[PolicyPort, ...], tuple[PolicyPort, ...]], int] = {}
        self._spaces: dict[str, int] = {}
        self._listening: dict[object, tuple[Pod, int]] = {}
        for pod in cluster.asked_pods():
            if pod.selectable:
                self._add(pod)
        self.all = (1 << len(self._pods)) - 1
        self._labels = LabelIndex([pods[0].labels for pods in self._pods])

    def _add(self, pod: Pod) -> None:
        key = (pod.namespace, frozenset(pod.labels.items()), pod.ports, pod.traits.attachment.enforced)
        number = self._number[id(pod)] = self._kinds.setdefault(key, len(self._kinds))
        if number < len(self._pods):
            self._pods[number].append(pod)
            return
        self._pods.append([pod])
        bit = 1 << number
        self._spaces[pod.namespace] = self._spaces.get(pod.namespace, 0) | bit
        first, kinds = self._listening.get(pod.ports, (pod, 0))
        self._listening[pod.ports] = first, kinds | bit
        for name, value in pod.labels.items():
            if not is_known(name, value):
                self._unknown[name] = self._unknown.get(name, 0) | bit

    def kinds(self, pods: tuple[Pod, ...]) -> _Kinds:
        """Return the kinds of some pods, which are a value that ``matched_pods`` keeps."""
        known = self._of_pods.get(id(pods))
        if known is None:
            first: dict[int, Pod] = {}
            for pod in pods:
                if (number := self._number.get(id(pod))) is not None:
                    first.setdefault(number, pod)
            known = self._of_pods[id(pods)] = (pods, _Kinds(set_of(first, len(self._pods)), (*first.values(),)))
        return known[1]

    def denied(self, policy: NetworkPolicy, direction: Direction, rule: PolicyRule, peer: Peer) -> _Denied:
        """Return the policies of the peer's pods that deny all that a rule allows between them and its own pods."""
        own = self.kinds(pods_selected(self.cluster, policy)).mask
        there = self.kinds(pods_matched(self.cluster, policy, peer))
        key = (direction, own, there.mask, rule.ports)
        if key not in self._known:
            self._known[key] = self._denied(direction, own, there, rule.ports)
        return self._known[key]

    def _denied(self, direction: Direction, own: int, there: _Kinds, ports: tuple[PolicyPort, ...]) -> _Denied:
        # By identity, as pods with the same policies have one tuple of them.
        by: dict[int, tuple[NetworkPolicy, ...]] = {}
        for pod in there.pods:
            policies = isolating(self.cluster, pod, _OTHER[direction])
            if not policies or not pod.traits.attachment.enforced:
                return ()
            by[id(policies)] = policies
            itself = 1 << self._number[id(pod)]
            for listed, admitted in self._admitted(policies, _OTHER[direction]):
                if admitted & own:
                    destinations = itself if direction == "egress" else admitted & own
                    if destinations & self._where_meeting(ports, listed):
                        return ()
        return (*{policy.meta.key: policy for policies in by.values() for policy in policies}.values(),)

    def _admitted(
        self, policies: tuple[NetworkPolicy, ...], direction: Direction
    ) -> list[tuple[tuple[PolicyPort, ...], int]]:
        """Return the kinds that the rules of some policies match or may match, by the ports that the rules list.

        The policies are a value of ``isolating``, which keeps one for equal ones.
        """
        key = (direction, id(policies))
        found = self._admitting.get(key)
        if found is None:
            of: dict[tuple[PolicyPort, ...], int] = {}
            for policy in policies:
                for rule in policy.rules(direction):
                    mask = of.get(rule.ports, 0)
                    if mask == self.all:
                        continue
                    for peer in rule.peers:
                        mask |= self._mask(policy, peer)
                    of[rule.ports] = mask if rule.peers else self.all
            found = self._admitting[key] = [*of.items()]
        return found

    def _where_meeting(self, ports: tuple[PolicyPort, ...], others: tuple[PolicyPort, ...]) -> int:
        """Return the kinds at which two lists of ports have a port in common."""
        key = (ports, others)
        found = self._known_ports.get(key)
        if found is None:
            if _has_names(ports) or _has_names(others):
                found = 0
                for pod, kinds in self._listening.values():
                    if ports_of(ports, pod).meets(ports_of(others, pod)):
                        found |= kinds
            else:
                found = self.all if ports_of(ports).meets(ports_of(others)) else 0
            self._known_ports[key] = found
        return found

    def _mask(self, policy: NetworkPolicy, peer: Peer) -> int:
        """Return the kinds of the pods that a peer matches or may match, as not all labels and addresses are known."""
        key = (policy.meta.namespace if peer.namespace_selector is None else "", peer)
        found = self._known_masks.get(key)
        if found is None:
            block = peer.ip_block
            found = self._known_masks[key] = self._by_labels(policy, peer) if block is None else self._inside(block)
        return found

    def _by_labels(self, policy: NetworkPolicy, peer: Peer) -> int:
        found = self.kinds(pods_matched(self.cluster, policy, peer)).mask
        selector = peer.pod_selector
        if peer.namespace_selector is not None:
            matched = self.all if selector is None else self._labels.matching(selector)
            for namespace in self.cluster.undeclared if matched else ():
                here = self._spaces.get(namespace, 0) & matched
                if here and unknown_of_namespace(self.cluster, peer.namespace_selector, namespace):
                    found |= here
        unsure = 0
        if selector is not None:
            for name in (
                *(name for name, _ in selector.match_labels),
                *(one.key for one in selector.match_expressions),
            ):
                unsure |= self._unknown.get(name, 0)
        for number in members(unsure & ~found) if unsure else ():
            if may_match_by_unknown_labels(self.cluster, policy, peer, self._pods[number][0]):
                found |= 1 << number
        return found

    def _inside(self, block: IPBlock) -> int:
        if self.cluster.policy.ip_block_pods == "ignore":
            return 0
        # Few inputs say which addresses pods have. Those of IPv4 are mostly private ones.
        if block.cidr.version == 6 or any(block.cidr.overlaps(one) for one in _PRIVATE):
            return self.all
        addresses = pod_addresses(self.cluster)
        inside = addresses.inside(block)
        having = (number for number, pods in enumerate(self._pods) if inside & addresses.of(pods)) if inside else ()
        return set_of(having, len(self._pods))


def _has_names(ports: tuple[PolicyPort, ...]) -> bool:
    return any(isinstance(item.port, str) for item in ports)


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
