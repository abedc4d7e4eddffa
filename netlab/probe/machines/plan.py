"""What a coordinator knows of a run: the numbers of ends, the machines that have them, and which of these are away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NoReturn

from netlab.cluster.types import Cluster, Pod
from netlab.errors import HostError
from netlab.frozen import NamedTuple
from netlab.probe import forwarding, ports
from netlab.probe.facts import Question
from netlab.probe.machines.steps import ALWAYS, ENDS, NEVER, UNANSWERED, Action, Columns, Form
from netlab.probe.probes import End, Probe
from netlab.probe.templates import CONTROL
from netlab.probe.worker_state import Shared

_NUMBERS = 4_095


class Posted(NamedTuple):
    """An action with its columns."""

    action: Action
    data: bytes = b""


class Control(NamedTuple):
    """A control to send: from an end to another one, by the route to ``via``."""

    source: End
    destination: End
    via: End


class _NoNamespaces(Shared):
    """What the attempts share on a machine that enters no namespace: facts are what participants answered."""

    def __init__(self, cluster: Cluster, lab: str, first_ident: int, sources: range) -> None:
        super().__init__(cluster, lab, first_ident, _not_inside, sources, lambda namespace: False)
        self.known: dict[Question, str] = {}
        self.unknown: dict[Question, None] = {}

    def fact(self, question: Question) -> str:
        """Return the known answer; an unknown question is noted, and "" returned."""
        if question not in self.known:
            self.unknown[question] = None
        return self.known.get(question, "")


class Plan:
    """The state of a run on its coordinator.

    Args:
      cluster: the cluster of the lab.
      lab: the name under which it runs.
      placed: the machine of each node and outside host, by reference.
      first_ident: the first id of the run.
      sources: the source ports of the run.
    """

    def __init__(self, cluster: Cluster, lab: str, placed: Mapping[str, str], first_ident: int, sources: range) -> None:
        self.shared = _NoNamespaces(cluster, lab, first_ident, sources)
        self.away: dict[str, str] = {}
        """Why a machine takes no part any more."""
        self.failures: dict[str, str] = {}
        """Why neighbours were not added, by namespace."""
        self._placed = placed
        self._numbers: dict[int | bytes, int] = {}
        self._new: list[tuple[str, str]] = []
        self._batches = 0
        self._forgotten: list[int] = []
        self._machines: dict[int, str] = {}

    def close(self) -> None:
        self.shared.sockets.close()

    def machine(self, end: End) -> str:
        """Return the machine that has an end."""
        index = end.sockets.index
        if index not in self._machines:
            own = end.endpoint
            ref = f"node:{own.node}" if isinstance(own, Pod) else own.ref
            if ref not in self._placed:
                raise HostError(f"{ref} is on no machine")
            self._machines[index] = self._placed[ref]
        return self._machines[index]

    def lost(self, probe: Probe) -> str:
        """Return why a machine that a probe needs takes no part, "" where all do."""
        if not self.away:
            return ""
        ends = (probe.source, probe.destination, *(() if probe.translator is None else (probe.translator,)))
        return next((self.away[name] for end in ends if (name := self.machine(end)) in self.away), "")

    # --- batches ------------------------------------------------------------------------------------------------

    def batch(self, probes: Sequence[Probe], attempt: int) -> tuple[int, list[Posted]]:
        """Return the number of a new batch of probes, and the actions that prepare it."""
        columns, forms = Columns(), dict[Form, int]()
        pairs: dict[tuple[int, int], None] = {}
        relays: dict[tuple[int, int, int], None] = {}
        follows = ALWAYS if attempt else UNANSWERED
        attempt = min(attempt, ports.ATTEMPTS - 1)
        number, sources = self._number, self.shared.ports
        rows = []
        for probe in probes:
            source, destination, translator = number(probe.source), number(probe.destination), probe.translator
            to, chosen = destination, probe.source_ports
            if probe.address is not None:
                to = self._number_address(probe.address.packed, probe.address.text)
            elif translator is not None:
                to = number(translator)
            if translator is not None:
                pairs |= dict.fromkeys((number(one), number(other)) for one, other in probe.hops)
                if forwarding.must_forward(probe) and (way := forwarding.relay(self.shared, probe)) is not None:
                    pairs[number(way.sender), number(way.node)] = None
                    if way.neighbour:
                        relays[number(way.sender), number(way.node), destination] = None
            own = chosen[min(attempt, len(chosen) - 1)] if chosen else None
            port = ports.of_attempt(sources, attempt, probe.port) if own is None else own
            control = NEVER if translator is not None else follows
            form = probe.protocol, probe.port, probe.source.family, bool(chosen), control
            rows.append((source, destination, to, forms.setdefault(form, len(forms)), port))
        return self._prepared(columns, rows, forms, pairs, relays)

    def forget(self, number: int) -> None:
        """Have participants forget a batch, with the next one that is prepared."""
        self._forgotten.append(number)

    def controls(self, controls: Sequence[Control]) -> tuple[int, list[Posted]]:
        """Return the number of a new batch of controls, and the actions that prepare it."""
        forms = dict[Form, int]()
        rows, number = [], self._number
        for source, destination, via in controls:
            form = forms.setdefault((CONTROL, 0, source.family, False, NEVER), len(forms))
            rows.append((number(source), number(destination), number(via), form, 0))
        return self._prepared(Columns(), rows, forms, {}, {})

    def _prepared(
        self,
        columns: Columns,
        rows: Sequence[tuple[int, int, int, int, int]],
        forms: Mapping[Form, int],
        pairs: Iterable[tuple[int, int]],
        relays: Iterable[tuple[int, int, int]],
    ) -> tuple[int, list[Posted]]:
        columns.fill(rows)
        self._batches += 1
        # Ids before those of the first batch are for packets that no batch waits for.
        number = 1 + (self._batches - 1) % _NUMBERS
        data = columns.data()
        named = {"number": number, "rows": len(rows), "forms": list(forms), "bytes": len(data)}
        more = {"pairs": list(pairs), "relays": list(relays)}
        old, self._forgotten = self._forgotten, []
        forget = (Posted({"do": "forget", "number": one}) for one in old)
        return number, [*forget, Posted({"do": "prepare", **named, **more}, data)]

    def new_ends(self) -> Iterator[Posted]:
        """Yield actions that number the new ends, some ends each; they come before all that names one of these."""
        new, self._new = self._new, []
        for start in range(0, len(new), ENDS):
            yield Posted({"do": "ends", "ends": new[start : start + ENDS]})

    def _number(self, end: End) -> int:
        known = self._numbers.get(end.place)
        if known is None:
            known = self._numbers[end.place] = len(self._numbers)
            self._new.append((end.endpoint.ref, str(end.address)))
        return known

    def _number_address(self, packed: bytes, text: str) -> int:
        known = self._numbers.get(packed)
        if known is None:
            known = self._numbers[packed] = len(self._numbers)
            self._new.append(("", text))
        return known


def _not_inside(namespace: str) -> NoReturn:
    raise HostError(f"a coordinator enters no namespace: {namespace}")
