"""The policies of a cluster as a CNI reads them that reads some of their fields differently, or not at all.

These settings of ``spec.policy`` take effect where a CNI reads objects, before it judges packets: ``namedPorts``
(``refuse-policy``), ``selectors``, ``endPort`` and ``isolation``. So evaluator and ruleset both use these policies.
Each follows all other settings on its own.

Sources: Weave Net, npc/analysis.go; Romana 2.0, listener/policytranslator.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from netlab.cluster.policies_in_force import DEFAULT_DENY
from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.changed_policies import ChangedPolicy, changed_policy, changed_rule
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.meta import BETA_ISOLATION
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta, Namespace

SEGMENT_LABEL = "romana.io/segment"
TENANT_LABEL = "namespace"
"""Romana's default for the label of a tenant (listener/listener.go). A tenant is a namespace, so the value names it."""

REFUSED, SEGMENT, FIRST_ONLY, ANNOTATED = (
    "namedPorts: refuse-policy",
    "selectors: segment-label",
    "endPort: first-only",
    "isolation: annotated-namespaces",
)

# The API server refuses annotations of more than 256 KiB. The value has 40 characters.
_LONGEST = 4096

_INGRESS: frozenset[Direction] = frozenset(("ingress",))


@frozen
class PolicyWithoutEffect:
    """A policy that has no effect in some directions: ``why`` as text, and the ``setting`` that says so."""

    policy: NetworkPolicy
    directions: frozenset[Direction]
    why: str
    setting: str


@frozen
class PolicyReading:
    """The policies that have an effect, sorted by namespace and name, and those without one."""

    policies: tuple[NetworkPolicy, ...]
    without_effect: tuple[PolicyWithoutEffect, ...] = ()


def policy_reading(cluster: Cluster) -> PolicyReading:
    """Return a cluster's policies as its settings read them; the default settings read them as they are written."""
    found: PolicyReading | None = cluster.memo.get("cluster.policy_reading")
    if found is None:
        found = cluster.memo["cluster.policy_reading"] = _read(cluster)
    return found


