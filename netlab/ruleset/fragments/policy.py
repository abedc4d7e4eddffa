"""NetworkPolicy and the other tiers: identities of addresses, classes of pods, and what each class allows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set

from netlab.ruleset import policy_chains
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.fragment import NETLAB, ElementUpdater, Fragment, Layout, Stores
from netlab.ruleset.policy_elements import PolicyElements
from netlab.ruleset.tables import Parts
from netlab.ruleset.tier_chains import CLASSES, tier_sets


class _NoElements:
    """An ``ElementUpdater`` for a lab that enforces nothing."""

    def update(self, _: ClusterChange) -> bool:
        return True

    def notes(self, _: str) -> Mapping[str, tuple[str, ...]]:
        return {}


def _updater(layout: Layout, stores: Stores) -> ElementUpdater:
    return _NoElements() if layout.policy.enforcement != "all" else PolicyElements(layout, stores)


def _variant(layout: Layout, filled: Set[str]) -> Hashable:
    """Say whether some pod has a class of tiers; None if nothing enforces policies."""
    return CLASSES in filled if layout.policy.enforcement == "all" else None


def _declare(layout: Layout, tiers: Hashable) -> Parts:
    return Parts(
        (*policy_chains.sets(layout.families, layout.policy), *(tier_sets(layout.families) if tiers else ())),
        tuple(policy_chains.chains(layout.families, layout.policy, bool(tiers), layout.node_ports)),
    )


FRAGMENT = Fragment("policy", NETLAB, _declare, _variant, updater=_updater)
