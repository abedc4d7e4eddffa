"""From what was seen of a probe to a verdict. Pure: a table of evidence, read from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.cluster.flows import Flow
from netlab.objects.types import Address
from netlab.verdicts import Measured


@dataclass(frozen=True, slots=True)
class BackendMeasurement:
    """What packets say about one of the backends of a flow's destination; ``pod`` is "" where no machine has it."""

    pod: str
    address: Address
    port: int | None
    verdict: Measured


@dataclass(frozen=True, slots=True)
class Measurement:
    """What packets say about a flow, and why; ``backends`` where its destination stands for several."""

    flow: Flow
    verdict: Measured
    reason: str
    backends: tuple[BackendMeasurement, ...] = ()


@dataclass(slots=True)
class Evidence:
    """What was seen of one probe and of the control that was sent after it on the same path.

    ``refused``: the source's own kernel would not send it, and why. ``arrived``: the destination's kernel took it in
    for local delivery. ``answered``: what came back to the source from the destination's port. ``rejected``: what came
    back from elsewhere. ``elsewhere``: another backend of the destination took it. ``control``: the control arrived.
    ``no_path``: why the wiring has no way for the pair; ``ends_alive``: both its ends proved to carry traffic all the
    same. ``trouble``: why something may have been lost.
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
        return "deny", seen.refused
    if seen.arrived and seen.answered:
        return "allow", f"arrived and answered: {seen.answered}"
    if seen.trouble:
        return "inconclusive", seen.trouble
    if seen.elsewhere:
        return "inconclusive", f"{seen.elsewhere} took the packet"
    if seen.arrived:
        came = f", only {seen.rejected}" if seen.rejected else ""
        return "inconclusive", f"arrived, but no answer came back{came}"
    if seen.answered or (seen.rejected and seen.control):
        return "deny", f"rejected on the way: {seen.answered or seen.rejected}"
    if seen.control:
        return "deny", "never arrived; a control packet sent after it did"
    if seen.no_path and seen.ends_alive:
        return "deny", f"no path: {seen.no_path}"
    if seen.no_path:
        return "inconclusive", f"nothing arrived; no path is wired, but its ends did not prove alive: {seen.no_path}"
    return "inconclusive", "control lost: neither the probe nor a control packet sent after it arrived"
