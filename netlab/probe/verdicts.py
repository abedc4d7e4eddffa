"""From what was seen of a probe to a verdict. Pure: a table of evidence, read from top to bottom.

For a ``deny`` a packet was sent, and a control on its path arrived, but for two classes, whose reasons begin with their
names. NOT_SENT: no packet can be sent, as an end has no address of the family, no machine has the address, or the
source's own kernel refuses it. NO_PATH: neither the probe nor its control arrived, no way is wired between the two
ends, and controls between each end and its peer did arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netlab.cluster.flows import Flow

Verdict = Literal["allow", "deny", "inconclusive"]

NOT_SENT, NO_PATH = "not sent", "no path"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What packets say about a flow, and why."""

    flow: Flow
    verdict: Verdict
    reason: str

    @property
    def without_control(self) -> bool:
        """Whether the verdict is of a class in which no control can arrive on the flow's own path."""
        return self.reason.startswith((f"{NOT_SENT}:", f"{NO_PATH}:"))


@dataclass(slots=True)
class Evidence:
    """What was seen of one probe, and of the control that was sent after it on the same path.

    ``refused``: the source's own kernel would not send it, and why. ``arrived``: the destination's kernel took it in
    for local delivery. ``answered``: what came back to the source from the destination's port. ``rejected``: what came
    back from elsewhere. ``control``: the control arrived. ``no_path``: why the wiring has no way for the pair;
    ``ends_alive``: controls between each end and its peer arrived. ``trouble``: why something may have been lost.
    """

    refused: str = ""
    arrived: bool = False
    answered: str = ""
    rejected: str = ""
    control: bool = False
    no_path: str = ""
    ends_alive: bool = False
    trouble: str = ""


def verdict(seen: Evidence) -> tuple[Verdict, str]:
    """Return the verdict and its reason; what is missing counts only where nothing can have been lost."""
    if seen.refused:
        return "deny", f"{NOT_SENT}: {seen.refused}"
    if seen.arrived and seen.answered:
        return "allow", f"arrived and answered: {seen.answered}"
    if seen.trouble:
        return "inconclusive", seen.trouble
    came = seen.answered or seen.rejected
    if seen.arrived:
        return "inconclusive", f"arrived, but no answer came back{f', only {came}' if came else ''}"
    if seen.control:
        return "deny", f"rejected on the way: {came}" if came else "never arrived; a control packet sent after it did"
    if seen.no_path and seen.ends_alive:
        return "deny", f"{NO_PATH}: {seen.no_path}"
    if seen.no_path:
        return "inconclusive", f"nothing arrived; no path is wired, but its ends did not prove alive: {seen.no_path}"
    only = f", only {came}" if came else ""
    return "inconclusive", f"control lost: neither the probe nor a control packet sent after it arrived{only}"
