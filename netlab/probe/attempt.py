"""One attempt at a set of questions: probes out in bursts, controls after those that did not arrive, answers in.

A control follows within its probe's burst, some milliseconds later, and only where the probe did not arrive: a matrix
that is mostly allowed costs one packet each, one that is mostly denied two, and no denied probe ever waits.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address

from netlab.cluster.paths import path
from netlab.cluster.types import Cluster
from netlab.probe import ports, schedule
from netlab.probe.decode import PORT_UNREACHABLE, Sighting, written
from netlab.probe.filters import WINDOW
from netlab.probe.questions import Desk, End, Question
from netlab.probe.sockets import Station, Stations
from netlab.probe.templates import CONTROL, Template, WireAddress
from netlab.probe.verdicts import Evidence
from netlab.probe.witnesses import witness

# How long each attempt waits for what is still missing after its last burst. Nothing is missing on a healthy path; a
# path that somebody slowed down (netem) may need the last.
WAITS = (0.1, 0.3, 1.0)
# Between bursts a late control is waited for, in all no longer than the second number: lost ones must not add up.
_PAUSE, _PAUSES = 0.002, 0.05
_GRACE = 0.002
_REPLIES = {"UDP": "UDP reply", "SCTP": "SCTP reply"}

_REFUSALS = {
    errno.ENETUNREACH: "no route from source",
    errno.EHOSTUNREACH: "no route from source",
    errno.EACCES: "a route of the source prohibits it",
    errno.EPERM: "rules in the source's own network namespace refused it",
}


class Idents:
    """The 32-bit ids of a lane, in order from ``first``; they come again after ``WINDOW`` packets."""

    def __init__(self, first: int) -> None:
        self.first = first % (1 << 32)
        self._used = 0

    def __call__(self) -> int:
        used = self._used
        self._used = used + 1
        return (self.first + used % WINDOW) & 0xFFFFFFFF

    def skip(self, number: int) -> None:
        """Leave out so many."""
        self._used += number


class Workbench:
    """What all attempts of a lane share: the stations, the ids, the source ports and the packet templates."""

    def __init__(self, cluster: Cluster, lab: str, first_ident: int) -> None:
        self.cluster = cluster
        self.idents = Idents(first_ident)
        self.ports = ports.of_run()
        self.stations = Stations(self.idents.first, self.ports)
        self.desk = Desk(cluster, lab, self.stations)
        self._templates: dict[tuple[str, int], Template] = {}

    def template(self, kind: str, family: int) -> Template:
        known = self._templates.get((kind, family))
        if known is None:
            known = self._templates[kind, family] = Template(kind, family)
        return known

    def control(self, source: End, destination: End) -> int | None:
        """Send a control from one end to another; return its id, None where it could not be sent."""
        ident = self.idents()
        packet = self.template(CONTROL, source.family).pack(source.wire, destination.wire, 0, 0, ident)
        return ident if source.station.send(packet, destination.wire.text, source.family) == 0 else None

    def witness(self, end: End) -> End | None:
        """Return who can prove that an end carries traffic at all, None where there is nobody."""
        other = witness(self.cluster, end.endpoint, end.family)
        found = None if other is None else self.desk.end(other, end.family)
        return found if isinstance(found, End) else None


class Attempt:
    """The ``number``-th attempt (from 0) at some questions; ``run`` leaves a new ``evidence`` in each."""

    def __init__(self, bench: Workbench, number: int) -> None:
        self._bench = bench
        self._number = number
        self._outstanding: dict[int, Question] = {}
        self._by_ports: dict[tuple[int, bytes, int, int], Question] = {}
        self._unanswered: dict[int, Question] = {}
        # By id: where a control should arrive, and whose evidence it is.
        self._controls: dict[int, tuple[Station, list[Evidence]]] = {}
        self._pauses = _PAUSES

    def run(self, questions: Sequence[Question], sent: Callable[[int], None]) -> None:
        """Send every question's probe and collect its evidence; ``sent`` is told how many went out."""
        pairs = [(q.source.station.index, q.destination.station.index) for q in questions]
        order = schedule.interleaved(pairs, len(self._bench.stations))
        for positions in schedule.bursts(pairs, order):
            burst = [questions[position] for position in positions]
            for question in burst:
                self._send(question)
            self._receive()
            self._answer_for_silent()
            self._control(burst)
            self._receive()
            self._pause()
            sent(len(burst))
        self._prove_ends([q for q in questions if q.evidence.no_path])
        began = time.monotonic()
        self._wait(WAITS[self._number])
        # A path that took long for a control may take as long for a probe that something (netem) put behind it.
        self._receive(_GRACE)
        if (took := time.monotonic() - began) > 2 * _GRACE:
            self._receive(took)
        for question in questions:
            if question.legs:
                question.evidence.control = all(leg.control for leg in question.legs)

    # --- out ----------------------------------------------------------------------------------------------------

    def _send(self, question: Question) -> None:
        bench, source, target = self._bench, question.source, question.sent_to
        evidence = question.evidence = Evidence()
        ident = question.ident = bench.idents()
        question.replied, question.legs = False, ()
        source_port = ports.of_attempt(bench.ports, self._number, question.port)
        self._outstanding[ident] = question
        if question.protocol == "UDP":
            key = (source.station.index, target.packed, question.port, source_port)
            self._by_ports[key] = question
        template = bench.template(question.protocol, source.family)
        packet = template.pack(source.wire, target, source_port, question.port, ident)
        failed = source.station.send(packet, target.text, source.family)
        if failed in _REFUSALS:
            evidence.refused = f"{_REFUSALS[failed]} ({os.strerror(failed)})"
        elif failed:
            evidence.trouble = f"the probe could not be sent: {os.strerror(failed)}"

    def _control(self, burst: Iterable[Question]) -> None:
        """Send one control for each pair of the burst that has a probe which did not arrive."""
        pairs: dict[tuple[int, ...], list[Question]] = {}
        for question in burst:
            seen = question.evidence
            if not (seen.arrived or seen.refused or seen.trouble):
                ends = (id(question.source), id(question.destination), id(question.front))
                pairs.setdefault(ends, []).append(question)
        for questions in pairs.values():
            source, target = questions[0].source, questions[0].target
            way = path(self._bench.cluster, source.endpoint, target.endpoint, source.family)
            if way.connected and questions[0].front is None:
                self._send_control(source, target, [q.evidence for q in questions])
                continue
            if way.connected:
                self._send_legs(questions)
                continue
            for question in questions:
                question.evidence.no_path = way.reason

    def _send_legs(self, questions: Sequence[Question]) -> None:
        """Send controls to the node that translates, and from there to the backend: no control is translated."""
        for question in questions:
            question.legs = tuple(Evidence(control=a.station is b.station) for a, b in question.hops)
            for (one, other), leg in zip(question.hops, question.legs, strict=True):
                if not leg.control:
                    self._send_control(one, other, [leg])

    def _send_control(self, source: End, destination: End, evidence: list[Evidence]) -> None:
        ident = self._bench.control(source, destination)
        if ident is not None:
            self._controls[ident] = (destination.station, evidence)

    def _prove_ends(self, questions: Sequence[Question]) -> None:
        """Where the wiring has no way, send controls between each end and a witness, and wait for them."""
        if not questions:
            return
        outward: dict[End, Evidence] = {}
        inward: dict[End, Evidence] = {}
        pairs: list[tuple[End, End, Evidence]] = []
        for question in questions:
            for end, proofs in ((question.source, outward), (question.destination, inward)):
                if end in proofs:
                    continue
                proof = proofs[end] = Evidence()
                other = self._bench.witness(end)
                if other is not None:
                    pairs.append((end, other, proof) if proofs is outward else (other, end, proof))
        self._bench.stations.open()
        for start in range(0, len(pairs), schedule.PER_RECEIVER):
            for source, destination, proof in pairs[start : start + schedule.PER_RECEIVER]:
                self._send_control(source, destination, [proof])
            self._receive()
            self._pause()
        self._wait(WAITS[self._number])
        for question in questions:
            proofs_of_both = outward[question.source], inward[question.destination]
            question.evidence.ends_alive = all(proof.control for proof in proofs_of_both)

    def _answer_for_silent(self) -> None:
        """Reply, from the destination, to probes that a program there took and left unanswered."""
        for question in list(self._unanswered.values()):
            seen, kind = question.seen, _REPLIES.get(question.protocol)
            if kind is None or seen is None or question.replied:
                continue
            question.replied = True
            back = WireAddress.of(ip_address(seen.peer))
            here = question.destination
            template = self._bench.template(kind, here.family)
            packet = template.pack(here.wire, back, seen.port, seen.peer_port, question.ident)
            here.station.send(packet, back.text, here.family)

    # --- in -----------------------------------------------------------------------------------------------------

    def _receive(self, seconds: float = 0) -> None:
        for station, sighting in self._bench.stations.receive(seconds):
            self._see(station, sighting)

    def _wait(self, seconds: float) -> None:
        """Receive until no control and no answer is missing, for at most so long."""
        deadline = time.monotonic() + seconds
        self._answer_for_silent()
        while self._controls or self._unanswered:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._receive(left)
            self._answer_for_silent()

    def _pause(self) -> None:
        """Give late controls a moment before the next burst, so that the host's queues stay short."""
        if self._controls and self._pauses > 0:
            began = time.monotonic()
            self._wait(_PAUSE)
            self._pauses -= time.monotonic() - began

    def _see(self, station: Station, sighting: Sighting) -> None:
        if sighting.kind == "port":
            key = (station.index, sighting.peer, sighting.peer_port, sighting.port)
            question = self._by_ports.get(key)
            if question is not None:
                self._answered(question, sighting.words)
            return
        question = self._outstanding.get(sighting.ident)
        if question is None:
            self._see_control(station, sighting)
        elif sighting.kind == "arrival":
            self._see_arrival(question, station, sighting)
        elif station is question.source.station:
            if sighting.kind == "answer" or _says_closed(question, sighting):
                self._answered(question, sighting.words)
            else:
                question.evidence.rejected = f"{sighting.words} from {written(sighting.peer)}"

    def _see_control(self, station: Station, sighting: Sighting) -> None:
        end, evidence = self._controls.get(sighting.ident, (None, []))
        if sighting.kind == "arrival" and station is end:
            del self._controls[sighting.ident]
            for seen in evidence:
                seen.control = True

    def _see_arrival(self, question: Question, station: Station, sighting: Sighting) -> None:
        if question.protocol == "UDP" and station is question.source.station and sighting.peer_port == question.port:
            # A program that echoes: the probe's own payload, sent back from the port that was asked.
            self._answered(question, "UDP reply")
        elif station is question.destination.station:
            question.evidence.arrived = True
            question.seen = sighting
            if not question.evidence.answered:
                self._unanswered[question.ident] = question
        else:
            took = next((other for other in question.others if other.station is station), None)
            if took is not None:
                question.evidence.elsewhere = took.endpoint.ref

    def _answered(self, question: Question, words: str) -> None:
        if question.replied:
            words = "a reply in the name of a silent program"
        question.evidence.answered = question.evidence.answered or words
        self._unanswered.pop(question.ident, None)


def _says_closed(question: Question, error: Sighting) -> bool:
    """Say whether an ICMP error is what the destination itself answers for a UDP port that nobody holds."""
    closed = question.protocol == "UDP" and error.words in PORT_UNREACHABLE
    return closed and error.peer == question.sent_to.packed
