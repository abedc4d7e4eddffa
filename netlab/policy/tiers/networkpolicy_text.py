"""NetworkPolicy's part of an explanation: the policies and rules, and what would change the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.controllers import JOB_NAMES, KEYS, POD_NAME, known_labels
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import NetworkPolicy
from netlab.policy.almost import almost_selecting
from netlab.policy.decision import Decision, Side
from netlab.policy.reasons import labels_text, named, where
from netlab.policy.tiers.networkpolicy import misses

_MOST_NEAR = 5


def lines(cluster: Cluster, decision: Decision, side: Side) -> list[str]:
    """Return the policies that isolate a pod, with the rules that allow, or why each rule does not match."""
    other, address, flow = decision.view(side)
    missed = misses(cluster, side.direction, side.subject, other, address, flow) if address is not None else ()
    found: list[str] = []
    for policy in side.isolating:
        found.append(f"{named(policy)}{where(policy)} isolates it")
        found += [f"  {match.place} allows it" for match in side.allowing if match.policy is policy]
        for miss in () if side.allowing else missed:
            if miss.policy is policy:
                rule = f"{miss.rule.path}{where(policy, miss.rule)} does not match: " if miss.rule else "it "
                found.append(f"  {rule}{miss.why}")
    return found


def unselected(cluster: Cluster, side: Side) -> list[str]:
    """Return lines about the policies that almost select the side's pod."""
    return [f"{named(p)}{where(p)} almost selects it: {why}" for p, why in _near(cluster, side)]


def _near(cluster: Cluster, side: Side) -> Iterator[tuple[NetworkPolicy, str]]:
    return islice(almost_selecting(cluster, side.subject, side.direction), _MOST_NEAR)


def to_allow(decision: Decision, side: Side) -> list[str]:
    """Return the rule that would allow the flow, and the policies whose removal would."""
    other, address, flow = decision.view(side)
    isolating = "the policy that isolates it" if len(side.isolating) == 1 else "all policies that isolate it"
    ports = "with no ports listed" if flow.port is None else f"ports: {flow.port}/{flow.protocol}"
    return [
        f"add a rule under spec.{side.direction} of any policy that selects {side.subject.ref}, with",
        f"  {'to' if side.direction == 'egress' else 'from'}: {_peer_for(side.subject, other, str(address))}",
        *_wider_than_meant(other),
        f"  {ports}",
        f"or remove {isolating}: {named(*side.isolating)}",
    ]


def _peer_for(subject: Pod, other: Endpoint | None, address: str) -> str:
    """Return the narrowest peer that a user would write for an endpoint."""
    if not isinstance(other, Pod) or not other.selectable:
        return f"ipBlock {address}/{128 if ':' in address else 32}"
    pods = f"podSelector {labels_text(_lasting(other)) or '{}'}"
    if other.namespace == subject.namespace:
        return pods
    return f"namespaceSelector {NAMESPACE_LABEL}={other.namespace} and, in the same item, {pods}"


def _wider_than_meant(other: Endpoint | None) -> list[str]:
    """Return a line for a pod without labels of its own: the proposed peer matches all pods of its namespace."""
    if not isinstance(other, Pod) or not other.selectable or _lasting(other):
        return []
    return [
        f"  which opens it to every pod of namespace {other.namespace}: {other.ref} has no label to tell it from them;"
        " give it one"
    ]


def _lasting(pod: Pod) -> dict[str, str]:
    """Return the labels by which a user would select a pod: its own, or else those that controllers set and keep."""
    own = {key: value for key, value in pod.labels.items() if key not in KEYS}
    named = {key: value for key, value in known_labels(pod.labels).items() if key in (POD_NAME, JOB_NAMES[0])}
    return own or named


def to_deny(decision: Decision, side: Side) -> list[str]:
    """Return the rules whose removal would deny the flow."""
    # Another item of the same rule may match too, so the whole rule must go.
    rules = (f"{m.rule.path}{where(m.policy, m.rule)} of {named(m.policy)}" for m in side.allowing)
    return [f"remove {' and '.join(dict.fromkeys(rules))}"]
