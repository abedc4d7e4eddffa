"""Unknown labels that cluster-wide policies read, for the section "Not known" of an explanation.

A rule after one that surely decides cannot change a decision, whatever the labels are.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster, Pod
from netlab.objects.cluster_policies import PodsPeer
from netlab.policy.decision import Decision, Side
from netlab.policy.isolating import isolating
from netlab.policy.tiers.cluster_policy import TIERS, in_order, is_subject, peer_matches, port_matches, rule_text
from netlab.policy.unknown_labels import may_match, not_stated, unknown_of_namespace, unknown_of_pod


def caveats_of_tiers(cluster: Cluster, decision: Decision, side: Side) -> Iterator[str]:
    """Yield a line for each rule that unknown labels of the subject or the other end could make match, or not match."""
    other, address, flow = decision.view(side)
    if address is None:
        return
    pod = other if isinstance(other, Pod) else None
    for tier in TIERS:
        if tier == "Baseline" and isolating(cluster, side.subject, side.direction):
            return
        decided = ""
        for policy in in_order(cluster, tier):
            of_subject = _unknown(cluster, policy.subject, side.subject)
            if not of_subject and not is_subject(cluster, policy, side.subject):
                continue
            for rule in policy.rules(side.direction):
                if not port_matches(rule, flow.protocol, flow.port, flow.destination):
                    continue
                texts = {n: _unknown(cluster, peer.pods, pod) for n, peer in enumerate(rule.peers)}
                unsure = next(filter(None, texts.values()), "")
                sure = any(
                    not texts[n] and peer_matches(cluster, peer, other, address) for n, peer in enumerate(rule.peers)
                )
                if not sure and not unsure:
                    continue
                if of_subject:
                    yield f"whether {rule_text(policy, rule)} applies to {side.subject.ref}: {of_subject}"
                elif not sure and pod is not None:
                    yield f"whether {rule_text(policy, rule)} matches {pod.ref}: {unsure}"
                else:
                    decided = rule.action
                    break
            if decided:
                break
        if decided and decided != "pass":
            return


def _unknown(cluster: Cluster, peer: PodsPeer | None, pod: Pod | None) -> str:
    """Return, as text, the unknown labels that decide whether a subject or a peer has a pod; "" if none does."""
    if peer is None or pod is None or not pod.selectable or not may_match(peer.pods, pod):
        return ""
    if keys := unknown_of_namespace(cluster, peer.namespaces, pod.namespace):
        return (
            f"it reads {', '.join(keys)} of namespace {pod.namespace}, which is not in the input; netlab assumes that"
            " it has no such label"
        )
    keys = unknown_of_pod(peer.pods, pod)
    if not keys or (peer.namespaces is not None and not peer.namespaces.matches(cluster.namespaces[pod.namespace])):
        return ""
    return not_stated(keys)
