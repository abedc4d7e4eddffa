"""The control probe is not tracked: it leaves no conntrack entry, and policy lets it pass as ``untracked``."""

from __future__ import annotations

from collections.abc import Hashable

from netlab.ruleset.fragment import NETLAB, Fragment, Layout
from netlab.ruleset.tables import Chain, Hook, Parts

CONTROL_PROTOCOL = 253
"""The IP protocol of netlab's control probe: set aside for experiments (RFC 3692), in no NetworkPolicy's reach."""


def _declare(_: Layout, __: Hashable) -> Parts:
    notrack = f'meta l4proto {CONTROL_PROTOCOL} notrack comment "control probe: proves the path, not the policy"'
    return Parts(
        chains=(
            Chain("control_prerouting", (notrack,), Hook("filter", "prerouting", "raw")),
            Chain("control_output", (notrack,), Hook("filter", "output", "raw")),
        )
    )


FRAGMENT = Fragment("control", NETLAB, _declare)
