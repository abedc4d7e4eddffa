"""The control: a packet that follows a probe on the same path, and that no policy stops.

A probe that does not arrive was denied or lost. The control tells the two apart. It goes from the same source to the
same destination, and the rules of every lab accept it. It has IP protocol 253 (RFC 3692, for experiments), and
NetworkPolicy does not cover that protocol. Where the control arrives, the path forwards, so the probe was denied.

A control follows some milliseconds after its probe, within the burst, where the probe was not answered. So an allowed
probe costs one packet, a denied one two, and no denied probe waits.

Where no path is wired between two ends, the control does not arrive either. Then the probe is denied only if both ends
prove by other controls that they carry traffic. The plan of the wiring is used for nothing else. A control that arrives
counts, whatever the plan says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from netlab.cluster.paths import path, why_stopped
from netlab.cluster.types import Cluster, Endpoint, Host, Pod
from netlab.probe import forwarding
from netlab.probe.facts import Question
from netlab.probe.probes import End, Probe
from netlab.probe.schedule import PER_RECEIVER
from netlab.probe.sockets import NamespaceSockets
from netlab.probe.templates import CONTROL
from netlab.probe.verdicts import Evidence
from netlab.probe.worker_state import Shared


def send(shared: Shared, source: End, destination: End, via: End | None = None) -> int | None:
    """Send a control from one end to another; return its id, or None where the source's kernel refuses it.

    With ``via`` it is sent on the route to that end, which must forward it (``netlab.probe.forwarding``).
    """
    ident = shared.idents()
    packet = shared.template(CONTROL, source.family).pack(source.wire, destination.wire, 0, 0, ident)
    return ident if source.sockets.senders[source.family].send(packet, (via or destination).wire.text) == 0 else None


def partner(cluster: Cluster, endpoint: Endpoint, family: int) -> Endpoint | None:
    """Return an endpoint with a wired path from and to this one, None where there is none.

    Controls between the two prove that the endpoint carries traffic. A pod's partner is its node: each reaches the
    other under every policy. The partner of a machine on the underlay is another machine there. A pod on the underlay
    has such a partner too, as its own node does not reach it. Else its partner is another pod of its network, where no
    policy is enforced. A pod that has routes to its network only has a pod of that as partner. The partner of a node
    that is alone on the underlay is a pod of its own whose partner it is. Nothing on a stopped node is or
    has a partner.
    """
    if cluster.stopped_nodes:
        if why_stopped(cluster, endpoint):
            return None
        cluster = _without_stopped(cluster)
    on_underlay = isinstance(endpoint, Pod) and endpoint.traits.attachment.on_underlay
    if isinstance(endpoint, Pod) and endpoint.traits.attachment.reaches == "network":
        near = (p for p in cluster.pods if p.network == endpoint.network and (on_underlay or p.node == endpoint.node))
        return next((p for p in near if p.ref != endpoint.ref and _has(p, family)), None)
    if isinstance(endpoint, Pod) and not endpoint.host_network and not on_underlay:
        own = cluster.node(endpoint.node)
        return own if _has(own, family) else None
    machine = cluster.node(endpoint.node) if isinstance(endpoint, Pod) else endpoint
    others: tuple[Endpoint, ...] = (*cluster.nodes, *cluster.hosts)
    found = next((m for m in others if m.ref != machine.ref and _has(m, family)), None)
    if found is not None:
        return found
    if isinstance(endpoint, Pod) and on_underlay:
        pods = (p for p in cluster.pods if p.network == endpoint.network)
    else:
        local = (p for p in cluster.pods if p.node == machine.name and not isinstance(machine, Host))
        pods = (p for p in local if p.selectable and _meets_node(p))
    return next((p for p in pods if p.ref != endpoint.ref and _has(p, family)), None)


def _without_stopped(cluster: Cluster) -> Cluster:
    """Return the cluster without its stopped nodes and their pods."""
    found: Cluster | None = cluster.memo.get("probe.without_stopped")
    if found is None:
        pods = tuple(pod for pod in cluster.pods if pod.node not in cluster.stopped_nodes)
        found = replace(cluster, nodes=tuple(node for node in cluster.nodes if not node.stopped), pods=pods)
        cluster.memo["probe.without_stopped"] = found
    return found


def _meets_node(pod: Pod) -> bool:
    attachment = pod.traits.attachment
    return not attachment.on_underlay and attachment.reaches != "network"


def partner_end(shared: Shared, end: End) -> End | None:
    """Return the partner of an end, as an end."""
    other = partner(shared.cluster, end.endpoint, end.family)
    found = None if other is None else shared.probes.end(other, end.family)
    return found if isinstance(found, End) else None


class Controls:
    """The controls of one attempt that were sent and did not arrive yet."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        # By id: where a control should arrive, and the evidence that it adds to.
        self._missing: dict[int, tuple[NamespaceSockets, list[Evidence]]] = {}
        # Controls of pairs without a wired path. They count if they arrive, and no attempt waits for them.
        self._unawaited: dict[int, tuple[NamespaceSockets, list[Evidence]]] = {}

    @property
    def missing(self) -> bool:
        """Whether a control is still to come."""
        return bool(self._missing)

    def follow(self, burst: Iterable[Probe]) -> None:
        """Send one control for each pair of ends of the burst that has a probe without an answer."""
        direct: dict[tuple[End, End], list[Evidence]] = {}
        translated: dict[tuple[End, End, End], list[Probe]] = {}
        for probe in burst:
            seen = probe.evidence
            if seen.arrived and seen.answered:
                continue
            if probe.translator is not None:
                translated.setdefault((probe.source, probe.destination, probe.translator), []).append(probe)
                continue
            pair = probe.source, probe.destination
            if pair in direct:
                direct[pair].append(seen)
            else:
                direct[pair] = [seen]
        self._follow_directly(direct)
        for probes in translated.values():
            missing = self._missing_way(probes[0].hops)
            self._follow_by_hops(probes)
            if missing:
                self._note_missing_way([probe.evidence for probe in probes], missing)

    def _follow_directly(self, pairs: Mapping[tuple[End, End], list[Evidence]]) -> None:
        """Send a control from one end of each pair to the other."""
        shared, wired, awaited = self._shared, self._shared.wired, self._missing
        family = 0
        for (pair, evidence), ident in zip(pairs.items(), shared.idents.take(len(pairs)), strict=True):
            source, destination = pair
            if source.family != family:
                family = source.family
                template = shared.template(CONTROL, family)
            missing = ""
            if (source.site, destination.site, family) not in wired:
                missing = self._missing_way((pair,))
            packet, sender = template.pack(source.wire, destination.wire, 0, 0, ident), source.sockets.senders[family]
            try:
                sender.sendto(packet, destination.wire.to)
                failed = 0
            except OSError as error:
                failed = sender.retried(error, packet, destination.wire.text)
            if not failed:
                (self._unawaited if missing else awaited)[ident] = destination.sockets, evidence
            if missing:
                self._note_missing_way(evidence, missing)

    def _missing_way(self, hops: Iterable[tuple[End, End]]) -> str:
        """Return why no path is wired for the hops of a probe, "" where one is: a node may have none to the backend."""
        wired = self._shared.wired
        for source, destination in hops:
            sites = source.site, destination.site, source.family
            if sites not in wired:
                way = path(self._shared.cluster, source.endpoint, destination.endpoint, source.family)
                if not way.connected:
                    return way.reason
                wired.add(sites)
        return ""

    def _note_missing_way(self, evidence: Iterable[Evidence], missing: str) -> None:
        for seen in evidence:
            if not (seen.arrived or seen.refused):
                seen.no_path = missing

    def _follow_by_hops(self, probes: Sequence[Probe]) -> None:
        """Send controls to the node that translates, from it to the backend, and through it, as none is translated."""
        for probe in probes:
            ways = (path(self._shared.cluster, a.endpoint, b.endpoint, a.family) for a, b in probe.hops)
            awaited = all(way.connected for way in ways)
            probe.hop_evidence = tuple(Evidence(control=a.sockets is b.sockets) for a, b in probe.hops)
            for (one, other), seen in zip(probe.hops, probe.hop_evidence, strict=True):
                if not seen.control:
                    self._send(one, other, [seen], awaited=awaited)
            probe.relayed = None
            way = forwarding.relay(self._shared, probe) if forwarding.must_forward(probe) else None
            if way is not None:
                probe.relayed = Evidence()
                self._send(way.sender, probe.destination, [probe.relayed], awaited=awaited, via=way.node)

    def judge_hops(self, probes: Iterable[Probe]) -> None:
        """Note in the evidence of each translated probe whether every hop carries traffic and the node forwards."""
        for probe in probes:
            seen = probe.evidence
            if not probe.hop_evidence:
                continue
            seen.control = all(hop.control for hop in probe.hop_evidence)
            if seen.control and not seen.arrived and (why := self._not_forwarded(probe)):
                seen.control, seen.trouble = False, seen.trouble or why

    def _not_forwarded(self, probe: Probe) -> str:
        """Return why it is not proven that the node forwards a probe, "" where it is proven."""
        if not forwarding.must_forward(probe):
            return ""
        if probe.relayed is None:
            return forwarding.unproven(self._shared, probe)
        node, backend = probe.target.endpoint.ref, probe.destination.endpoint.ref
        return "" if probe.relayed.control else f"control lost: {node} did not forward a control packet to {backend}"

    def prove_ends(self, probes: Iterable[Probe]) -> Iterator[None]:
        """Send controls from each source to its partner, and to each destination from its partner.

        An end without a partner sends one to itself. Its kernel must also show its address on a link that is up. An end
        on a stopped node sends none: its kernel must show that no link that is up has its address.
        Yields after each part, so that the caller reads what arrived. ``judge_ends`` then notes the result.
        """
        self._outward: dict[End, Evidence] = {}
        self._inward: dict[End, Evidence] = {}
        self._alone: set[End] = set()
        pairs: list[tuple[End, End, Evidence]] = []
        for probe in probes:
            for end, proofs in ((probe.source, self._outward), (probe.destination, self._inward)):
                if end in proofs:
                    continue
                proof = proofs[end] = Evidence()
                if why_stopped(self._shared.cluster, end.endpoint):
                    carries = Question("carries", end.sockets.namespace, str(end.address))
                    proof.control = not self._shared.fact(carries)
                    continue
                other = partner_end(self._shared, end)
                if other is None:
                    if not self._shared.fact(Question("carries", end.sockets.namespace, str(end.address))):
                        continue
                    self._alone.add(end)
                    other = end
                pairs.append((end, other, proof) if proofs is self._outward else (other, end, proof))
        self._shared.sockets.open()
        waiting = iter(pairs)
        while part := list(islice(waiting, PER_RECEIVER)):
            for source, destination, proof in part:
                self._send(source, destination, [proof])
            yield

    def judge_ends(self, probes: Iterable[Probe]) -> None:
        """Note in the evidence of each probe whether both its ends carry traffic."""
        for probe in probes:
            both = self._outward[probe.source], self._inward[probe.destination]
            probe.evidence.ends_alive = all(proof.control for proof in both)
            alone = (end.endpoint.ref for end in (probe.source, probe.destination) if end in self._alone)
            probe.evidence.alone = " and ".join(alone)

    def prove_returns(self, probes: Iterable[Probe]) -> None:
        """Send a control from the destination of each probe to its source. ``judge_returns`` then notes the result."""
        self._returns: dict[tuple[End, End], Evidence] = {}
        for probe in probes:
            way = probe.destination, probe.source
            if way not in self._returns:
                self._returns[way] = Evidence()
                self._send(*way, [self._returns[way]])

    def judge_returns(self, probes: Iterable[Probe]) -> None:
        """Note in the evidence of each probe whether a control arrived on the way of its answer."""
        for probe in probes:
            if self._returns[probe.destination, probe.source].control:
                probe.evidence.past_node = probe.past_node

    def arrived(self, ident: int, sockets: NamespaceSockets) -> None:
        """Note a control that arrived in a namespace."""
        known = self._missing if ident in self._missing else self._unawaited
        found = known.get(ident)
        if found is not None and sockets is found[0]:
            del known[ident]
            for seen in found[1]:
                seen.control = True

    def _send(
        self, source: End, destination: End, evidence: list[Evidence], *, awaited: bool = True, via: End | None = None
    ) -> None:
        ident = send(self._shared, source, destination, via)
        if ident is not None:
            known = self._missing if awaited else self._unawaited
            known[ident] = (destination.sockets, evidence)


def _has(endpoint: Endpoint, family: int) -> bool:
    return any(address.version == family for address in endpoint.addresses)
