"""The reason of a comparison: one line that helps to see which verdict is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.policy.decision import Decision

if TYPE_CHECKING:
    from netlab.probe import Measurement


def reason_of(decision: Decision, measurement: Measurement) -> str:
    """Return the reason of a row: the decision if both verdicts agree, else the observation and the decision.

    If both agree on a ``deny`` without a control that arrived, the reason says so.
    """
    if measurement.verdict == "inconclusive":
        return measurement.reason
    if measurement.verdict == decision.verdict:
        if not measurement.without_control:
            return decision.reason
        known = decision.reason in measurement.reason
        return measurement.reason if known else f"{measurement.reason}; {decision.reason}"
    return f"{measurement.reason}; by the policies it is {decision.verdict}: {decision.reason}"
