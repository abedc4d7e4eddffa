"""``netlab lint``: rules about policy sets, each a file in ``rules/`` and a line in ``RULES``.

A rule that repeats a warning of ``netlab check`` takes it from there (``rule.warned``), so each check is written once.
"""

from __future__ import annotations

from importlib import import_module

from netlab.policy.lint.rule import Rule

RULES: tuple[str, ...] = (
    "invalid_input",
    "selects_nothing",
    "peer_matches_nothing",
    "rules_without_type",
    "unknown_port_name",
    "service_port",
    "and_or_slip",
)
"""The modules of ``rules/`` in the order of ``--list``. A module's name is the rule's id, with ``_`` for ``-``."""


def ids() -> tuple[str, ...]:
    """Return the id of every rule."""
    return tuple(name.replace("_", "-") for name in RULES)


def all_rules() -> tuple[Rule, ...]:
    """Return every rule."""
    return tuple(import_module(f"{__name__}.rules.{name}").RULE for name in RULES)
