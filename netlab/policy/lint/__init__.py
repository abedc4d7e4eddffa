"""``netlab lint``: rules about policy sets, each a file in ``rules/`` and a line in ``RULES``.

A rule that repeats a warning of ``netlab check`` takes it from there (``rule.warned``), so each check is written once.
"""

from __future__ import annotations

from importlib import import_module

from netlab.policy.lint.rule import Rule

RULES: tuple[str, ...] = (
    "invalid_input",
    "selects_nothing",
    "no_pods_in_namespace",
    "almost_selects",
    "label_on_workload",
    "host_network_in_vain",
    "peer_matches_nothing",
    "and_or_slip",
    "null_means_all",
    "rules_without_type",
    "unknown_labels",
    "unknown_port_name",
    "port_means_nothing",
    "rule_name_is_boolean",
    "rule_never_reached",
    "equal_priorities",
    "service_port",
    "udp_without_protocol",
    "service_address",
    "block_covers_pods",
    "block_matches_nothing",
    "except_excludes_nothing",
    "strict_cidr",
    "dns_cut",
    "rule_subsumed",
    "no_effect",
    "undoes_default_deny",
    "could_be_one",
    "half_connection",
    "no_default_deny",
    "pod_without_policy",
    "open_to_world",
    "metadata_reachable",
    "one_family_only",
    "profile_ignores_policy",
    "unread_policy",
    "kind_not_read",
    "input_incomplete",
    "defined_twice",
    "duplicate_field",
    "deprecated_api",
    "field_without_effect",
    "assumed_by_netlab",
    "workload_without_pods",
    "service_without_endpoints",
    "ingress_broken",
    "ignores_unknown_rule",
)
"""The modules of ``rules/`` in the order of ``--list``. A module's name is the rule's id, with ``_`` for ``-``."""


def ids() -> tuple[str, ...]:
    """Return the id of every rule."""
    return tuple(name.replace("_", "-") for name in RULES)


def all_rules() -> tuple[Rule, ...]:
    """Return every rule."""
    return tuple(import_module(f"{__name__}.rules.{name}").RULE for name in RULES)
