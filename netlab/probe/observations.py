"""What a packet that came back to a source, or the kernel's refusal to send, says about a probe."""

from __future__ import annotations

import errno
import os
from typing import Literal

from netlab.probe.decode import PORT_UNREACHABLE, Observation, written

# The fields of ``Evidence`` that what came back belongs to.
Field = Literal["answered", "rejected", "wrong_sender"]

# The kinds of packets by which netlab replies in the name of a silent program.
REPLIES = {"UDP": "UDP reply", "SCTP": "SCTP reply"}
IN_ITS_NAME = "a reply in the name of a silent program"

_REFUSALS = {
    errno.ENETUNREACH: "no route from source",
    errno.EHOSTUNREACH: "no route from source",
    errno.EACCES: "a route of the source prohibits it",
    errno.EPERM: "rules in the source's own network namespace refused it",
}


def refusal(number: int) -> tuple[Literal["refused", "trouble"], str]:
    """Return the field of ``Evidence`` that the kernel's refusal to send belongs to, and its words."""
    if number in _REFUSALS:
        return "refused", f"{_REFUSALS[number]} ({os.strerror(number)})"
    return "trouble", f"the probe could not be sent: {os.strerror(number)}"


def came_back(seen: Observation, protocol: str, sent_to: bytes) -> tuple[Field, str]:
    """Return the field of ``Evidence`` that a packet belongs to that came back to the source, and its words.

    Args:
      seen: an answer or an ICMP error that has the id of the probe.
      protocol: the protocol of the probe.
      sent_to: the packed address that it was sent to.
    """
    if seen.kind == "answer":
        return ("answered", seen.words) if seen.peer in (b"", sent_to) else ("wrong_sender", _from(seen))
    # The destination's own answer for a closed UDP port.
    if protocol == "UDP" and seen.words in PORT_UNREACHABLE and seen.peer == sent_to:
        return "answered", seen.words
    return "rejected", _from(seen)


def _from(seen: Observation) -> str:
    return f"{seen.words} from {written(seen.peer)}"
