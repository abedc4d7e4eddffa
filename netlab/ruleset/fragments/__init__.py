"""The fragments of rulesets: each has a file here and a line in ``FRAGMENTS``."""

from __future__ import annotations

from netlab.ruleset.fragment import Fragment
from netlab.ruleset.fragments import (
    antispoof,
    apartness,
    control,
    host_ports,
    masquerade,
    policy,
    sctp,
    services,
    tunnels,
)

FRAGMENTS: tuple[Fragment, ...] = (
    policy.FRAGMENT,
    apartness.FRAGMENT,
    control.FRAGMENT,
    host_ports.FRAGMENT,
    masquerade.FRAGMENT,
    services.FRAGMENT,
    antispoof.BRIDGED,
    antispoof.ROUTED,
    tunnels.FRAGMENT,
    sctp.FRAGMENT,
)
"""All fragments, in the order of their tables, sets and chains in the text, and of rules with one place in a chain."""
