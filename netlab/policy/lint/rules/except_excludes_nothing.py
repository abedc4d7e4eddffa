"""An except that excludes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.frozen import NamedTuple
from netlab.objects.policies import IPBlock, NetworkPolicy
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction, Prefix
from netlab.policy.lint.covers import block_covers, ports_cover
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_selected
from netlab.policy.matching import ANY_PEER, peer_path

# Candidates that are compared with one range. More are only in inputs that are made for it.
_MOST = 200


class _Allowing(NamedTuple):
    """A peer that may allow what an except excludes; ``block`` is None for a rule without peers."""

    policy: NetworkPolicy
    rule: PolicyRule
    number: int
    block: IPBlock | None

    @property
    def name(self) -> str:
        place = peer_path(self.rule, ANY_PEER if self.block is None else self.number)
        return f"{place} of {self.policy.meta.name}"


_Where = tuple[str, Direction, int, int, int]
"""A namespace, a direction, and a prefix as family, first address and length; length -1 stands for every address."""


def _find(given: Given) -> Iterator[Found]:
    if given.cluster.policy.except_ != "per-peer":
        return
    allowing: _Peers | None = None
    for policy, direction, rule in given.rules():
        for number, peer in enumerate(rule.peers):
            if peer.ip_block is None or not peer.ip_block.excepts:
                continue
            if allowing is None:
                allowing = _Peers(given)
            excluded = _Excluded(peer.ip_block.excepts)
            for at, one in enumerate(peer.ip_block.excepts):
                path = f"{peer_path(rule, number)}.ipBlock.except[{at}]"
                wider = excluded.wider(one)
                if wider is not None:
                    yield found(policy, path, f"{one} excludes nothing: {wider} is excluded too")
                    continue
                by = _allowed_by(given, allowing, _Allowing(policy, rule, number, peer.ip_block), direction, one)
                if by is not None:
                    yield found(policy, path, f"{one} excludes nothing: {by.name} allows it")


class _Excluded:
    """The items of an ``except`` by prefix, so that no item is compared with all others."""

    def __init__(self, excepts: Sequence[Prefix]) -> None:
        self._excepts = excepts
        self._places: dict[tuple[int, int, int], int] = {}
        for place, one in enumerate(excepts):
            self._places.setdefault(_key(one), place)
        self._lengths = sorted({one.prefixlen for one in excepts})

    def wider(self, one: Prefix) -> Prefix | None:
        """Return the first item that contains a prefix and more."""
        keys = (_key_of_length(one, length) for length in self._lengths if length < one.prefixlen)
        place = min((self._places[key] for key in keys if key in self._places), default=None)
        return None if place is None else self._excepts[place]


class _Peers:
    """The peers that are ipBlocks, and the rules without peers, by namespace, direction and prefix."""

    def __init__(self, given: Given) -> None:
        self._peers: dict[_Where, list[_Allowing]] = {}
        lengths: dict[tuple[str, Direction], set[int]] = {}
        for policy, direction, rule in given.rules():
            space = policy.meta.namespace
            if not rule.peers:
                self._peers.setdefault((space, direction, 0, 0, -1), []).append(_Allowing(policy, rule, 0, None))
            for number, peer in enumerate(rule.peers):
                if peer.ip_block is not None:
                    where = (space, direction, *_key(peer.ip_block.cidr))
                    self._peers.setdefault(where, []).append(_Allowing(policy, rule, number, peer.ip_block))
                    lengths.setdefault((space, direction), set()).add(peer.ip_block.cidr.prefixlen)
        self._lengths = {where: sorted(found) for where, found in lengths.items()}

    def having(self, space: str, direction: Direction, one: Prefix) -> Iterator[_Allowing]:
        """Yield those that contain a prefix, the widest first, and few of each."""
        yield from self._peers.get((space, direction, 0, 0, -1), ())[:_MOST]
        for length in self._lengths.get((space, direction), ()):
            if length <= one.prefixlen:
                yield from self._peers.get((space, direction, *_key_of_length(one, length)), ())[:_MOST]


def _key(prefix: Prefix) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _key_of_length(prefix: Prefix, length: int) -> tuple[int, int, int]:
    """Return the key of the prefix of a shorter length that contains a prefix."""
    shift = prefix.max_prefixlen - length
    return prefix.version, int(prefix.network_address) >> shift << shift, length


def _allowed_by(given: Given, allowing: _Peers, own: _Allowing, direction: Direction, one: Prefix) -> _Allowing | None:
    """Return a peer other than ``own`` that allows all of a range, to all pods of the policy and on all its ports."""
    for other in allowing.having(own.policy.meta.namespace, direction, one):
        if other.rule is own.rule and other.number == own.number:
            continue
        if other.block is not None and not block_covers(other.block, one):
            continue
        if ports_cover(other.rule.ports, own.rule.ports) and _selects_all(given, other.policy, own.policy):
            return other
    return None


def _selects_all(given: Given, wide: NetworkPolicy, narrow: NetworkPolicy) -> bool:
    """Say whether a policy selects every pod that another one selects."""
    if wide is narrow or wide.pod_selector == narrow.pod_selector:
        return True
    pods = pods_selected(given.cluster, narrow)
    return bool(pods) and all(wide.pod_selector.matches(pod.labels) for pod in pods)


RULE = Rule(
    "except-excludes-nothing",
    "warning",
    "an except that excludes nothing",
    what="Each address of an item of `except` is still allowed in the same direction on the same ports: by another"
    " peer or rule of the policy, or by other policies that select all of its pods. Or another item of the same"
    " `except` contains all addresses of the item.",
    why="`except` does not deny. It only means that this one peer does not match, and policies are a union of their"
    " rules.",
    fix="remove the range from the other peer, rule or policy, or remove it from except",
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
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}
    - ipBlock: {cidr: 10.0.0.0/8}
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}
    - ipBlock: {cidr: 10.20.0.0/16}
""",
    find=_find,
)
