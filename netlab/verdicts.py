"""Verdicts: what the Kubernetes documentation expects of a flow (expected), and what packets show (measured).

``allow`` and ``deny`` are certain. ``some``: the destination has several backends, and their verdicts differ.
``unknown``: a policy that netlab does not read may change the expected verdict. ``inconclusive``: packets show neither.
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
    """Return the verdict of a destination from the verdicts of its backends; ``deny`` if it has none.

    It is ``some`` if one is ``some``, or if one is ``allow`` and one is ``deny``. Else it is the one that is not
    certain if there is one.
    """
    found = set(verdicts)
    if not found:
        return "deny"
    if "some" in found or {"allow", "deny"} <= found:
        return "some"
    return next((v for v in found if v not in ("allow", "deny")), next(iter(found)))
