"""Labels that selectors read and the input does not have: of namespaces outside the input, and those of controllers.

netlab assumes that such a namespace has only the label of its name, and gives labels of controllers a value that no
selector has. If another value could change what a selector matches, warnings and ``explain`` say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.controllers import CHANGING, KEYS, is_known, may_be
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS
from netlab.policy.matched_pods import namespaces_matched, pods_by_namespace
from netlab.policy.matching import peer_mismatch_text, ports_mismatch_text
from netlab.policy.meaning import policies_meant
from netlab.policy.problems import some, warning
from netlab.policy.reasons import named, where

if TYPE_CHECKING:
    from netlab.objects.cluster_policies import ClusterPolicy
    from netlab.policy.decision import Decision, Side

_FEW = 5


def unknown_of_namespace(cluster: Cluster, selector: LabelSelector | None, namespace: str) -> tuple[str, ...]:
    """Return the keys of a namespace's unknown labels that decide whether a selector matches the namespace."""
    if selector is None or namespace not in cluster.undeclared:
        return ()
    keys = _keys(selector)
    keys.pop(NAMESPACE_LABEL, None)
    own = LabelSelector(
        tuple((key, value) for key, value in selector.match_labels if key == NAMESPACE_LABEL),
        tuple(one for one in selector.match_expressions if one.key == NAMESPACE_LABEL),
    )
    return tuple(keys) if own.matches(cluster.namespaces[namespace]) else ()


def unknown_of_pod(selector: LabelSelector | None, pod: Pod) -> tuple[str, ...]:
    """Return the keys of a pod's labels with unknown values that decide whether a selector matches the pod."""
    if selector is None:
        return ()
    found: dict[str, None] = {}
    for key, value in selector.match_labels:
        have = pod.labels.get(key)
        if have is None or is_known(key, have):
            if have != value:
                return ()
        elif may_be(have, value):
            found[key] = None
        else:
            return ()
    for one in selector.match_expressions:
        have = pod.labels.get(one.key, "")
        reads_value = one.operator in ("In", "NotIn")
        if reads_value and not is_known(one.key, have) and any(may_be(have, value) for value in one.values):
            found[one.key] = None
        elif not one.matches(pod.labels):
            return ()
    return tuple(found)


def may_match(selector: LabelSelector | None, pod: Pod) -> bool:
    """Say whether a selector matches a pod, or may match it by labels with unknown values."""
    return selector is None or selector.matches(pod.labels) or bool(unknown_of_pod(selector, pod))


def _keys(selector: LabelSelector) -> dict[str, None]:
    """Return the keys of the labels that a selector reads, as an ordered set."""
    keys = [key for key, _ in selector.match_labels] + [one.key for one in selector.match_expressions]
    return dict.fromkeys(keys)


# --- warnings -------------------------------------------------------------------------------------------------------


