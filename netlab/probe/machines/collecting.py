"""Collects what machines saw of a batch: again and again, until nothing is late."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from netlab.probe.attempt import GRACE
from netlab.probe.machines.collected import Collected
from netlab.probe.machines.plan import Plan, Posted
from netlab.probe.machines.recorded import Recorded
from netlab.probe.machines.steps import ARRIVED, CONTROL
from netlab.probe.observations import REPLIES
from netlab.probe.probes import Probe

# The results of one action by machine; those of a collection have the columns too.
Results = Sequence[Mapping[str, Any]]
Requests = Generator[list[Posted] | float, Results, Any]

# Seconds between two collections of what is late.
_BETWEEN = 0.01


class Collector:
    """Collects batches of a run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wiring = Recorded(plan)
        self._ways: dict[tuple[int, int, int], str] = {}

    def collect(
        self,
        number: int,
        rows: int,
        seconds: float,
        late: Callable[[Collected], bool],
        replies: tuple[Sequence[Probe], set[int]] | None = None,
    ) -> Requests:
        """Return what was seen of a batch: as soon as nothing is late, after some seconds at most."""
        deadline = time.monotonic() + seconds
        waited = False
        while True:
            (parts,) = yield [Posted({"do": "collect", "number": number})]
            seen = Collected(rows, parts)
            if replies is not None:
                silent = [row for row in _silent(replies[0], seen) if row not in replies[1]]
                if silent:
                    replies[1].update(silent)
                    yield [Posted({"do": "reply", "number": number, "rows": silent})]
                    continue
            if not late(seen) or time.monotonic() > deadline:
                if not waited:
                    return seen
                # Where a control was late, a probe that netem put behind it may be as late.
                waited, deadline = False, 0.0
                yield max(GRACE, _BETWEEN)
                continue
            waited = True
            yield _BETWEEN

    def late(self, probes: Sequence[Probe], seen: Collected) -> bool:
        """Return whether a packet is still to come: an answer, or a control on a wired way."""
        for row, bits in enumerate(seen.into):
            if bits & CONTROL and not bits & ARRIVED:
                continue
            came = seen.known[seen.out[row]]
            if "answered" in came and bits & ARRIVED:
                continue
            probe = probes[row]
            if "refused" in came or "trouble" in came or self._plan.lost(probe):
                continue
            if "wrong_sender" in came and bits:
                continue
            if bits & ARRIVED and probe.past_node:
                continue
            if not bits & ARRIVED and self.missing_way(probe):
                continue
            if not bits & ARRIVED and probe.translator is not None:
                continue
            return True
        return False

    def missing_way(self, probe: Probe) -> str:
        """Return why no path is wired for a probe, "" where one is."""
        key = probe.source.place, probe.target.place, probe.destination.place
        known = self._ways.get(key)
        if known is None:
            if len(self._ways) > 1 << 16:
                self._ways.clear()
            known = self._ways[key] = self._wiring.missing_way(probe)
        return known


def _silent(probes: Sequence[Probe], seen: Collected) -> list[int]:
    """Return the rows of probes that arrived, and that no program and no kernel answered."""
    bare = {code for code, known in enumerate(seen.known) if "answered" not in known}
    return [
        row
        for row, (bits, code) in enumerate(zip(seen.into, seen.out, strict=True))
        if bits & ARRIVED and code in bare and probes[row].protocol in REPLIES
    ]
