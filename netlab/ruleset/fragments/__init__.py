"""The fragments that rulesets are made of: a file for each, and its line in ``FRAGMENTS``."""

from __future__ import annotations

from netlab.ruleset.fragment import Fragment
from netlab.ruleset.fragments import antispoof, apartness, control, masquerade, policy, publish, tunnels

FRAGMENTS: tuple[Fragment, ...] = (
    policy.FRAGMENT,
    apartness.FRAGMENT,
    control.FRAGMENT,
    publish.FRAGMENT,
    masquerade.FRAGMENT,
    antispoof.BRIDGED,
    antispoof.ROUTED,
    tunnels.FRAGMENT,
)
"""In the order in which tables, sets and chains stand in the text, and rules that have one place in a chain."""
