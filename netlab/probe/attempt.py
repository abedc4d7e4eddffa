"""One attempt: send probes in bursts, read the answers, and send controls after probes without an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from netlab.probe import ports, schedule
from netlab.probe.control import Controls
from netlab.probe.decode import Observation
from netlab.probe.observations import IN_ITS_NAME, REPLIES, came_back, refusal
from netlab.probe.probes import Probe
from netlab.probe.sockets import NamespaceSockets
from netlab.probe.templates import WireAddress
from netlab.probe.verdicts import Evidence
from netlab.probe.worker_state import Shared

# Seconds that each attempt waits for missing packets after its last burst. On a healthy path none is missing. A path
# that a user made slow with netem may need the last value.
WAITS = (0.1, 0.3, 1.0)
# Seconds to wait for a late control after each burst, and in all. The limit keeps lost controls from adding up.
_PAUSE, _PAUSES = 0.002, 0.05
GRACE = 0.002


class Attempt:
    """Attempt ``number`` (from 0) at some probes; ``run`` gives each a new ``evidence``.

    Attempts from the last of ``WAITS`` on wait as long, and have the same source port.
    """

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._number = min(number, len(WAITS) - 1)
        # Longer waits where a first attempt is not enough help on a path whose delay is not known.
        self._seconds = WAITS[self._number] if shared.slow is None else WAITS[0] + shared.slow.seconds
        self._controls = Controls(shared)
        self._by_ident: dict[int, Probe] = {}
        self._by_ports: dict[tuple[int, bytes, int, int], Probe] = {}
        self._unanswered: dict[int, Probe] = {}
        self._pauses = _PAUSES

    def run(self, probes: Sequence[Probe], sent: Callable[[int], None]) -> None:
        """Send every probe and collect its evidence; call ``sent`` with the number of probes of each burst."""
        pairs = [(probe.source.sockets.index, probe.destination.sockets.index) for probe in probes]
        order = schedule.interleaved(pairs, len(self._shared.sockets))
        for positions in schedule.bursts(pairs, order):
            burst = [probes[position] for position in positions]
            self._send(burst)
            self._receive()
            self._reply_for_programs()
            self._controls.follow(burst)
            self._receive()
            self._pause()
            sent(len(burst))
        self._prove_ends([probe for probe in probes if probe.evidence.no_path])
        self._prove_returns([probe for probe in probes if probe.past_node and probe.evidence.arrived])
        began = time.monotonic()
        self._wait(self._seconds)
        # Where a control was late, a probe that netem put behind it may be as late.
        self._receive(GRACE)
        if (took := time.monotonic() - began) > 2 * GRACE:
            self._receive(took)
        if self._shared.slow is not None and self._shared.slow.settle:
            # Controls have arrived, and may have overtaken their probes.
            deadline = time.monotonic() + self._shared.slow.settle
            while (left := deadline - time.monotonic()) > 0:
                self._receive(left)
            self._wait(self._seconds)
        self._controls.judge_hops(probes)

    # --- out ----------------------------------------------------------------------------------------------------

    def _send(self, burst: Sequence[Probe]) -> None:
        shared, number, by_ident = self._shared, self._number, self._by_ident
        last: tuple[str, int, int, Sequence[int]] | None = None
        for probe, ident in zip(burst, shared.idents.take(len(burst)), strict=True):
            source, protocol, port = probe.source, probe.protocol, probe.port
            target = probe.address or (probe.translator or probe.destination).wire  # ``sent_to``, without its call
            family = source.family
            probe.evidence = Evidence()
            probe.ident = ident
            if number:
                probe.replied, probe.hop_evidence, probe.relayed = False, (), None
            by_ident[ident] = probe
            # Nearly all probes of a matrix differ from the one before in their addresses only.
            form = protocol, family, port, probe.source_ports
            if form != last:
                last, own = form, probe.source_ports
                template = shared.template(protocol, family, chooses=bool(own))
                source_port = own[min(number, len(own) - 1)] if own else ports.of_attempt(shared.ports, number, port)
            if protocol == "UDP":
                self._by_ports[source.sockets.index, target.packed, port, source_port] = probe
            packet = template.pack(source.wire, target, source_port, port, ident)
            sender = source.sockets.senders[family]
            try:
                sender.sendto(packet, target.to)
            except OSError as error:
                if failed := sender.retried(error, packet, target.text):
                    setattr(probe.evidence, *refusal(failed))

    def _prove_ends(self, probes: Sequence[Probe]) -> None:
        """Find out whether both ends of each probe carry traffic, where no path is wired between them."""
        if not probes:
            return
        for _ in self._controls.prove_ends(probes):
            self._receive()
            self._pause()
        self._wait(self._seconds)
        self._controls.judge_ends(probes)

    def _prove_returns(self, probes: Sequence[Probe]) -> None:
        """Find out whether packets pass on the way of each answer that does not pass the node that translated."""
        self._reply_for_programs()
        self._receive()
        missing = [probe for probe in probes if not (probe.evidence.answered or probe.evidence.wrong_sender)]
        if missing:
            self._controls.prove_returns(missing)
            self._wait(self._seconds)
            self._controls.judge_returns(missing)

    def _reply_for_programs(self) -> None:
        """Reply from the destination to probes that arrived and that no program there answered."""
        for probe in list(self._unanswered.values()):
            seen, kind = probe.arrival, REPLIES.get(probe.protocol)
            if kind is None or seen is None or probe.replied:
                continue
            probe.replied = True
            back = WireAddress.of(ip_address(seen.peer))
            here = probe.destination
            template = self._shared.template(kind, here.family)
            packet = template.pack(here.wire, back, seen.port, seen.peer_port, probe.ident)
            here.sockets.senders[here.family].send(packet, back.text)

    # --- in -----------------------------------------------------------------------------------------------------

    def _receive(self, seconds: float = 0) -> None:
        by_ident, controls = self._by_ident, self._controls
        for sockets, seen in self._shared.sockets.receive(seconds):
            # Most packets of a matrix are controls.
            if seen.kind == "arrival" and seen.ident not in by_ident:
                controls.arrived(seen.ident, sockets)
            else:
                self._observe(sockets, seen)

    def _wait(self, seconds: float) -> None:
        """Receive until no control and no answer is missing, for at most ``seconds``."""
        deadline = time.monotonic() + seconds
        self._reply_for_programs()
        while self._controls.missing or self._unanswered:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._receive(left)
            self._reply_for_programs()

    def _pause(self) -> None:
        """Wait a moment for late controls before the next burst, so that the host's queues stay short."""
        if self._controls.missing and self._pauses > 0:
            began = time.monotonic()
            self._wait(_PAUSE)
            self._pauses -= time.monotonic() - began

    def _observe(self, sockets: NamespaceSockets, seen: Observation) -> None:
        if seen.kind == "port":
            key = (sockets.index, seen.peer, seen.peer_port, seen.port)
            probe = self._by_ports.get(key)
            if probe is not None:
                self._answered(probe, seen.words)
            return
        probe = self._by_ident.get(seen.ident)
        if probe is None:
            return
        if seen.kind == "arrival":
            self._arrived(probe, sockets, seen)
        elif sockets is probe.source.sockets:
            field, words = came_back(seen, probe.protocol, probe.sent_to.packed)
            if field == "answered":
                self._answered(probe, words)
            else:
                setattr(probe.evidence, field, words)

    def _arrived(self, probe: Probe, sockets: NamespaceSockets, seen: Observation) -> None:
        if probe.protocol == "UDP" and sockets is probe.source.sockets and seen.peer_port == probe.port:
            # A program echoes the probe's payload from the port that was probed.
            self._answered(probe, "UDP reply")
        elif sockets is probe.destination.sockets:
            probe.evidence.arrived = True
            probe.arrival = seen
            if not probe.evidence.answered:
                self._unanswered[probe.ident] = probe
        else:
            took = next((other for other in probe.others if other.sockets is sockets), None)
            if took is not None:
                probe.evidence.elsewhere = took.endpoint.ref

    def _answered(self, probe: Probe, words: str) -> None:
        if probe.replied:
            words = IN_ITS_NAME
        probe.evidence.answered = probe.evidence.answered or words
        self._unanswered.pop(probe.ident, None)
