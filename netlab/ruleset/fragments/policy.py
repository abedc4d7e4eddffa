"""NetworkPolicy and the other tiers: identities of addresses, classes of pods, and what each class allows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set

from netlab.ruleset import policy_chains, tiers
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.fragment import NETLAB, ElementUpdater, Fragment, Layout, Stores
from netlab.ruleset.policy_elements import PolicyElements
from netlab.ruleset.tables import Parts
from netlab.ruleset.tier_chains import tier_sets


class _NoElements:
    """An ``ElementUpdater`` for a lab that enforces nothing."""

    def update(self, _: ClusterChange) -> bool:
        return True

    def notes(self, _: str) -> Mapping[str, tuple[str, ...]]:
        return {}


def _updater(layout: Layout, stores: Stores) -> ElementUpdater:
    return _NoElements() if layout.policy.enforcement != "all" else PolicyElements(layout, stores)


def _variant(layout: Layout, filled: Set[str]) -> Hashable:
    """Return the names of the tiers that have a class for some pod; None if nothing enforces policies."""
    if layout.policy.enforcement != "all":
        return None
    ways = [f"{way}{f}" for way in ("in", "eg") for f in layout.families]
    return tuple(tier.name for tier in tiers.TIERS if any(f"{tier.prefix}_{way}" in filled for way in ways))


def _declare(layout: Layout, names: Hashable) -> Parts:
    used = [tier for tier in tiers.TIERS if isinstance(names, tuple) and tier.name in names]
    return Parts(
        (
            *policy_chains.sets(layout.families, layout.policy),
            *(s for tier in used for s in tier_sets(tier, layout.families)),
        ),
        tuple(policy_chains.chains(layout.families, layout.policy, used, layout.node_ports)),
    )


FRAGMENT = Fragment("policy", NETLAB, _declare, _variant, updater=_updater)
