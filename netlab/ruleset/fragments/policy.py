"""NetworkPolicy: identities of addresses, classes of pods, and what each class allows."""

from __future__ import annotations

from collections.abc import Hashable

from netlab.ruleset import policy_chains
from netlab.ruleset.fragment import NETLAB, Fragment, Layout
from netlab.ruleset.policy_elements import PolicyElements
from netlab.ruleset.tables import Parts


def _declare(layout: Layout, _: Hashable) -> Parts:
    return Parts(
        tuple(policy_chains.sets(layout.families)), tuple(policy_chains.chains(layout.families, layout.policy))
    )


FRAGMENT = Fragment("policy", NETLAB, _declare, follower=PolicyElements)
