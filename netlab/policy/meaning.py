"""Policies as the settings of ``spec.policy`` mean them, for the evaluator; the defaults change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.policies_in_force import policies_in_force, policies_without_effect, reads_plainly
from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Direction

_PLURAL = {"has": "have", "is": "are"}


def is_plain(settings: TopologyPolicy) -> bool:
    """Say whether the settings leave the rules as they are after ``cluster.policies_in_force``."""
    return settings.named_ports in ("resolve", "refuse-policy") and settings.except_ == "per-peer"


def policies_meant(cluster: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return the policies that have an effect, as the settings mean them."""
    if is_plain(cluster.policy):
        return policies_in_force(cluster)
    found: tuple[NetworkPolicy, ...] | None = cluster.memo.get("policy.meant_policies")
    if found is None:
        # Imported here, as most clusters have the defaults.
        from netlab.policy.rewritten import rewritten

        found = tuple(rewritten(cluster, policy) for policy in policies_in_force(cluster))
        cluster.memo["policy.meant_policies"] = found
    return found


def policies_read(cluster: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return every policy whose fields verdicts and reasons depend on: as meant, and as written."""
    meant = policies_meant(cluster)
    if meant is cluster.policies:
        return meant
    return (*meant, *cluster.policies)


def is_changed(rule: Rule) -> bool:
    """Say whether settings changed a rule: it is then a ``ChangedRule``."""
    return type(rule) is not Rule


def settings_of(rule: Rule) -> str:
    """Return the settings that changed a rule, as the suffix of a reason."""
    from netlab.objects.changed_policies import ChangedRule, settings_text

    return settings_text(rule.settings) if isinstance(rule, ChangedRule) else ""


def selection_text(cluster: Cluster, policies: Sequence[NetworkPolicy], pod: Pod) -> str:
    """Return, as the suffix of a reason, the settings without which none of these policies would isolate a pod."""
    if reads_plainly(cluster.policy):
        return ""
    from netlab.objects.changed_policies import ChangedPolicy, settings_text

    found: list[str] = []
    for policy in policies:
        if not isinstance(policy, ChangedPolicy) or not policy.settings:
            return ""
        if policy.written is not None and policy.written.pod_selector.matches(pod.labels):
            return ""
        found += policy.settings
    return settings_text(found)


def without_effect(cluster: Cluster, pod: Pod, direction: Direction) -> str:
    """Return, as text, the policies that would isolate a pod if a setting did not leave them without effect."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in policies_without_effect(cluster):
        policy = one.policy
        here = direction in one.directions and policy.meta.namespace == pod.namespace and pod.selectable
        if here and policy.pod_selector.matches(pod.labels):
            alike.setdefault((one.why, one.setting), []).append(policy.meta.key)
    return " and ".join(f"{_named(keys, why)} ({setting})" for (why, setting), keys in alike.items())


def _named(keys: Sequence[str], why: str) -> str:
    if len(keys) == 1:
        return f"NetworkPolicy {keys[0]} {why}"
    verb, _, rest = why.partition(" ")
    return f"NetworkPolicies {', '.join(keys)} {_PLURAL.get(verb, verb)} {rest}"
