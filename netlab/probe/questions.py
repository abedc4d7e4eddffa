"""Flows as questions: from where to where each packet is sent, and the flows for which none can be sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from netlab.cluster.flows import Flow
from netlab.cluster.nobody import gateway_words, nobody
from netlab.cluster.published import Published, behind
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.dataplane import names
from netlab.objects.types import Address
from netlab.probe.decode import Observation
from netlab.probe.sockets import NamespaceSockets, Sockets
from netlab.probe.templates import WireAddress
from netlab.probe.verdicts import NOT_SENT, Evidence, Verdict


@dataclass(slots=True, eq=False)
class End:
    """One end of a question: an endpoint with one of its addresses, and the sockets of its namespace.

    There is one for each endpoint and address of a run. ``place`` counts the different addresses of namespaces from
    zero: ends of one place (two pods in their node's namespace) send and receive the same packets.
    """

    endpoint: Endpoint
    address: Address
    wire: WireAddress
    sockets: NamespaceSockets
    family: int
    place: int


@dataclass(slots=True, eq=False)
class Question:
    """One packet to send, its evidence so far and, in the end, its verdict.

    Where ``port`` is published, ``front`` is the node that is asked and ``destination`` the pod behind it.
    ``hop_evidence`` is then what was seen of the controls from the source to the node and on to the pod. Every attempt
    leaves another ``evidence``. ``seen`` is the probe's arrival; ``replied`` says that netlab replied for a program.

    Flows that would send the same packet (from two pods that share their node's namespace, say) share a question.
    """

    source: End
    destination: End
    protocol: str
    port: int
    front: End | None = None
    verdict: Verdict = "inconclusive"
    reason: str = ""
    ident: int = 0
    seen: Observation | None = None
    replied: bool = False
    hop_evidence: tuple[Evidence, ...] = ()
    evidence: Evidence = field(init=False)

    @property
    def target(self) -> End:
        """The end that the packet is addressed to."""
        return self.front or self.destination

    @property
    def hops(self) -> tuple[tuple[End, End], ...]:
        """The pairs of ends between which packets must pass: source and destination, or by the node that publishes."""
        if self.front is None:
            return ((self.source, self.destination),)
        return (self.source, self.front), (self.front, self.destination)


@dataclass(frozen=True, slots=True)
class Unsent:
    """A flow for which no packet can be sent.

    Where an end has no address of the flow's ``family``, ``namespace`` is that of the end: its kernel can confirm it.
    """

    verdict: Verdict
    reason: str
    namespace: str = ""
    family: int = 0


class QuestionMaker:
    """Makes questions of flows; flows that would send the same packet share one."""

    def __init__(self, cluster: Cluster, lab: str, sockets: Sockets) -> None:
        self._cluster = cluster
        self._lab = lab
        self._sockets = sockets
        # By identity, as endpoints hold dictionaries; ``_seen`` keeps each alive, so that no other gets its identity.
        self._ends: dict[tuple[int, int | bytes], End | Unsent] = {}
        self._seen: list[Endpoint] = []
        self._places: dict[tuple[int, bytes], int] = {}

    def question(self, flow: Flow, asked: dict[object, Question]) -> Question | Unsent:
        """Return the flow's question, which is one of ``asked`` where that sends the same packet; or why none is sent.

        No packet is sent to an address that no endpoint of the lab has: it would leave on whatever route there is.
        """
        source = self.end(flow.source, flow.family)
        if isinstance(source, Unsent):
            return source
        endpoint = flow.destination
        if endpoint is None and flow.address is not None:
            endpoint = self._cluster.by_address.get(flow.address)
            if endpoint is None:
                # A node has a gateway's address, so without a packet nothing is known.
                verdict: Verdict = "inconclusive" if gateway_words(self._cluster, flow.address) else "deny"
                return Unsent(verdict, f"{NOT_SENT}: {nobody(self._cluster, flow.address)}")
        if endpoint is None:
            raise ValueError("a flow needs a destination or an address")
        destination = self.end(endpoint, flow.family, flow.address)
        if isinstance(destination, Unsent):
            return destination
        port, front = flow.port or 0, None
        if (one := self._behind(destination, flow)) is not None:
            front, pod_end = destination, self.end(one.pod, flow.family)
            if isinstance(pod_end, Unsent):
                return pod_end
            destination = pod_end
        key = (source.place, (front or destination).place, flow.protocol, port)
        question = asked.get(key)
        if question is None:
            question = asked[key] = Question(source, destination, flow.protocol, port, front)
        return question

    def _behind(self, asked: End, flow: Flow) -> Published | None:
        """Return what an end that lives in a node's namespace publishes there, None for what is its own."""
        endpoint = asked.endpoint
        if isinstance(endpoint, Host) or (isinstance(endpoint, Pod) and not endpoint.host_network):
            return None
        node = endpoint.node if isinstance(endpoint, Pod) else endpoint.name
        return behind(self._cluster, node, asked.address, flow.protocol, flow.port)

    def end(self, endpoint: Endpoint, family: int, address: Address | None = None) -> End | Unsent:
        """Return the endpoint with the address, by default its (first) one of the family; or why it has none."""
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
        return End(endpoint, address, WireAddress.of(address), sockets, address.version, place)
