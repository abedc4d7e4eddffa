"""Drops all SCTP of pods, before policy: ``sctp: drop`` of ``spec.policy``."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Set

from netlab.ruleset import elements
from netlab.ruleset.elements import Element
from netlab.ruleset.fragment import FORWARD, NETLAB, Entry, Fragment, Layout, ip
from netlab.ruleset.fragments.masquerade import parts_without
from netlab.ruleset.tables import Chain, Hook, Parts

_PLACE = 50
"""Before all other rules of chain ``forward``."""


def _variant(layout: Layout, _: Set[str]) -> Hashable:
    return () if layout.policy.sctp == "drop" else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    about = "pod networks whose SCTP is dropped"
    sets = [elements.Set(f"no_sctp{f}", (f"ipv{f}_addr",), interval=True, about=about) for f in layout.families]

    def rules(*sides: str, before: str = "") -> tuple[str, ...]:
        return tuple(
            f"{before}meta l4proto sctp {ip(f)} {side} @no_sctp{f} counter drop"
            for f in layout.families
            for side in sides
        )

    # A node has addresses in the ranges of pods too, and sends to them by its loopback interface. After DNAT of a
    # node's own packet "oifname" is still "lo", so the output hook asks for the address.
    to_itself = "fib daddr type local return"
    return Parts(
        sets,
        (
            Chain("forward", rules("saddr", "daddr"), FORWARD, place=_PLACE),
            Chain("sctp_input", rules("saddr", before='iifname != "lo" '), Hook("filter", "input", "filter")),
            Chain("sctp_output", (to_itself, *rules("daddr")), Hook("filter", "output", "filter")),
        ),
    )


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for network in layout.networks if layout.policy.sctp == "drop" else ():
        for cidr in network.pod_cidrs if network.traits.attachment.enforced else ():
            nodes = [a for node in layout.nodes for a in node.addresses if a.version == cidr.version and a in cidr]
            for part in parts_without(cidr, nodes):
                yield Entry(f"no_sctp{cidr.version}", (part,), Element(comment=network.name))


FRAGMENT = Fragment("sctp", NETLAB, _declare, _variant, everywhere=_everywhere)
