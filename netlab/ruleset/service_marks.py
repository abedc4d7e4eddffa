"""The mark of a Service's port: how a node handles packets to one of the Service's frontends.

A rule looks it up by the packet's address, protocol and port. The low bits say which list of endpoints applies. A port
has one list of all endpoints that the node uses, and with ``LOCAL_LIST`` a second one of the node's own endpoints.
"""

from __future__ import annotations

from netlab.frozen import frozen
from netlab.objects.topology import TopologyPolicy

NUMBER_BITS = 23
NUMBER = (1 << NUMBER_BITS) - 1
"""The number of a Service's port."""

LOCAL_LIST = 1 << NUMBER_BITS
"""The list of the node's own endpoints, for traffic policy Local."""

LIST = NUMBER | LOCAL_LIST
MASQUERADE = 0x01000000
"""The node masquerades the packet."""

LOCAL_FROM_OUTSIDE = 0x02000000
"""externalTrafficPolicy Local: outside sources reach the node's own endpoints and are not masqueraded."""

AFFINITY = 0x04000000
"""sessionAffinity ClientIP."""

SOURCE_RANGES = 0x08000000
"""loadBalancerSourceRanges: packets from other sources are dropped."""

REJECTED = 0x40000000
"""No endpoint: the packet is rejected."""

ENDPOINT_ID = 0x80000000
"""In place of an index: the other bits are the endpoint's number, which stays when other endpoints come and go."""


@frozen
class Registers:
    """Which of ``meta mark`` and ``ct mark`` the rules of Services use, as policy uses one in chain ``forward``.

    ``carried`` keeps the Service's mark from DNAT to masquerade. ``scratch`` holds numbers between two statements, and
    policy overwrites it.
    """

    carried: str
    scratch: str

    @classmethod
    def of(cls, settings: TopologyPolicy) -> Registers:
        """Return the registers for the settings of policy; ``ruleset.side_expressions`` has those of policy."""
        return cls("ct mark", "meta mark") if settings.established == "reevaluate" else cls("meta mark", "ct mark")
