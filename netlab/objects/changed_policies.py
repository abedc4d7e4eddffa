"""Policies as a CNI means them: copies that settings of ``spec.policy`` changed, which keep what was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy, Rule

_T = TypeVar("_T")


@frozen
class ChangedRule(Rule):
    """A rule as settings mean it; ``written`` is the rule of the input, ``settings`` are those that changed it."""

    written: Rule = Rule()
    settings: tuple[str, ...] = ()


@frozen
class ChangedPolicy(NetworkPolicy):
    """A policy as settings mean it; ``written`` is the policy of the input, ``settings`` changed its podSelector.

    ``written`` is None for a policy that no object of the input states.
    """

    written: NetworkPolicy | None = None
    settings: tuple[str, ...] = ()


def written_rule(rule: Rule) -> Rule:
    """Return the rule as the input has it."""
    return rule.written if isinstance(rule, ChangedRule) else rule


def written_policy(policy: NetworkPolicy) -> NetworkPolicy | None:
    """Return the policy as the input has it, None for a policy that no object of the input states."""
    return policy.written if isinstance(policy, ChangedPolicy) else policy


def changed_rule(rule: Rule, setting: str, **changes: Any) -> ChangedRule:
    """Return a rule with changed fields; ``setting`` is the setting that changes it, as ``NAME: VALUE``."""
    before = rule.settings if isinstance(rule, ChangedRule) else ()
    return ChangedRule(**{**_values(rule, Rule), **changes}, written=written_rule(rule), settings=(*before, setting))


def changed_policy(policy: NetworkPolicy, setting: str = "", **changes: Any) -> ChangedPolicy:
    """Return a policy with changed fields; ``setting`` is the setting that changes its podSelector, if one does."""
    before = policy.settings if isinstance(policy, ChangedPolicy) else ()
    settings = (*before, setting) if setting else before
    return ChangedPolicy(
        **{**_values(policy, NetworkPolicy), **changes}, written=written_policy(policy), settings=settings
    )


def settings_text(settings: Iterable[str]) -> str:
    """Return the suffix of a reason that settings decided: `` (endPort: first-only)``."""
    return "".join(f" ({setting})" for setting in dict.fromkeys(settings))


def _values(value: Any, of: type[Any]) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(of)}
