"""The verdict that follows from what was seen of a probe: a pure function, a table read from top to bottom.

A ``deny`` means that a packet was sent and that a control arrived on its path. A packet that arrived is denied only if
its destination answers past the node that translated it: the answer came from another address, which no program takes
for an answer, or it was dropped, and a control on its way arrived. Two classes are exceptions, and their reasons begin
with their names. NOT_SENT: no packet can be sent, as an end has no address of the family, no machine has
the address, or the source's own kernel refuses it. NO_PATH: neither the probe nor its control arrived, no path is wired
between the two ends, and controls between each end and its partner arrived. Where an end has no partner, its kernel
delivers a control that it sends to itself, and shows its address on a link that is up; the reason then says so.
"""

from __future__ import annotations

from netlab.cluster.flows import Flow
from netlab.frozen import frozen, mutable
from netlab.objects.types import Address
from netlab.verdicts import Measured


@frozen
class BackendMeasurement:
    """The measurement of one backend of a flow's destination; ``pod`` is "" where no machine has the address."""

    pod: str
    address: Address
    port: int | None
    verdict: Measured


NOT_SENT, NO_PATH = "not sent", "no path"
NEVER_ARRIVED = "never arrived; a control packet sent after it did"


@frozen
class Measurement:
    """What packets say about a flow, and why; ``backends`` has those of a destination with several."""

    flow: Flow
    verdict: Measured
    reason: str
    backends: tuple[BackendMeasurement, ...] = ()

    @property
    def without_control(self) -> bool:
        """Whether no control can arrive on the flow's own path."""
        return self.reason.startswith((f"{NOT_SENT}:", f"{NO_PATH}:"))


@mutable
class Evidence:
    """What was seen of one probe, and of the control that followed it on the same path.

    Attributes:
      refused: why the source's own kernel did not send the probe.
      arrived: whether the destination's kernel delivered it locally.
      answered: what came back to the source from the destination's port.
      rejected: what came back from elsewhere.
      elsewhere: the other backend of the destination that received it.
      control: whether the control arrived.
      no_path: why no path is wired for the pair.
      ends_alive: whether controls between each end and its partner arrived.
      alone: the ends that have no partner, so that only their own kernels show that they are alive.
      trouble: why a packet may have been lost.
      wrong_sender: the answer that came from another address than the one that the probe was sent to.
      past_node: why the destination's answer does not pass the node that translated the probe, once a control on the
        way of the answer arrived.
    """

    refused: str = ""
    arrived: bool = False
    answered: str = ""
    rejected: str = ""
    elsewhere: str = ""
    control: bool = False
    no_path: str = ""
    ends_alive: bool = False
    alone: str = ""
    trouble: str = ""
    wrong_sender: str = ""
    past_node: str = ""


def verdict(seen: Evidence) -> tuple[Measured, str]:
    """Return the verdict and its reason; a missing packet counts only where no packet can have been lost."""
    if seen.refused:
        return "deny", f"{NOT_SENT}: {seen.refused}"
    if seen.arrived and seen.answered:
        return "allow", f"arrived and answered: {seen.answered}"
    if seen.trouble:
        return "inconclusive", seen.trouble
    if seen.elsewhere:
        return "inconclusive", f"{seen.elsewhere} took the packet"
    if seen.arrived and seen.wrong_sender and seen.control:
        # No program takes it for the answer to its connection.
        return "deny", f"arrived, but the answer came from another address: {seen.wrong_sender}"
    if seen.arrived and seen.past_node and seen.control:
        return "deny", f"arrived, but no answer came back: {seen.past_node}; a control packet on that way did"
    came = seen.answered or seen.rejected or seen.wrong_sender
    if seen.arrived:
        return "inconclusive", f"arrived, but no answer came back{f', only {came}' if came else ''}"
    if seen.control:
        return "deny", f"rejected on the way: {came}" if came else NEVER_ARRIVED
    if seen.no_path and seen.ends_alive:
        alone = f" (proven alive by the own kernel only: {seen.alone})" if seen.alone else ""
        return "deny", f"{NO_PATH}: {seen.no_path}{alone}"
    if seen.no_path:
        return "inconclusive", f"nothing arrived; no path is wired, but its ends did not prove alive: {seen.no_path}"
    only = f", only {came}" if came else ""
    return "inconclusive", f"control lost: neither the probe nor a control packet sent after it arrived{only}"
