"""Verdicts: what the documentation expects of a flow, and what packets say of it.

``allow`` and ``deny`` are certain. ``some``: the destination stands for several backends, and their verdicts differ.
``unknown``: a policy that netlab does not read could change what is expected. ``inconclusive``: packets do not tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar, get_args

Certain = Literal["allow", "deny"]
Expected = Literal["allow", "deny", "some", "unknown"]
Measured = Literal["allow", "deny", "some", "inconclusive"]
Verdict = Expected | Measured
Action = Literal["allow", "deny", "pass"]
"""What a rule of a policy does with what it matches; ``pass`` leaves the decision to the next tier.

``allow`` is ``Allow`` of AdminNetworkPolicy and ``Accept`` of ClusterNetworkPolicy.
"""

EXPECTED: tuple[Expected, ...] = get_args(Expected)
MEASURED: tuple[Measured, ...] = get_args(Measured)

_V = TypeVar("_V", Expected, Measured)


def joined(verdicts: Iterable[_V]) -> _V:
    """Return the verdict of a destination from those of its backends; of none at all it is ``deny``.

    An ``allow`` and a ``deny`` make ``some``, whatever the others are. Else one that is not certain makes all of it so.
    """
    found = set(verdicts)
    if not found:
        return "deny"
    if "some" in found or {"allow", "deny"} <= found:
        return "some"
    return next((v for v in found if v not in ("allow", "deny")), next(iter(found)))
