"""The evaluator and the ruleset have the same tiers, each in a list of its own."""

from __future__ import annotations

from typing import get_args

from netlab.policy import tiers as evaluated
from netlab.policy.decision import DEFAULT, NETWORK_POLICY
from netlab.ruleset import tiers as compiled
from netlab.verdicts import Action


def test_both_lists_have_the_same_names_in_the_same_order() -> None:
    """NetworkPolicy and the default have no entry in the ruleset's list: its chains always hold them."""
    before, after = (
        [one.name for one in compiled.TIERS if one.before_network_policy is wanted] for wanted in (True, False)
    )

    assert [one.name for one in evaluated.TIERS] == [*before, NETWORK_POLICY, *after, DEFAULT]


def test_the_ruleset_has_a_number_for_every_action() -> None:
    """Both use the actions of ``netlab.verdicts``."""
    assert get_args(Action) == tuple(compiled.ACTION_NUMBERS)
    assert 3 == len(set(compiled.ACTION_NUMBERS.values()))
