"""The packets that flows ask for: from which end to which end each is sent, or why none can be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from netlab.cluster.flows import Flow
from netlab.cluster.node_sources import source_address
from netlab.cluster.paths import path
from netlab.cluster.translate import Backend, Target, target_of, translating_node
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.cluster.unowned import gateway_hint, why_unowned
from netlab.dataplane import names
from netlab.frozen import frozen
from netlab.objects.types import Address
from netlab.probe.decode import Observation
from netlab.probe.service_ports import ServicePorts
from netlab.probe.sockets import NamespaceSockets, Sockets
from netlab.probe.templates import WireAddress
from netlab.probe.verdicts import NOT_SENT, BackendMeasurement, Evidence
from netlab.verdicts import Measured, joined


@dataclass(slots=True, eq=False)
class End:
    """One end of a probe: an endpoint with one of its addresses, and the sockets of its namespace.

    A run has one End for each endpoint and address. ``place`` numbers the pairs of namespace and address from zero.
    Ends with the same place (two pods in their node's namespace) send and receive the same packets. The pods of one
    network on one node have the same ``site``, a number, as the wiring joins them to others in the same way. Any other
    end has a site of its own.
    """

    endpoint: Endpoint
    address: Address
    wire: WireAddress
    sockets: NamespaceSockets
    family: int
    place: int
    site: int


@dataclass(slots=True, eq=False)
class Probe:
    """One packet to send, its evidence so far and, in the end, its verdict.

    Flows that would send the same packet share a probe, as flows from two pods in their node's namespace do.

    Attributes:
      destination: the end that must receive the packet. It is a backend where the flow's destination is translated.
      translator: the node that translates, if the packet is sent to a node; else None.
      address: the address to which the packet is sent, where no machine has it.
      others: the other backends of the same destination.
      source_ports: those of the attempts that lead to this backend of a Service; empty where any port does.
      past_node: why the destination's answer does not pass the node that translates, "" where it does.
      arrival: the packet as it arrived.
      replied: whether netlab replied in place of a program that did not.
      evidence: what the last attempt saw.
      hop_evidence: what was seen of the controls from the source to ``translator`` and from there to the backend.
      relayed: what was seen of the control that ``translator`` must forward to the backend; None where none can pass.
    """

    source: End
    destination: End
    protocol: str
    port: int
    translator: End | None = None
    address: WireAddress | None = None
    others: tuple[End, ...] = ()
    source_ports: Sequence[int] = ()
    past_node: str = ""
    verdict: Measured = "inconclusive"
    reason: str = ""
    ident: int = 0
    arrival: Observation | None = None
    replied: bool = False
    hop_evidence: tuple[Evidence, ...] = ()
    relayed: Evidence | None = None
    evidence: Evidence = field(init=False)

    @property
    def target(self) -> End:
        """The end that the packet is addressed to."""
        return self.translator or self.destination

    @property
    def sent_to(self) -> WireAddress:
        """The address that the packet is sent to."""
        return self.address or self.target.wire

    @property
    def hops(self) -> tuple[tuple[End, End], ...]:
        """The pairs of ends between which packets must pass: source and destination, or both with ``translator``."""
        if self.translator is None:
            return ((self.source, self.destination),)
        return (self.source, self.translator), (self.translator, self.destination)


@frozen
class Unsent:
    """A flow for which no packet can be sent.

    ``namespace`` is that of an end without an address of the ``family``, so that its kernel can confirm it; else "".
    """

    verdict: Measured
    reason: str
    namespace: str = ""
    family: int = 0

    def confirmed(self, found: str) -> Unsent:
        """Return this value, an inconclusive one where the end's namespace was ``found`` to have addresses."""
        if not found:
            return self
        reason = f"{self.reason}, but its network namespace has {found}"
        return replace(self, verdict="inconclusive", reason=reason)


@frozen
class Backends:
    """A flow to a destination with several backends, and the probe of each."""

    probes: tuple[tuple[Backend, Probe | Unsent], ...]

    @property
    def verdict(self) -> Measured:
        """The verdict of all backends."""
        return joined(probe.verdict for _, probe in self.probes)

    @property
    def reason(self) -> str:
        """What became of each backend's packet."""
        if len(self.probes) == 1:
            return self.probes[0][1].reason
        return "; ".join(f"{backend.name}: {probe.verdict}: {probe.reason}" for backend, probe in self.probes)

    def measurements(self) -> tuple[BackendMeasurement, ...]:
        """Return what became of each backend's packet, as values."""
        return tuple(
            BackendMeasurement(one.endpoint.ref if one.endpoint else "", one.address, one.port, probe.verdict)
            for one, probe in self.probes
        )


_NO_PORT = "no source port of this run leads to it: ask fewer Services or sources at once"


def _past_node(source: End, end: End, target: Target, node: Node | None) -> str:
    """Return why an endpoint's answer does not pass the node that translates, "" where it does."""
    own, other = source.endpoint, end.endpoint
    if node is None or not target.keeps_source or not isinstance(own, Pod) or own.ref == other.ref:
        return ""
    if own.node == node.name or (isinstance(other, Pod) and other.node == node.name) or other.ref == node.ref:
        return ""
    return f"{other.ref} answers {own.ref} without {node.ref}, which translated the packet"


def _once(probe: Probe, known: dict[object, Probe]) -> Probe:
    """Return the known probe that sends the same packet for the same backend, or make this one known."""
    address = probe.address.packed if probe.address is not None else (probe.translator or probe.destination).place
    backend = probe.destination.place if probe.others else None
    return known.setdefault((probe.source.place, address, backend, probe.protocol, probe.port), probe)


class ProbeMaker:
    """Makes the probes of flows."""

    def __init__(self, cluster: Cluster, lab: str, sockets: Sockets, service_ports: ServicePorts | None = None) -> None:
        self._cluster = cluster
        self._lab = lab
        self._sockets = sockets
        self._service_ports = service_ports or ServicePorts(range(0))
        # By id(), as endpoints hold dictionaries and cannot be hashed. ``_seen`` keeps each alive, so that no other has
        # its id.
        self._ends: dict[tuple[int, int | bytes], End | Unsent] = {}
        self._seen: list[Endpoint] = []
        self._places: dict[tuple[int, bytes], int] = {}
        self._sites: dict[tuple[str, str], int] = {}
        # The ends of pods to which packets are sent as they are, with the addresses that sources have by themselves.
        self._direct: dict[tuple[int, int], End] = {}
        self._chosen = any(network.traits.remote_node_source != "node" for network in cluster.networks)

    def probe_of(self, flow: Flow, known: dict[object, Probe]) -> Probe | Unsent | Backends:
        """Return the flow's probe (a known one where that sends the same packet), or why no packet can be sent.

        A destination with several backends has a probe for each. A destination without backends is probed itself. No
        packet is sent to an address that no endpoint has and no node translates, as any route could match it.

        ``known`` are the probes so far; a new one is added.
        """
        sender, endpoint, family, protocol, port, address, service = flow
        # Nearly all flows of a matrix.
        direct = self._direct.get((id(endpoint), family))
        if direct is not None and address is direct.address and service is None:
            own_end = self._ends.get((id(sender), family))
            if isinstance(own_end, End):
                port = port or 0
                key = own_end.place, direct.place, None, protocol, port
                return known.get(key) or known.setdefault(key, Probe(own_end, direct, protocol, port))
        source = self.end(sender, family)
        if isinstance(source, Unsent):
            return source
        if endpoint is None and flow.address is not None:
            endpoint = self._cluster.by_address.get(flow.address)
            flow = flow._replace(destination=endpoint)
        # No node translates what is sent to a pod's own address.
        own = flow.service is None and isinstance(endpoint, Pod) and not endpoint.host_network
        target = None if own else target_of(self._cluster, flow)
        if target is not None:
            node = translating_node(self._cluster, flow.source, target)
            if target.backends:
                return self._probe_backends(flow, source, endpoint, target, node, known)
            if not isinstance(endpoint, Node | Pod):
                return self._probe_refused(flow, source, target, node, known)
        if endpoint is None and flow.address is not None:
            # A node has each gateway's address, but the flow does not say which node. So the verdict is unknown.
            verdict: Measured = "inconclusive" if gateway_hint(self._cluster, flow.address) else "deny"
            return Unsent(verdict, f"{NOT_SENT}: {why_unowned(self._cluster, flow.address)}")
        if endpoint is None:
            raise ValueError("a flow needs a destination or an address")
        destination = self.end(endpoint, flow.family, flow.address)
        if isinstance(destination, Unsent):
            return destination
        if self._chosen:
            # A node's packets to pods of other nodes have the address that its routes say.
            found = self.end(
                flow.source, flow.family, source_address(self._cluster, flow.source, endpoint, flow.family)
            )
            source = found if isinstance(found, End) else source
        elif own:
            self._direct[id(endpoint), flow.family] = destination
        return _once(Probe(source, destination, flow.protocol, flow.port or 0), known)

    def _probe_backends(
        self,
        flow: Flow,
        source: End,
        endpoint: Endpoint | None,
        target: Target,
        node: Node | None,
        known: dict[object, Probe],
    ) -> Probe | Unsent | Backends:
        of_node: End | None = None
        address: WireAddress | None = None
        if isinstance(endpoint, Node | Pod):
            found = self.end(endpoint, flow.family, flow.address)
            if isinstance(found, Unsent):
                return found
            of_node = found
        elif flow.address is not None:
            address = WireAddress.of(flow.address)
        ends = [self._backend(backend, flow.family) for backend in target.backends]
        ports_of: Callable[[int], Sequence[int]] | None = None
        if target.listed and node is not None and self._service_ports:
            ports_of = self._port_finder(flow, source, node, target)
        probes: list[tuple[Backend, Probe | Unsent]] = []
        for index, (backend, end) in enumerate(zip(target.backends, ends, strict=True)):
            ports = () if ports_of is None else ports_of(index)
            if isinstance(end, Unsent):
                probes.append((backend, end))
            elif ports_of is not None and not ports:
                probes.append((backend, Unsent("inconclusive", _NO_PORT)))
            else:
                translator = of_node or self._translator(source, end, node)
                others = tuple(other for other in ends if isinstance(other, End) and other is not end)
                past = _past_node(source, end, target, node)
                probe = Probe(source, end, flow.protocol, flow.port or 0, translator, address, others, ports, past)
                probes.append((backend, _once(probe, known)))
        return Backends(tuple(probes)) if target.listed else probes[0][1]

    def _port_finder(self, flow: Flow, source: End, node: Node, target: Target) -> Callable[[int], Sequence[int]]:
        """Return a function from an endpoint's index in the node's list to the source ports that lead to it."""
        sender, to = source.endpoint, target.backends
        own_node = "" if isinstance(sender, Host) else sender.node if isinstance(sender, Pod) else sender.name
        seen, before = source.address, None
        if own_node != node.name:
            # The source's own node may masquerade it. Then all sources of that node have one address.
            seen = path(self._cluster, sender, node, source.family).seen_as or source.address
            before = (own_node, flow.protocol, flow.address, flow.port) if own_node else None
        masqueraded = target.masqueraded or own_node != node.name

        def ports_of(index: int) -> Sequence[int]:
            after = (node.name, flow.protocol, to[index].address, to[index].port) if masqueraded else None
            return self._service_ports.leading_to(index, len(to), seen, flow.port or 0, before, after)

        return ports_of

    def _translator(self, source: End, backend: End, node: Node | None) -> End | None:
        """Return the node that must prove that it forwards to the backend, None if a control to the backend proves it.

        A control from the source to the backend takes the same way as a probe if the source is in the node's namespace,
        or if it is a pod of the node and the backend is elsewhere: the node forwards both.
        """
        if node is None:
            return None
        translator = self.end(node, source.family)
        if isinstance(translator, Unsent) or translator.sockets is source.sockets:
            return None
        sender, receiver = source.endpoint, backend.endpoint
        pod_of_node = isinstance(sender, Pod) and sender.node == node.name
        to_pod_of_node = (
            isinstance(receiver, Pod) and receiver.node == node.name and translator.sockets is not backend.sockets
        )
        return None if pod_of_node and not to_pod_of_node else translator

    def _probe_refused(
        self, flow: Flow, source: End, target: Target, node: Node | None, known: dict[object, Probe]
    ) -> Probe | Unsent:
        """Return the probe of an address that stands for no endpoint: a node rejects or drops its packets.

        A control packet to this node tells a packet that the node dropped from one that was lost before it. If no node
        takes packets of the source, the control goes to the first node.
        """
        if flow.address is None:
            return Unsent("deny", f"{NOT_SENT}: {target.reason}")
        # Imported here, as most labs have no address that leads to a Service.
        from netlab.cluster.services.routes import balancer_node

        takes = node or balancer_node(self._cluster, flow.address) or self._cluster.nodes[0]
        destination = self.end(takes, flow.family)
        if isinstance(destination, Unsent):
            return destination
        address = WireAddress.of(flow.address)
        return _once(Probe(source, destination, flow.protocol, flow.port or 0, address=address), known)

    def _backend(self, backend: Backend, family: int) -> End | Unsent:
        if backend.endpoint is None:
            return Unsent("deny", f"{NOT_SENT}: {why_unowned(self._cluster, backend.address)}")
        return self.end(backend.endpoint, family, backend.address)

    def end(self, endpoint: Endpoint, family: int, address: Address | None = None) -> End | Unsent:
        """Return the end of an endpoint with an address, by default its first one of the family; or why it has none."""
        known = self._ends.get((id(endpoint), family))
        if known is None:
            self._seen.append(endpoint)
            known = self._ends[id(endpoint), family] = self._resolved(endpoint, address_of(endpoint, family), family)
        if isinstance(known, Unsent) or address is None or address is known.address or address == known.address:
            return known
        other = self._ends.get((id(endpoint), address.packed))
        if other is None:
            other = self._ends[id(endpoint), address.packed] = self._resolved(endpoint, address, family)
        return other

    def namespace(self, endpoint: Endpoint) -> str:
        """Return the name of the endpoint's network namespace."""
        return names.endpoint_namespace(self._lab, endpoint)

    def _resolved(self, endpoint: Endpoint, address: Address | None, family: int) -> End | Unsent:
        only_loopback = isinstance(endpoint, Pod) and endpoint.loopback_only
        if only_loopback or address is None:
            lacks = "a loopback interface only" if only_loopback else f"no IPv{family} address"
            return Unsent("deny", f"{NOT_SENT}: {endpoint.ref} has {lacks}", self.namespace(endpoint), family)
        sockets = self._sockets.of(self.namespace(endpoint))
        place = self._places.setdefault((sockets.index, address.packed), len(self._places))
        site = endpoint.ref, str(address)
        if isinstance(endpoint, Pod) and endpoint.selectable:
            site = endpoint.node, endpoint.network
        number = self._sites.setdefault(site, len(self._sites))
        return End(endpoint, address, WireAddress.of(address), sockets, address.version, place, number)
