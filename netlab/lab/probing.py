"""Probes a lab that other commands may change meanwhile: each block of flows is measured in one state of the lab.

The lab's lock is held, shared, while this process probes, so a change waits for one block at most. The lock is released
while measurements are yielded, as their reader may take any time. A block that is under way then counts only if the lab
is unchanged when the lock is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow, service_flow
from netlab.cluster.types import Cluster, address_of
from netlab.lab import notices
from netlab.lab.record import Stamp
from netlab.probe import Measurement, Run

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

# Seconds that the end of a run, maybe by an interrupt, waits for a change.
_PATIENCE = 0.5


def probe(
    lab: Lab,
    before: Cluster,
    flows: Iterable[Flow],
    progress: Callable[[int, int], None] | None,
    anew: Callable[[Cluster], Iterable[Flow]] | None,
) -> Iterator[Measurement]:
    """Do as ``Lab.probe``; ``before`` is the cluster of the flows."""
    rest, total, done = iter(flows), length_of(flows), 0
    run: Run | None = None
    began: Stamp | None = None

    def report(more: int) -> None:
        if progress is not None:
            progress(done + more, total)

    try:
        while True:
            with lab.held(shared=True) as now:
                if run is None or now != began:
                    unfinished = [] if run is None else run.unfinished()
                    if run is not None:
                        run.close()
                    if lab.cluster is not before and anew is not None and not done:
                        before, unfinished, flows = lab.cluster, [], anew(lab.cluster)
                        rest, total = iter(flows), length_of(flows)
                    elif lab.cluster is not before and done:
                        notices.notice(
                            f"lab {lab.name} was changed meanwhile: the following results are of its new state"
                        )
                    left = chain(unfinished, rest)
                    began, run = now, Run(lab.cluster, lab.name, lab.machine.inside)
                    blocks = run.blocks(left if lab.cluster is before else in_cluster(left, lab.cluster), report)
                block = next(blocks, None)
            if block is None:
                return
            report(len(block.flows))
            done += len(block.flows)
            yield from block.measurements()
    finally:
        if run is not None:
            _close(lab, run)


def length_of(flows: Iterable[Flow]) -> int:
    return len(flows) if isinstance(flows, Sized) else 0


def _close(lab: Lab, run: Run) -> None:
    """End a run, under the lock if it is free soon: ending enters namespaces, and a ``down`` would end this process."""
    if not lab.records.exists(lab.name):
        run.close()
        return
    guard = lab.records.lock(lab.name)
    guard.acquire(shared=True, limit=_PATIENCE)
    try:
        run.close()
    finally:
        guard.release()


def in_cluster(flows: Iterable[Flow], cluster: Cluster) -> Iterator[Flow]:
    """Yield the flows with the ends of the same names in another cluster, without flows whose ends are gone."""
    for flow in flows:
        source = cluster.by_ref.get(flow.source.ref)
        if source is None:
            continue
        if flow.service is not None:
            key = flow.service.meta.key
            service = next((one for one in cluster.services if one.meta.key == key), None)
            if service is not None:
                yield service_flow(source, service, flow.protocol, flow.port, flow.family)
        elif flow.destination is None:
            yield flow._replace(source=source)
        elif (destination := cluster.by_ref.get(flow.target)) is not None:
            own = flow.address == address_of(flow.destination, flow.family)
            address = address_of(destination, flow.family) if own else flow.address
            yield flow._replace(source=source, destination=destination, address=address)