def unknown_namespace_labels(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn once of a policy that reads labels of namespaces outside the input."""
    if not cluster.undeclared:
        return
    reading = [
        (path, one)
        for path, one in _peers(policy)
        if one.namespace_selector and namespaces_with_unknown_labels(cluster, one)
    ]
    if reading:
        # Many policies have equal peers, and each peer may match all namespaces.
        known: dict[tuple[Peer, ...], str] = cluster.memo.setdefault("policy.unknown.messages", {})
        peers = tuple(one for _, one in reading)
        if peers not in known:
            known[peers] = namespaces_text(cluster, peers)
        yield warning(policy, f"{reading[0][0]}.namespaceSelector", known[peers], "unknown-namespace-labels", "all")


def namespaces_text(cluster: Cluster, peers: Sequence[Peer]) -> str:
    """Return the message about peers that read labels of namespaces outside the input."""
    found = [namespaces_with_unknown_labels(cluster, peer) for peer in peers]
    names = sorted({name for one in found for name in one})
    keys = list(dict.fromkeys(key for one in found for unknown in one.values() for key in unknown))
    several = len(names) > 1
    labels = f"label{'s' if len(keys) > 1 else ''} {', '.join(keys)}"
    absent = f"namespaces {some(names)} are not" if several else f"namespace {names[0]} is not"
    have, do = ("they have", "they do") if several else ("it has", "it does")
    command = f"kubectl get namespaces {' '.join(names) if len(names) <= _FEW else ''}".rstrip()
    return (
        f"{absent} in the input, so netlab does not know whether {have} the {labels}; netlab assumes that {do} not; "
        f"add the output of: {command} -o yaml"
    )


def namespaces_with_unknown_labels(cluster: Cluster, peer: Peer) -> dict[str, tuple[str, ...]]:
    """Return the namespaces of pods that a peer may match, each with the keys of the unknown labels that decide."""
    known: dict[Peer, dict[str, tuple[str, ...]]] = cluster.memo.setdefault("policy.unknown_labels", {})
    found = known.get(peer)
    if found is None:
        pods = pods_by_namespace(cluster)
        found = known[peer] = {
            name: keys
            for name in sorted(cluster.undeclared)
            if (keys := unknown_of_namespace(cluster, peer.namespace_selector, name))
            and any(pod.selectable and may_match(peer.pod_selector, pod) for pod in pods.get(name, ()))
        }
    return found


def unknown_controller_labels(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of every selector that reads the value of a label that a controller sets to an unknown value."""
    selectors: list[tuple[str, LabelSelector | None, Peer | None]] = [("spec.podSelector", policy.pod_selector, None)]
    selectors += [(f"{path}.podSelector", peer.pod_selector, peer) for path, peer in _peers(policy)]
    for path, selector, peer in selectors:
        if selector is None or not _values_read(selector):
            continue
        spaces = (policy.meta.namespace,) if peer is None else namespaces_matched(cluster, policy, peer)
        yield from controller_labels_read(cluster, policy, path, selector, spaces)


def controller_labels_read(
    cluster: Cluster, policy: NetworkPolicy | ClusterPolicy, path: str, selector: LabelSelector, spaces: Sequence[str]
) -> Iterator[Problem]:
    """Warn of a selector of pods in some namespaces that reads values that controllers set."""
    pods = pods_by_namespace(cluster)
    values = _values_read(selector)
    undecided = {
        pod.ref: keys
        for name in (spaces if values else ())
        for pod in pods.get(name, ())
        if pod.selectable and (keys := unknown_of_pod(selector, pod))
    }
    for key in values:
        refs = [ref for ref, keys in undecided.items() if key in keys]
        if refs:
            message = f" to a value that no manifest has; the selector may match {some(refs)} or not"
        elif key in CHANGING:
            message = ", and the value changes with every change of the template or the object"
        else:
            continue
        yield warning(policy, path, f"a controller sets {key}{message}", "unknown-controller-labels", "all")


def _values_read(selector: LabelSelector) -> list[str]:
    """Return the keys of controllers' labels whose values a selector reads."""
    keys = [key for key, _ in selector.match_labels]
    keys += [one.key for one in selector.match_expressions if one.operator in ("In", "NotIn")]
    return [key for key in dict.fromkeys(keys) if key in KEYS]


def _peers(policy: NetworkPolicy) -> Iterator[tuple[str, Peer]]:
    for direction in DIRECTIONS:
        for rule in policy.rules(direction):
            for number, peer in enumerate(rule.peers):
                yield f"{rule.path}.{'from' if direction == 'ingress' else 'to'}[{number}]", peer


# --- explanations ---------------------------------------------------------------------------------------------------


def caveats(cluster: Cluster, decision: Decision) -> list[str]:
    """Return a line for each unknown label that could change a decision."""
    found: list[str] = []
    for side in decision.sides:
        if cluster.cluster_policies:
            from netlab.policy.unknown_by_tiers import caveats_of_tiers

            of_tiers = [*caveats_of_tiers(cluster, decision, side)]
            found += of_tiers
            if side.ruling.tier == "Admin" and not of_tiers:
                continue
        found += _of_subject(cluster, side)
        unknown = dict(_of_rules(cluster, decision, side))
        allowing = [id(match.rule) for match in side.allowing]
        # If some rule allows whatever the labels are, the side allows, as no rule of NetworkPolicy denies.
        if all(rule in unknown for rule in allowing):
            found += [unknown[rule] for rule in allowing or unknown]
    return list(dict.fromkeys(found))


def _of_subject(cluster: Cluster, side: Side) -> Iterator[str]:
    for policy in policies_meant(cluster):
        if policy.meta.namespace == side.subject.namespace and policy.isolates(side.direction):
            keys = unknown_of_pod(policy.pod_selector, side.subject)
            if keys:
                yield f"whether {named(policy)}{where(policy)} selects {side.subject.ref}: {not_stated(keys)}"


def _of_rules(cluster: Cluster, decision: Decision, side: Side) -> Iterator[tuple[int, str]]:
    """Yield the identity of each rule of a side whose match depends on unknown labels, with a line about these."""
    other, address, flow = decision.view(side)
    if not isinstance(other, Pod) or not other.selectable or address is None:
        return
    for policy in side.isolating:
        for rule in policy.rules(side.direction):
            if ports_mismatch_text(rule, flow.destination, flow.protocol, flow.port):
                continue
            texts = {peer: text for peer in rule.peers if (text := _of_peer(cluster, policy, peer, other))}
            known = [peer for peer in rule.peers if peer not in texts]
            if texts and all(peer_mismatch_text(cluster, policy, peer, other, address) for peer in known):
                text = next(iter(texts.values()))
                yield id(rule), f"whether {named(policy)} {rule.path}{where(policy, rule)} matches {text}"


def _of_peer(cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: Pod) -> str:
    if peer.ip_block is not None or not may_match(peer.pod_selector, other):
        return ""
    keys = unknown_of_namespace(cluster, peer.namespace_selector, other.namespace)
    if keys:
        return (
            f"{other.ref}: it reads {', '.join(keys)} of namespace {other.namespace}, which is not in the input; netlab"
            " assumes that it has no such label"
        )
    keys = unknown_of_pod(peer.pod_selector, other)
    if not keys or other.namespace not in namespaces_matched(cluster, policy, peer):
        return ""
    return f"{other.ref}: {not_stated(keys)}"


def may_match_by_unknown_labels(cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: Pod) -> bool:
    """Say whether unknown labels decide whether a peer matches a pod."""
    return bool(_of_peer(cluster, policy, peer, other))


def not_stated(keys: Sequence[str]) -> str:
    return f"a controller sets {', '.join(keys)}, to a value that no manifest states"
