"""A participant of a run: sends what has its source on this machine, and watches what has its destination here."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from netlab.cluster.types import Cluster
from netlab.errors import UsageError
from netlab.kernel import drops
from netlab.kernel.machine import Inside
from netlab.patterns import pattern
from netlab.probe import announcements, facts, schedule
from netlab.probe.decode import Observation
from netlab.probe.machines.batch import Batch
from netlab.probe.machines.steps import ALWAYS, ARRIVED, CONTROL, IDS, ROWS, TWICE, Action, codes, packed
from netlab.probe.neighbours import Neighbours
from netlab.probe.observations import REPLIES, came_back, refusal
from netlab.probe.probes import End
from netlab.probe.sockets import NamespaceSockets
from netlab.probe.templates import CONTROL as CONTROL_KIND
from netlab.probe.templates import WireAddress
from netlab.probe.worker_state import Shared

# A process that may write to etcd may not read files of a machine.
_SETTING = pattern(r"ipv[46]/conf/[A-Za-z0-9_.@-]{1,15}/forwarding")
# Seconds that a control follows its probe later, where no answer came: more than a fast network takes for an answer.
_LAG = 0.002


class Participant:
    """The sockets, ends and batches of one machine in a run."""

    def __init__(self, cluster: Cluster, lab: str, here: Callable[[str], bool], inside: Inside, begin: Action) -> None:
        first, last = begin["ports"]
        here = functools.cache(here)
        self.shared = Shared(cluster, lab, int(begin["ident"]), inside, range(first, last), here)
        self.ended = False
        self._once = begin.get("once") is True
        self._here = here
        self._neighbours = Neighbours(cluster, lab, inside, here)
        self._told: set[str] = set()
        self._counters = drops.Counters()
        self._unwatched = [name for node in cluster.nodes if here(name := self.shared.probes.namespace(node))]
        self._first = self.shared.idents.first
        # By number: an end or an address, its wire address, its sockets, and whether it is here.
        self._ends: list[End | None] = []
        self._wires: list[WireAddress] = []
        self._sockets: list[NamespaceSockets | None] = []
        self._local = bytearray()
        self._announced: dict[End, float] = {}
        self._batches: dict[int, Batch] = {}
        self._by_ports: dict[tuple[int, bytes, int, int], tuple[Batch, int]] = {}
        # Namespaces whose sockets dropped packets, each time that they were found.
        self._overflows: list[str] = []
        self._does: dict[str, Callable[[Action, bytes], Any]] = {
            "begin": lambda action, data: None,
            "ends": self._number_ends,
            "prepare": self._prepare,
            "send": self._send,
            "collect": self._collect,
            "reply": self._reply,
            "forget": self._forget,
            "ask": self._ask,
            "clear": lambda action, data: self._neighbours.remove(),
            "end": self._end,
        }

    def close(self) -> None:
        """Close the sockets, and delete the neighbours that could be wrong later."""
        self.shared.sockets.close()
        self._counters.close()
        self._neighbours.close()

    def do(self, actions: Sequence[Action], data: bytes) -> bytes:
        """Carry out the actions of a step; return the answer."""
        results, columns, at = [], [], 0
        for action in actions:
            size = int(action.get("bytes", 0))
            found = self._does[action["do"]](action, data[at : at + size])
            at += size
            if action["do"] == "collect":
                found, more = found
                columns += more
            results.append(found)
        failures = {name: why for name, why in self._neighbours.failures.items() if name not in self._told}
        self._told |= failures.keys()
        return packed({"results": results, "failures": failures, "many": self._neighbours.many}, columns)

    # --- actions ------------------------------------------------------------------------------------------------

    def _number_ends(self, action: Action, data: bytes) -> None:
        for ref, text in action["ends"]:
            address = ip_address(text)
            end: End | None = None
            if ref:
                found = self.shared.probes.end(self.shared.cluster.by_ref[ref], address.version, address)
                if not isinstance(found, End):
                    raise UsageError(f"{ref} has no address {address}: the machines do not have the same lab")
                end = found
            self._ends.append(end)
            self._wires.append(end.wire if end is not None else WireAddress.of(address))
            self._sockets.append(None if end is None else end.sockets)
            self._local.append(end is not None and self._here(end.sockets.namespace))

    def _end_of(self, number: int) -> End:
        end = self._ends[number]
        if end is None:
            raise ValueError("an address is no end")
        return end

    def _prepare(self, action: Action, data: bytes) -> None:
        """Open sockets, add neighbours, announce ends; from now on packets of the batch are watched."""
        batch = Batch(action, data)
        columns, local = batch.columns, self._local
        batch.mine = [row for row, number in enumerate(columns.source) if local[number]]
        while self._unwatched:
            with self.shared.inside(self._unwatched[-1]):
                self._counters.watch(self._unwatched.pop())
        numbers = {*zip(columns.source, columns.destination, strict=True), *map(tuple, action["pairs"])}
        ways = [(self._end_of(a), self._end_of(b)) for a, b in numbers if local[a] or local[b]]
        mine = dict.fromkeys(end for way in ways for end in way if self._here(end.sockets.namespace))
        announced = announcements.due_of(self.shared, mine, self._announced, time.monotonic())
        announced = [way for way in announced if self._here(way[0].sockets.namespace)]
        protocols = {form[0] for form in batch.forms if form[0] != CONTROL_KIND}
        self.shared.sockets.open(protocols, {form[2] for form in batch.forms})
        self._neighbours.add(dict.fromkeys((*announced, *ways)))
        relays = ((self._end_of(a), self._end_of(b), self._end_of(c)) for a, b, c in action["relays"] if local[a])
        self._neighbours.add_relays(relays)
        for start in range(0, len(announced), IDS):
            # Their ids come before those of the first batch, and no batch waits for them.
            self.shared.idents.restart()
            announcements.send(self.shared, announced[start : start + IDS])
        self._note_overflows()
        batch.overflows, batch.drops = len(self._overflows), self._counters.read()
        self._batches[batch.number] = batch

    def _send(self, action: Action, data: bytes) -> None:
        """Send every row whose source is here, in bursts, and controls after probes without an answer."""
        batch = self._batches[action["number"]]
        columns, rows = batch.columns, batch.mine
        sockets = self._sockets
        pairs = [(_index(sockets[columns.source[r]]), _index(sockets[columns.destination[r]])) for r in rows]
        order = schedule.interleaved(pairs, len(self.shared.sockets))
        sent: deque[tuple[float, list[int]]] = deque()
        for positions in schedule.bursts(pairs, order):
            burst = [rows[position] for position in positions]
            self._send_rows(batch, burst)
            self.receive()
            sent.append((time.monotonic(), burst))
            while sent and sent[0][0] + _LAG < time.monotonic():
                self._follow(batch, sent.popleft()[1])
        while sent:
            began, burst = sent.popleft()
            while (left := began + _LAG - time.monotonic()) > 0:
                self.receive(left)
            self._follow(batch, burst)
        self.receive()

    def _send_rows(self, batch: Batch, rows: Iterable[int]) -> None:
        columns, forms, ends, wires, shared = batch.columns, batch.forms, self._ends, self._wires, self.shared
        first = self._first + batch.number * IDS
        for row in rows:
            protocol, port, family, chooses, _ = forms[columns.form[row]]
            source = ends[columns.source[row]]
            assert source is not None
            if protocol == CONTROL_KIND:
                self._send_control(batch, row, self._wires[columns.to[row]])
                continue
            to, source_port = wires[columns.to[row]], columns.port[row]
            if protocol == "UDP":
                key = (source.sockets.index, to.packed, port, source_port)
                self._by_ports[key] = batch, row
                batch.keys.append(key)
            template = shared.template(protocol, family, chooses=chooses)
            packet = template.pack(source.wire, to, source_port, port, (first + row) & 0xFFFFFFFF)
            if failed := source.sockets.senders[family].send(packet, to.text):
                batch.note(row, *refusal(failed))

    def _follow(self, batch: Batch, rows: Sequence[int]) -> None:
        """Send controls after probes without an answer, and before them the probes that left this machine once more.

        A network between machines may lose a packet, and count no loss that this machine can see. A denial then takes
        two losses, and a control that arrives right after the second.
        """
        forms, form, local = batch.forms, batch.columns.form, self._local
        destination, to = batch.columns.destination, batch.columns.to
        self._send_rows(
            batch,
            [
                row
                for row in rows
                if not self._once
                and not (local[destination[row]] and local[to[row]])
                and forms[form[row]][0] != CONTROL_KIND
                and not batch.known[batch.out[row]]
            ],
        )
        for row in rows:
            follows = forms[form[row]][4]
            if follows == ALWAYS or (follows and not batch.answered(row)):
                self._send_control(batch, row, self._wires[batch.columns.destination[row]])

    def _send_control(self, batch: Batch, row: int, via: WireAddress) -> None:
        source, to = self._end_of(batch.columns.source[row]), self._wires[batch.columns.destination[row]]
        ident = (self._first + batch.number * IDS + ROWS + row) & 0xFFFFFFFF
        packet = self.shared.template(CONTROL_KIND, source.family).pack(source.wire, to, 0, 0, ident)
        source.sockets.senders[source.family].send(packet, via.text)

    def _collect(self, action: Action, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
        """Return what was seen of a batch up to now."""
        self.receive()
        batch = self._batches[action["number"]]
        self._note_overflows()
        head, column = codes(batch.out, batch.known)
        head["strays"] = list(batch.strays)
        head["overflowed"] = self._overflows[batch.overflows :]
        head["drops"] = list(drops.grown(batch.drops, self._counters.read()))
        head["bytes"] = len(column) + len(batch.into)
        return head, [column, bytes(batch.into)]

    def _reply(self, action: Action, data: bytes) -> None:
        """Reply from the destination to probes that arrived, and that no program there answered."""
        batch = self._batches[action["number"]]
        columns, first = batch.columns, self._first + batch.number * IDS
        for row in action["rows"]:
            seen, kind = batch.arrivals.get(row), REPLIES.get(batch.forms[columns.form[row]][0])
            if seen is None or kind is None:
                continue
            back, here = WireAddress.of(ip_address(seen.peer)), self._end_of(columns.destination[row])
            template = self.shared.template(kind, here.family)
            ident = (first + row) & 0xFFFFFFFF
            packet = template.pack(here.wire, back, seen.port, seen.peer_port, ident)
            here.sockets.senders[here.family].send(packet, back.text)

    def _forget(self, action: Action, data: bytes) -> None:
        batch = self._batches.pop(action["number"], None)
        for key in () if batch is None else batch.keys:
            self._by_ports.pop(key, None)

    def _ask(self, action: Action, data: bytes) -> list[str | None]:
        """Return the answers of kernels, None for those of other machines."""
        questions = [facts.Question(*question) for question in action["questions"]]
        if any(one.kind == "setting" and not _SETTING.fullmatch(one.about) for one in questions):
            raise ValueError("a setting that no coordinator asks for")
        return [facts.answer(self.shared.inside, one) if self._here(one.namespace) else None for one in questions]

    def _end(self, action: Action, data: bytes) -> None:
        self._neighbours.close()
        self.ended = True

    def _note_overflows(self) -> None:
        self._overflows += sorted(self.shared.sockets.overflowed_names())

    # --- packets ------------------------------------------------------------------------------------------------

    def receive(self, seconds: float = 0) -> None:
        """Read what has come; wait some seconds for the first packet or a step."""
        for sockets, seen in self.shared.sockets.receive(seconds):
            self._observe(sockets, seen)

    def _observe(self, sockets: NamespaceSockets, seen: Observation) -> None:
        if seen.kind == "port":
            found = self._by_ports.get((sockets.index, seen.peer, seen.peer_port, seen.port))
            if found is not None:
                found[0].note(found[1], "answered", seen.words)
            return
        number, place = divmod((seen.ident - self._first) & 0xFFFFFFFF, IDS)
        batch, row = self._batches.get(number), place % ROWS
        if batch is None or row >= len(batch.into):
            return
        destination = self._sockets[batch.columns.destination[row]]
        if place >= ROWS:
            if seen.kind == "arrival" and sockets is destination:
                batch.into[row] |= CONTROL
            return
        source = self._sockets[batch.columns.source[row]]
        protocol, port = batch.forms[batch.columns.form[row]][:2]
        if seen.kind == "arrival":
            if protocol == "UDP" and sockets is source and seen.peer_port == port:
                # A program echoes the probe's payload from the port that was probed.
                batch.note(row, "answered", "UDP reply")
            elif sockets is destination:
                batch.into[row] |= TWICE if batch.into[row] & ARRIVED else ARRIVED
                if protocol in REPLIES:
                    batch.arrivals[row] = seen
            else:
                batch.stray(row, sockets.namespace)
        elif sockets is source:
            batch.note(row, *came_back(seen, protocol, self._wires[batch.columns.to[row]].packed))


def _index(sockets: NamespaceSockets | None) -> int:
    return -1 if sockets is None else sockets.index
