"""Whether one part of a policy has all that another one has, whatever labels pods have: selectors, peers and ports."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.frozen import frozen
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import IPBlock, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Prefix


def ports_cover(wide: Sequence[PolicyPort], narrow: Sequence[PolicyPort]) -> bool:
    """Say whether the ``ports`` of a rule match every port that those of another match; no items match every port.

    Several items that only together match a range do not count.
    """
    if not wide:
        return True
    if not narrow:
        return False
    return all(any(_port_covers(one, other) for one in wide) for other in narrow)


def _port_covers(wide: PolicyPort, narrow: PolicyPort) -> bool:
    if wide == narrow:
        return True
    if wide.protocol != narrow.protocol:
        return False
    if wide.port is None:
        return True
    if not isinstance(wide.port, int) or not isinstance(narrow.port, int):
        return False
    return wide.port <= narrow.port and (narrow.end_port or narrow.port) <= (wide.end_port or wide.port)


def is_inside(narrow: Prefix, wide: Prefix) -> bool:
    """Say whether all addresses of a range are in another one."""
    return narrow.version == wide.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


def block_covers(block: IPBlock, prefix: Prefix) -> bool:
    """Say whether an ipBlock matches every address of a range."""
    if not is_inside(prefix, block.cidr):
        return False
    return not any(one.version == prefix.version and one.overlaps(prefix) for one in block.excepts)


# --- selectors ------------------------------------------------------------------------------------------------------

_EVERYTHING = LabelSelector()


@frozen
class _Values:
    """What a selector accepts of one key: no label (``absent``), and ``values``, or if ``but`` all except these."""

    absent: bool = True
    values: frozenset[str] = frozenset()
    but: bool = True

    def both(self, other: _Values) -> _Values:
        """Return what both accept."""
        absent = self.absent and other.absent
        if self.but and other.but:
            return _Values(absent, self.values | other.values)
        if self.but or other.but:
            few, many = (other, self) if self.but else (self, other)
            return _Values(absent, few.values - many.values, but=False)
        return _Values(absent, self.values & other.values, but=False)

    def has(self, other: _Values) -> bool:
        """Say whether it accepts all that another one accepts."""
        if other.absent and not self.absent:
            return False
        if self.but:
            return self.values.isdisjoint(other.values) if not other.but else self.values <= other.values
        return not other.but and other.values <= self.values


_ANY = _Values()


def meaning_of(selector: LabelSelector) -> frozenset[tuple[str, _Values]]:
    """Return a value that is equal for two selectors that match the same labels, by key what they accept.

    Selectors that match no labels at all may have different ones.
    """
    return frozenset(_values(selector).items())


def _values(selector: LabelSelector) -> dict[str, _Values]:
    found = {key: _Values(absent=False, values=frozenset({value}), but=False) for key, value in selector.match_labels}
    for one in selector.match_expressions:
        match one.operator:
            case "In":
                accepted = _Values(absent=False, values=frozenset(one.values), but=False)
            case "NotIn":
                accepted = _Values(values=frozenset(one.values))
            case "Exists":
                accepted = _Values(absent=False)
            case "DoesNotExist":
                accepted = _Values(values=frozenset(), but=False)
        found[one.key] = accepted.both(found.get(one.key, _ANY))
    return found


def selector_covers(wide: LabelSelector, narrow: LabelSelector) -> bool:
    """Say whether a selector matches all labels that another one matches."""
    if wide in (_EVERYTHING, narrow):
        return True
    of_narrow = _values(narrow)
    return all(accepted.has(of_narrow.get(key, _ANY)) for key, accepted in _values(wide).items())


# --- peers and rules ------------------------------------------------------------------------------------------------


def peer_covers(wide: Peer, narrow: Peer, namespace: str) -> bool:
    """Say whether an item of ``from`` or ``to`` matches all that another one matches, in policies of one namespace.

    Blocks and selectors are never compared with each other.
    """
    if wide == narrow:
        return True
    if wide.ip_block is not None or narrow.ip_block is not None:
        return wide.ip_block is not None and narrow.ip_block is not None and _has_block(wide.ip_block, narrow.ip_block)
    own = LabelSelector(((NAMESPACE_LABEL, namespace),))
    return selector_covers(wide.namespace_selector or own, narrow.namespace_selector or own) and selector_covers(
        wide.pod_selector or _EVERYTHING, narrow.pod_selector or _EVERYTHING
    )


def _has_block(wide: IPBlock, narrow: IPBlock) -> bool:
    if not is_inside(narrow.cidr, wide.cidr):
        return False
    outside = [one for one in wide.excepts if one.version == narrow.cidr.version and one.overlaps(narrow.cidr)]
    return all(any(is_inside(one, other) for other in narrow.excepts) for one in outside)


def rule_covers(wide: Rule, narrow: Rule, namespace: str) -> bool:
    """Say whether a rule allows all that another one allows, in policies of one namespace with the same pods.

    Several items that only together have all of another one do not count.
    """
    if wide.peers:
        if not narrow.peers:
            return False
        if not all(any(peer_covers(one, other, namespace) for one in wide.peers) for other in narrow.peers):
            return False
    return ports_cover(wide.ports, narrow.ports)
