"""Measured against expected, in one line that helps to see which of the two is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.policy import Decision

if TYPE_CHECKING:
    from netlab.probe import Measurement


def reason_of(decision: Decision, measurement: Measurement) -> str:
    """Return why a verdict is as it is: what decided where both agree, else what was seen and what should have been.

    Where both agree but no control could arrive on the flow's path, that is said too.
    """
    if measurement.verdict == "inconclusive":
        return measurement.reason
    if measurement.verdict == decision.verdict:
        if not measurement.without_control:
            return decision.reason
        known = decision.reason in measurement.reason
        return measurement.reason if known else f"{measurement.reason}; {decision.reason}"
    return f"{measurement.reason}; by the policies it is {decision.verdict}: {decision.reason}"
