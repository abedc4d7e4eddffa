"""NetworkPolicy and the other tiers: identities of addresses, classes of pods, and what each class allows."""

from __future__ import annotations

from collections.abc import Hashable, Set

from netlab.ruleset import policy_chains, tiers
from netlab.ruleset.fragment import NETLAB, Fragment, Layout
from netlab.ruleset.policy_elements import PolicyElements
from netlab.ruleset.tables import Parts
from netlab.ruleset.tier_chains import tier_sets


def _variant(layout: Layout, filled: Set[str]) -> Hashable:
    """Return the names of the tiers that have a class for some pod; NetworkPolicy is always there."""
    ways = [f"{way}{f}" for way in ("in", "eg") for f in layout.families]
    return tuple(tier.name for tier in tiers.TIERS if any(f"{tier.prefix}_{way}" in filled for way in ways))


def _declare(layout: Layout, names: Hashable) -> Parts:
    used = [tier for tier in tiers.TIERS if isinstance(names, tuple) and tier.name in names]
    return Parts(
        (
            *policy_chains.sets(layout.families, layout.policy),
            *(s for tier in used for s in tier_sets(tier, layout.families)),
        ),
        tuple(policy_chains.chains(layout.families, layout.policy, used)),
    )


FRAGMENT = Fragment("policy", NETLAB, _declare, _variant, updater=PolicyElements)
