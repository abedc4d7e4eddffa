"""Flows as questions: from where to where each packet is sent, and the flows for which none can be sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from netlab.cluster.flows import Flow
from netlab.cluster.nobody import gateway_words, nobody
from netlab.cluster.translate import Backend, Translated, translate
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.dataplane import names
from netlab.frozen import frozen
from netlab.objects.types import Address
from netlab.probe.decode import Observation
from netlab.probe.sockets import NamespaceSockets, Sockets
from netlab.probe.templates import WireAddress
from netlab.probe.verdicts import NOT_SENT, BackendMeasurement, Evidence
from netlab.verdicts import Measured, joined


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

    If the destination that is asked stands for others, ``destination`` is one of its backends, which must take the
    packet, and ``others`` are the rest. ``front`` is the node that translates, if that node is asked; ``hop_evidence``
    is then what was seen of the controls from the source to the node and on to the backend. ``address`` is what the
    packet is sent to if no machine has that address. Each attempt leaves another ``evidence``. ``seen`` is the probe's
    arrival; ``replied`` says that netlab replied for a program.

    Flows that would send the same packet (from two pods that share their node's namespace, say) share a question.
    """

    source: End
    destination: End
    protocol: str
    port: int
    front: End | None = None
    address: WireAddress | None = None
    others: tuple[End, ...] = ()
    verdict: Measured = "inconclusive"
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
    def sent_to(self) -> WireAddress:
        """The address that the packet is sent to."""
        return self.address or (self.front or self.destination).wire

    @property
    def hops(self) -> tuple[tuple[End, End], ...]:
        """The pairs of ends between which packets must pass: source and destination, or by the node that translates."""
        if self.front is None:
            return ((self.source, self.destination),)
        return (self.source, self.front), (self.front, self.destination)


@frozen
class Unsent:
    """A flow for which no packet can be sent.

    Where an end has no address of the flow's ``family``, ``namespace`` is that of the end: its kernel can confirm it.
    """

    verdict: Measured
    reason: str
    namespace: str = ""
    family: int = 0


@frozen
class Backends:
    """A flow to a destination that stands for several backends: what is asked of each, by the backend's name."""

    answers: tuple[tuple[Backend, Question | Unsent], ...]

    @property
    def verdict(self) -> Measured:
        """The verdict of all backends."""
        return joined(answer.verdict for _, answer in self.answers)

    @property
    def reason(self) -> str:
        """What became of each backend's packet."""
        return "; ".join(f"{backend.name}: {answer.verdict}: {answer.reason}" for backend, answer in self.answers)

    def measurements(self) -> tuple[BackendMeasurement, ...]:
        """Return what became of each backend's packet, as values."""
        return tuple(
            BackendMeasurement(one.endpoint.ref if one.endpoint else "", one.address, one.port, answer.verdict)
            for one, answer in self.answers
        )


def _once(question: Question, asked: dict[object, Question]) -> Question:
    """Return the question among ``asked`` that sends the same packet for the same backend, else add this one."""
    address = question.address.packed if question.address is not None else question.target.place
    backend = question.destination.place if question.others else None
    return asked.setdefault((question.source.place, address, backend, question.protocol, question.port), question)


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

    def question(self, flow: Flow, asked: dict[object, Question]) -> Question | Unsent | Backends:
        """Return the flow's question, which is one of ``asked`` where that sends the same packet; or why none is sent.

        A destination that stands for several backends is asked for each of them. One that stands for none is asked as
        itself. No packet is sent to an address that no endpoint of the lab has and no node translates: it would leave
        on whatever route there is.
        """
        source = self.end(flow.source, flow.family)
        if isinstance(source, Unsent):
            return source
        endpoint = flow.destination
        if endpoint is None and flow.address is not None:
            endpoint = self._cluster.by_address.get(flow.address)
            flow = flow._replace(destination=endpoint)
        translated = translate(self._cluster, flow)
        if translated is not None and translated.ways:
            return self._ask_backends(flow, source, endpoint, translated, asked)
        if endpoint is None and flow.address is not None:
            # Some node has a gateway's address, so without a packet nothing is known of it.
            verdict: Measured = "inconclusive" if gateway_words(self._cluster, flow.address) else "deny"
            return Unsent(verdict, f"{NOT_SENT}: {nobody(self._cluster, flow.address)}")
        if endpoint is None:
            raise ValueError("a flow needs a destination or an address")
        destination = self.end(endpoint, flow.family, flow.address)
        if isinstance(destination, Unsent):
            return destination
        return _once(Question(source, destination, flow.protocol, flow.port or 0), asked)

    def _ask_backends(
        self, flow: Flow, source: End, asked_of: Endpoint | None, translated: Translated, asked: dict[object, Question]
    ) -> Question | Unsent | Backends:
        front, address = None, None
        if asked_of is not None:
            found = self.end(asked_of, flow.family, flow.address)
            if isinstance(found, Unsent):
                return found
            front = found
        elif flow.address is not None:
            address = WireAddress.of(flow.address)
        backends = [way.backend for way in translated.ways]
        ends = [self._backend(backend, flow.family) for backend in backends]
        answers: list[tuple[Backend, Question | Unsent]] = []
        for backend, end in zip(backends, ends, strict=True):
            if isinstance(end, Unsent):
                answers.append((backend, end))
                continue
            others = tuple(other for other in ends if isinstance(other, End) and other is not end)
            question = Question(source, end, flow.protocol, flow.port or 0, front, address, others)
            answers.append((backend, _once(question, asked)))
        return answers[0][1] if len(answers) == 1 else Backends(tuple(answers))

    def _backend(self, backend: Backend, family: int) -> End | Unsent:
        if backend.endpoint is None:
            return Unsent("deny", f"{NOT_SENT}: {nobody(self._cluster, backend.address)}")
        return self.end(backend.endpoint, family, backend.address)

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
