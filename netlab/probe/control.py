"""The control: a packet that follows a probe on the same path, and that no policy may stop.

A probe that does not arrive was denied, or was lost. The control says which. It goes from the same source to the same
destination, and a lab's rules let it through in every case. It is a packet of IP protocol 253 (RFC 3692, for
experiments), of which NetworkPolicy says nothing. Where it arrives, the path forwards, so the probe was denied.

A control follows within its probe's burst, some milliseconds later, wherever the probe was not answered. So a matrix
that is mostly allowed costs one packet for each question, one that is mostly denied two, and no denied probe waits.

Where the wiring has no way between two ends, the control does not arrive either, and only the plan of the wiring can
say that it was not lost. The plan is asked for nothing else. A control that arrives all the same counts as any other,
and without one both ends have to prove that they carry traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from netlab.cluster.paths import path
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.probe.questions import End, Question
from netlab.probe.schedule import PER_RECEIVER
from netlab.probe.shared import Shared
from netlab.probe.sockets import NamespaceSockets
from netlab.probe.templates import CONTROL
from netlab.probe.verdicts import Evidence


def send(shared: Shared, source: End, destination: End) -> int | None:
    """Send a control from one end to another; return its id, None where the source's kernel refused it."""
    ident = shared.idents()
    packet = shared.template(CONTROL, source.family).pack(source.wire, destination.wire, 0, 0, ident)
    return ident if source.sockets.senders[source.family].send(packet, destination.wire.text) == 0 else None


def peer(cluster: Cluster, endpoint: Endpoint, family: int) -> Endpoint | None:
    """Return an endpoint that the wiring joins with this one in both directions; None where there is none.

    Controls between the two prove that the endpoint carries traffic. A pod's own node reaches its pods, and they reach
    it, whatever the policies say. The peer of a machine on the underlay is any other machine there. So it is for a pod
    on the underlay, which its own node does not reach; its peer may also be another pod of its network, as no policy is
    enforced there.
    """
    past_the_node = isinstance(endpoint, Pod) and endpoint.traits.attachment.on_underlay
    if isinstance(endpoint, Pod) and not endpoint.host_network and not past_the_node:
        own = cluster.node(endpoint.node)
        return own if _has(own, family) else None
    machine = cluster.node(endpoint.node) if isinstance(endpoint, Pod) else endpoint
    others: tuple[Endpoint, ...] = (*cluster.nodes, *cluster.hosts)
    found = next((m for m in others if m.ref != machine.ref and _has(m, family)), None)
    if found is not None or not isinstance(endpoint, Pod) or not past_the_node:
        return found
    pods = (p for p in cluster.pods if p.network == endpoint.network)
    return next((p for p in pods if p.ref != endpoint.ref and _has(p, family)), None)


def peer_end(shared: Shared, end: End) -> End | None:
    """Return the peer of an end, as an end."""
    other = peer(shared.cluster, end.endpoint, end.family)
    found = None if other is None else shared.questions.end(other, end.family)
    return found if isinstance(found, End) else None


class Controls:
    """The controls of one attempt: which are sent, and which did not arrive yet."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        # By id: where a control should arrive, and the evidence that it is of.
        self._missing: dict[int, tuple[NamespaceSockets, list[Evidence]]] = {}
        # Those of pairs without a wired way: they count if they arrive, and are not waited for.
        self._unawaited: dict[int, tuple[NamespaceSockets, list[Evidence]]] = {}

    @property
    def missing(self) -> bool:
        """Whether a control is waited for."""
        return bool(self._missing)

    def follow(self, burst: Iterable[Question]) -> None:
        """Send one control for each pair of the burst that has a probe which was not answered."""
        pairs: dict[tuple[int, ...], list[Question]] = {}
        for question in burst:
            seen = question.evidence
            if not (seen.arrived and seen.answered):
                ends = (id(question.source), id(question.destination), id(question.front))
                pairs.setdefault(ends, []).append(question)
        for questions in pairs.values():
            source, target = questions[0].source, questions[0].target
            way = path(self._shared.cluster, source.endpoint, target.endpoint, source.family)
            if questions[0].front is None:
                self._send(source, target, [q.evidence for q in questions], awaited=way.connected)
            else:
                self._follow_by_hops(questions, awaited=way.connected)
            if way.connected:
                continue
            for question in questions:
                if not (question.evidence.arrived or question.evidence.refused):
                    question.evidence.no_path = way.reason

    def _follow_by_hops(self, questions: Sequence[Question], *, awaited: bool) -> None:
        """Send controls to the node that publishes a port, and from there to the pod, as no control is translated."""
        for question in questions:
            question.hop_evidence = tuple(Evidence(control=a.sockets is b.sockets) for a, b in question.hops)
            for (one, other), seen in zip(question.hops, question.hop_evidence, strict=True):
                if not seen.control:
                    self._send(one, other, [seen], awaited=awaited)

    def prove_ends(self, questions: Iterable[Question]) -> Iterator[None]:
        """Send controls between each end and its peer, from the source and to the destination, some at a time.

        After each part it yields, so that what arrived is read. ``judge_ends`` then says what was found.
        """
        self._outward: dict[End, Evidence] = {}
        self._inward: dict[End, Evidence] = {}
        pairs: list[tuple[End, End, Evidence]] = []
        for question in questions:
            for end, proofs in ((question.source, self._outward), (question.destination, self._inward)):
                if end in proofs:
                    continue
                proof = proofs[end] = Evidence()
                other = peer_end(self._shared, end)
                if other is not None:
                    pairs.append((end, other, proof) if proofs is self._outward else (other, end, proof))
        self._shared.sockets.open()
        waiting = iter(pairs)
        while part := list(islice(waiting, PER_RECEIVER)):
            for source, destination, proof in part:
                self._send(source, destination, [proof])
            yield

    def judge_ends(self, questions: Iterable[Question]) -> None:
        """Say of each question whether both its ends proved to carry traffic."""
        for question in questions:
            both = self._outward[question.source], self._inward[question.destination]
            question.evidence.ends_alive = all(proof.control for proof in both)

    def arrived(self, ident: int, sockets: NamespaceSockets) -> None:
        """Take note of a control that arrived in a namespace."""
        known = self._missing if ident in self._missing else self._unawaited
        end, evidence = known.get(ident, (None, []))
        if sockets is end:
            del known[ident]
            for seen in evidence:
                seen.control = True

    def _send(self, source: End, destination: End, evidence: list[Evidence], *, awaited: bool = True) -> None:
        ident = send(self._shared, source, destination)
        if ident is not None:
            known = self._missing if awaited else self._unawaited
            known[ident] = (destination.sockets, evidence)


def _has(endpoint: Endpoint, family: int) -> bool:
    return any(address.version == family for address in endpoint.addresses)