def isolates_by_annotation(namespace: Namespace) -> bool:
    """Say whether a namespace has the annotation of the old beta API that isolates its pods for ingress.

    Raises:
      ValueError: if the annotation is not what the beta API defines.
    """
    text = namespace.meta.annotations.get(BETA_ISOLATION)
    if text is None:
        return False
    if len(text) > _LONGEST:
        raise ValueError(f"has more than {_LONGEST} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    for field in ("ingress", "isolation"):
        if not isinstance(found, dict):
            raise ValueError('must be {"ingress": {"isolation": "DefaultDeny"}}')  # noqa: TRY004  # the value is text
        found = found.get(field)
        if found is None:
            return False
    return bool(found == DEFAULT_DENY)


def isolated_by_annotation(spaces: Sequence[Namespace]) -> tuple[frozenset[str], list[Problem]]:
    """Return the namespaces that an annotation isolates, and warnings about annotations that are not read."""
    found: set[str] = set()
    problems: list[Problem] = []
    for space in spaces:
        try:
            if isolates_by_annotation(space):
                found.add(space.meta.name)
        except ValueError as error:
            path = f"metadata.annotations.{BETA_ISOLATION}"
            message = f"{error}: the namespace is not isolated ({ANNOTATED})"
            name, line = f"Namespace {space.meta.name}", space.source.line(path)
            problems.append(Problem(space.source.file, line, path, name, message, "warning", "beta-annotation"))
    return frozenset(found), problems


def _read(cluster: Cluster) -> PolicyReading:
    settings, policies = cluster.policy, cluster.policies
    without_effect: list[PolicyWithoutEffect] = []
    if settings.named_ports == "refuse-policy":
        refused = [policy for policy in policies if any(map(_named_ports, _rules(policy)))]
        why = "is refused, as it has a named port"
        without_effect += [PolicyWithoutEffect(policy, policy.policy_types, why, REFUSED) for policy in refused]
        policies = tuple(policy for policy in policies if not any(policy is one for one in refused))
    if settings.selectors == "segment-label":
        policies = _each(policies, _by_segment)
    if settings.end_port == "first-only":
        policies = _each(policies, lambda policy: _with_rules(policy, _first_only))
    if settings.isolation == "annotated-namespaces":
        policies = _annotated(cluster, policies, without_effect)
    return PolicyReading(policies, tuple(without_effect))


def _each(
    policies: tuple[NetworkPolicy, ...], change: Callable[[NetworkPolicy], NetworkPolicy]
) -> tuple[NetworkPolicy, ...]:
    return tuple(change(policy) for policy in policies)


def _rules(policy: NetworkPolicy) -> Iterator[Rule]:
    yield from policy.rules("ingress")
    yield from policy.rules("egress")


def _named_ports(rule: Rule) -> bool:
    return any(isinstance(item.port, str) for item in rule.ports)


def _with_rules(policy: NetworkPolicy, change: Callable[[Rule], Rule]) -> NetworkPolicy:
    """Return the policy with changed rules, the same object if no rule changes."""
    ingress, egress = tuple(map(change, policy.ingress)), tuple(map(change, policy.egress))
    if ingress == policy.ingress and egress == policy.egress:
        return policy
    return changed_policy(policy, ingress=ingress, egress=egress)


# --- endPort ----------------------------------------------------------------------------------------------------------


def _first_only(rule: Rule) -> Rule:
    if all(item.end_port is None for item in rule.ports):
        return rule
    ports = tuple(replace(item, end_port=None) for item in rule.ports)
    return changed_rule(rule, FIRST_ONLY, ports=ports)


# --- selectors --------------------------------------------------------------------------------------------------------


def _by_segment(policy: NetworkPolicy) -> NetworkPolicy:
    found = _with_rules(policy, _rule_by_segment)
    selector = _segment(policy.pod_selector)
    return found if selector == policy.pod_selector else changed_policy(found, SEGMENT, pod_selector=selector)


def _segment(selector: LabelSelector) -> LabelSelector:
    return LabelSelector(tuple(label for label in selector.match_labels if label[0] == SEGMENT_LABEL))


def _rule_by_segment(rule: Rule) -> Rule:
    peers = tuple(_peer_by_segment(peer) for peer in rule.peers)
    # A name becomes port 0, to which no packet goes.
    ports = tuple(PolicyPort(p.protocol, 0) if isinstance(p.port, str) else p for p in rule.ports)
    if (peers, ports) == (rule.peers, rule.ports):
        return rule
    return changed_rule(rule, SEGMENT, peers=peers, ports=ports)


def _peer_by_segment(peer: Peer) -> Peer:
    """Return a peer with its labels of segment and tenant only; without them it is the policy's own namespace."""
    pods = _segment(peer.pod_selector) if peer.pod_selector is not None else None
    labels = peer.namespace_selector.match_labels if peer.namespace_selector is not None else ()
    tenant = next((value for key, value in labels if key == TENANT_LABEL), "")
    return Peer(pods, LabelSelector(((NAMESPACE_LABEL, tenant),)) if tenant else None)


# --- isolation --------------------------------------------------------------------------------------------------------


def _annotated(
    cluster: Cluster, policies: tuple[NetworkPolicy, ...], without_effect: list[PolicyWithoutEffect]
) -> tuple[NetworkPolicy, ...]:
    found: list[NetworkPolicy] = []
    for policy in policies:
        if policy.meta.namespace not in cluster.isolated_namespaces:
            why = f"has no effect, as no annotation isolates namespace {policy.meta.namespace}"
            without_effect.append(PolicyWithoutEffect(policy, policy.policy_types, why, ANNOTATED))
            continue
        if policy.isolates("egress"):
            why = "has no effect on egress, as annotations isolate for ingress only"
            without_effect.append(PolicyWithoutEffect(policy, frozenset(("egress",)), why, ANNOTATED))
        found.append(_ingress_only(policy))
    found += (
        ChangedPolicy(Meta(DEFAULT_DENY, name), LabelSelector(), _INGRESS, settings=(ANNOTATED,))
        for name in cluster.isolated_namespaces
    )
    return tuple(sorted(found, key=lambda policy: (policy.meta.namespace, policy.meta.name)))


def _ingress_only(policy: NetworkPolicy) -> NetworkPolicy:
    if not policy.isolates("egress"):
        return policy
    return changed_policy(policy, policy_types=policy.policy_types - {"egress"})
