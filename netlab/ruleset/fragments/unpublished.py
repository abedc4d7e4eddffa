"""Drops packets from elsewhere to a pod's own address (``unpublished: drop``); packets to published ports pass.

Docker does so for a bridge: in ``raw`` for a container's address, and in ``filter`` for what another link brings (moby,
daemon/libnetwork/drivers/bridge, port_mapping_linux.go and setup_ip_tables_linux.go). Here the source address says from
where a packet comes, as a pod sends only from its own addresses. The node itself uses the output hook, and reaches
every port.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet

from netlab.cluster.types import Pod
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import FORWARD, NETLAB, Entry, Fragment, Layout, Place, ip
from netlab.ruleset.tables import Chain, Parts

_PLACE = Place.NEIGHBOURS + 50
"""Before policy and before the rule that accepts established connections. Neighbour discovery passes before it."""


def _variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    return () if layout.policy.unpublished == "drop" else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    """Declare the chain; a control probe is not tracked and has no direction, so no rule matches it."""
    about = "pods of this node: packets from other addresses reach only their published ports"
    sets = [Set(f"inside{f}", (f"ipv{f}_addr",), about=about) for f in layout.families]
    rules = tuple(
        f"ct direction original {ip(f)} daddr @inside{f} {ip(f)} saddr != @inside{f} jump unpublished"
        for f in layout.families
    )
    about = "from elsewhere to a pod's own address; a published port is translated, and so its packets pass"
    return Parts(
        sets,
        (
            Chain("unpublished", ("ct status dnat return", "counter drop"), about=about),
            Chain("forward", rules, FORWARD, place=_PLACE),
        ),
    )


def _of_pod(layout: Layout, pod: Pod) -> Iterator[Entry]:
    if layout.policy.unpublished == "drop" and pod.traits.attachment.published:
        for address in pod.addresses:
            yield Entry(f"inside{address.version}", (address,), Element(comment=listing([pod.ref])))


FRAGMENT = Fragment("unpublished", NETLAB, _declare, _variant, of_pod=_of_pod)
