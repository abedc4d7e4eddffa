"""Whether a selector, peer, block or rule matches all that another one matches, whatever labels pods have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from netlab.objects.policies import IPBlock, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Prefix
from netlab.policy.label_sets import labels_of
from netlab.policy.pod_peers import peers_of
from netlab.policy.port_sets import PortSet, ports_of


def ports_cover(wide: Sequence[PolicyPort], narrow: Sequence[PolicyPort]) -> bool:
    """Say whether the ``ports`` of a rule match every port that those of another match; no items match every port.

    A name covers itself only, as pods may give it any number.
    """
    return not wide or wide == narrow or not _ports(tuple(narrow)) - _ports(tuple(wide))


@lru_cache(maxsize=4096)
def _ports(items: tuple[PolicyPort, ...]) -> PortSet:
    return ports_of(items)


def is_inside(narrow: Prefix, wide: Prefix) -> bool:
    """Say whether all addresses of a range are in another one."""
    return narrow.version == wide.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


def block_covers(block: IPBlock, prefix: Prefix) -> bool:
    """Say whether an ipBlock matches every address of a range."""
    if not is_inside(prefix, block.cidr):
        return False
    return not any(one.version == prefix.version and one.overlaps(prefix) for one in block.excepts)


# --- selectors ------------------------------------------------------------------------------------------------------


def selects_all(selector: LabelSelector) -> bool:
    """Say whether a selector matches every map of labels."""
    return labels_of(selector).everything


def selector_covers(wide: LabelSelector, narrow: LabelSelector) -> bool:
    """Say whether a selector matches all labels that another one matches."""
    return wide == narrow or labels_of(narrow).within(labels_of(wide))


# --- peers and rules ------------------------------------------------------------------------------------------------


def peer_covers(wide: Peer, narrow: Peer, namespace: str) -> bool:
    """Say whether an item of ``from`` or ``to`` matches all that another one matches, in policies of one namespace.

    Blocks and selectors are never compared with each other.
    """
    if wide == narrow:
        return True
    if wide.ip_block is not None or narrow.ip_block is not None:
        return wide.ip_block is not None and narrow.ip_block is not None and _has_block(wide.ip_block, narrow.ip_block)
    return peers_of(narrow, namespace).within(peers_of(wide, namespace))


def _has_block(wide: IPBlock, narrow: IPBlock) -> bool:
    if not is_inside(narrow.cidr, wide.cidr):
        return False
    outside = [one for one in wide.excepts if one.version == narrow.cidr.version and one.overlaps(narrow.cidr)]
    return all(any(is_inside(one, other) for other in narrow.excepts) for one in outside)


def rule_covers(wide: Rule, narrow: Rule, namespace: str) -> bool:
    """Say whether a rule allows all that another one allows, in policies of one namespace with the same pods.

    Items are compared one by one: several items that only together match all of another one do not count.
    """
    if wide.peers:
        if not narrow.peers:
            return False
        if not all(any(peer_covers(one, other, namespace) for one in wide.peers) for other in narrow.peers):
            return False
    return ports_cover(wide.ports, narrow.ports)
