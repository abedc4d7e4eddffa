"""The word of a Service's port: one mark that says how a node treats packets to one of its addresses.

A rule reads it by the packet's address, protocol and port. The low bits are the number of the list of endpoints. A
node has two lists for a port: the endpoints for all traffic, and, with ``LOCAL_LIST``, its own endpoints only.
"""

from __future__ import annotations

from netlab.frozen import frozen
from netlab.objects.topology import TopologyPolicy

NUMBER_BITS = 23
NUMBER = (1 << NUMBER_BITS) - 1
"""The number of a Service's port."""

LOCAL_LIST = 1 << NUMBER_BITS
"""The list of the node's own endpoints, for a traffic policy Local."""

LIST = NUMBER | LOCAL_LIST
MASQUERADE = 0x01000000
"""The packet gets the node's address as its source."""

LOCAL_FROM_OUTSIDE = 0x02000000
"""externalTrafficPolicy Local: sources outside of the pod networks reach the node's own endpoints, unmasqueraded."""

AFFINITY = 0x04000000
"""sessionAffinity ClientIP."""

SOURCE_RANGES = 0x08000000
"""loadBalancerSourceRanges: packets of other sources are dropped."""

REJECTED = 0x40000000
"""No endpoint: the packet is rejected."""

ID = 0x80000000
"""In the place of an index: the rest is the number of an endpoint, which does not change while others come and go."""


@frozen
class Registers:
    """The marks that rules for Services use, as policy uses one of them in chain ``forward``.

    ``carried`` keeps the word from DNAT to masquerade. ``scratch`` holds numbers between two statements; policy
    overwrites it.
    """

    carried: str
    scratch: str

    @classmethod
    def of(cls, settings: TopologyPolicy) -> Registers:
        """Return the registers that suit policy's use of marks (``ruleset.side_expressions``)."""
        return cls("ct mark", "meta mark") if settings.established == "reevaluate" else cls("meta mark", "ct mark")
