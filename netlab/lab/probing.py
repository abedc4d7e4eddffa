"""Probing a lab that other commands may change meanwhile: each block of flows is measured in one state of the lab.

The lab's lock is held, shared, while this process probes, so that a change waits for a block at most; it is let go
whenever measurements are handed on, as their reader may take any time. What is under way then counts only where the
lab is the same when the lock is held again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, address_of
from netlab.lab import notices
from netlab.lab.record import Stamp
from netlab.probe import Measurement, Run

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

# A run that is over, maybe by an interrupt, waits for a change no longer.
_PATIENCE = 0.5


def probe(
    lab: Lab,
    before: Cluster,
    flows: Iterable[Flow],
    progress: Callable[[int, int], None] | None,
    anew: Callable[[Cluster], Iterable[Flow]] | None,
) -> Iterator[Measurement]:
    """Yield what became of the flows, which are of the cluster ``before``; see ``Lab.probe``."""
    rest, total, done = iter(flows), _length(flows), 0
    run: Run | None = None
    began: Stamp | None = None

    def told(more: int) -> None:
        if progress is not None:
            progress(done + more, total)

    try:
        while True:
            with lab.held(shared=True) as now:
                if run is None or now != began:
                    again = [] if run is None else run.unfinished()
                    if run is not None:
                        run.close()
                    if lab.cluster is not before and anew is not None and not done:
                        before, again, asked = lab.cluster, [], anew(lab.cluster)
                        rest, total = iter(asked), _length(asked)
                    elif lab.cluster is not before and done:
                        notices.notice(f"lab {lab.name} was changed meanwhile: what comes now is of its new state")
                    left = chain(again, rest)
                    began, run = now, Run(lab.cluster, lab.name, lab.machine.inside)
                    blocks = run.blocks(left if lab.cluster is before else _moved(left, lab.cluster), told)
                block = next(blocks, None)
            if block is None:
                return
            told(len(block.flows))
            done += len(block.flows)
            yield from block.measurements()
    finally:
        if run is not None:
            _close(lab, run)


def _length(flows: Iterable[Flow]) -> int:
    return len(flows) if isinstance(flows, Sized) else 0


def _close(lab: Lab, run: Run) -> None:
    """End a run, where it takes no time not beside a change: ``down`` ends who is inside a namespace."""
    if not lab.records.exists(lab.name):
        run.close()
        return
    guard = lab.records.lock(lab.name)
    guard.acquire(shared=True, limit=_PATIENCE)
    try:
        run.close()
    finally:
        guard.release()


def _moved(flows: Iterable[Flow], cluster: Cluster) -> Iterator[Flow]:
    """Yield the flows between those of a cluster that have the names of their ends; without those that are gone."""
    for flow in flows:
        source = cluster.by_ref.get(flow.source.ref)
        if source is None:
            continue
        if flow.destination is None:
            yield flow._replace(source=source)
        elif (destination := cluster.by_ref.get(flow.target)) is not None:
            own = flow.address == address_of(flow.destination, flow.family)
            address = address_of(destination, flow.family) if own else flow.address
            yield flow._replace(source=source, destination=destination, address=address)
