"""Whether one part of a rule allows all that another one allows: ports, and ranges of addresses."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.objects.policies import IPBlock, PolicyPort
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
