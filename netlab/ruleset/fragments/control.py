"""Turns conntrack off for the control probe: it leaves no conntrack entry, and policy accepts ``untracked`` packets."""

from __future__ import annotations

from collections.abc import Hashable

from netlab.ruleset.fragment import NETLAB, Fragment, Layout
from netlab.ruleset.tables import Chain, Hook, Parts

CONTROL_PROTOCOL = 253
"""The IP protocol of the control probe: RFC 3692 reserves it for experiments, and NetworkPolicy does not cover it."""


def _declare(_: Layout, __: Hashable) -> Parts:
    notrack = f'meta l4proto {CONTROL_PROTOCOL} notrack comment "control probe: proves the path, not the policy"'
    return Parts(
        chains=(
            Chain("control_prerouting", (notrack,), Hook("filter", "prerouting", "raw")),
            Chain("control_output", (notrack,), Hook("filter", "output", "raw")),
        )
    )


FRAGMENT = Fragment("control", NETLAB, _declare)
