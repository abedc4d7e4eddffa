"""From what was seen of a probe to a verdict. Pure: a table of evidence, read from top to bottom.

For a ``deny`` a packet was sent, and a control on its path arrived, but for two classes, whose reasons begin with their
names. NOT_SENT: no packet can be sent, as an end has no address of the family, no machine has the address, or the
source's own kernel refuses it. NO_PATH: neither the probe nor its control arrived, no way is wired between the two
ends, and controls between each end and its peer did arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

from netlab.cluster.flows import Flow
from netlab.frozen import frozen
from netlab.objects.types import Address
from netlab.verdicts import Measured


@frozen
class BackendMeasurement:
    """What packets say about one of the backends of a flow's destination; ``pod`` is "" where no machine has it."""

    pod: str
    address: Address
    port: int | None
    verdict: Measured


NOT_SENT, NO_PATH = "not sent", "no path"


@frozen
class Measurement:
    """What packets say about a flow, and why; ``backends`` where its destination stands for several."""

    flow: Flow
    verdict: Measured
    reason: str
    backends: tuple[BackendMeasurement, ...] = ()

    @property
    def without_control(self) -> bool:
        """Whether the verdict is of a class in which no control can arrive on the flow's own path."""
        return self.reason.startswith((f"{NOT_SENT}:", f"{NO_PATH}:"))


@dataclass(slots=True)
class Evidence:
    """What was seen of one probe, and of the control that was sent after it on the same path.

    ``refused``: the source's own kernel would not send it, and why. ``arrived``: the destination's kernel took it in
    for local delivery. ``answered``: what came back to the source from the destination's port. ``rejected``: what came
    back from elsewhere. ``elsewhere``: another backend of the destination took it. ``control``: the control arrived.
    ``no_path``: why the wiring has no way for the pair; ``ends_alive``: controls between each end and its peer arrived.
    ``trouble``: why something may have been lost.
    """

    refused: str = ""
    arrived: bool = False
    answered: str = ""
    rejected: str = ""
    elsewhere: str = ""
    control: bool = False
    no_path: str = ""
    ends_alive: bool = False
    trouble: str = ""


def verdict(seen: Evidence) -> tuple[Measured, str]:
    """Return the verdict and its reason; what is missing counts only where nothing can have been lost."""
    if seen.refused:
        return "deny", f"{NOT_SENT}: {seen.refused}"
    if seen.arrived and seen.answered:
        return "allow", f"arrived and answered: {seen.answered}"
    if seen.trouble:
        return "inconclusive", seen.trouble
    if seen.elsewhere:
        return "inconclusive", f"{seen.elsewhere} took the packet"
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
