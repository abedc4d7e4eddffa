"""Measures flows: sends packets from each source, receives at each destination, and gives each flow its verdict."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from types import TracebackType

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.frozen import NamedTuple
from netlab.kernel import netns, raw_sockets
from netlab.kernel.child import Child
from netlab.kernel.machine import Inside
from netlab.probe.neighbours import Neighbours
from netlab.probe.verdicts import Measurement
from netlab.probe.worker import Block, Worker

# Flows that are measured together. Only a few blocks are in memory at once, so a run may have any length.
BLOCK = 5_000
# Blocks that are probed at once. This process prepares and reports as fast as two others probe, so more would wait.
WORKERS = 2
# As many flows a flow to a Service counts.
_OF_SERVICE = 3
# A run with a smaller first block ends before a second process saves time.
_WORTH_FORKING = 2_000
# Per endpoint and family: a receiver for each of TCP, UDP, SCTP, ICMP and the control, and a sender.
_SOCKETS = 6


def measure(
    cluster: Cluster,
    flows: Iterable[Flow],
    *,
    lab: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    inside: Inside = netns.inside,
) -> Iterator[Measurement]:
    """Yield the measurement of each flow, in order; the cluster must be running.

    Many flows are measured in forked processes, a block at a time, where the caller has no other threads. Else the
    calling thread enters network namespaces; it is back in its own before anything is yielded.

    Args:
      cluster: the cluster of the running lab.
      flows: the flows to measure.
      lab: the name under which the cluster runs, by default its own.
      progress: called with the number of measured flows and of all flows (0 where it is not known).
      inside: how namespaces are entered, ``Machine.inside``; by default those of this host.

    Raises:
      NotFound: when a namespace of the lab is not there.
      HostError: when the process may not open raw sockets, or not enough of them.
      KernelError: when a process that probes is killed.
    """
    total = len(flows) if isinstance(flows, Sized) else 0
    done = 0

    def report(more: int) -> None:
        if progress is not None:
            progress(done + more, total)

    with Run(cluster, lab or cluster.name, inside) as run:
        for block in run.blocks(iter(flows), report):
            report(len(block.flows))
            done += len(block.flows)
            yield from block.measurements()


class _Work(NamedTuple):
    """A block that a child measures."""

    worker: Worker
    block: Block
    child: Child


class Run:
    """One run: its workers, the neighbours that it added, and its children. A context manager."""

    def __init__(self, cluster: Cluster, lab: str, inside: Inside) -> None:
        self._cluster = cluster
        self._lab = lab
        self._inside = inside
        self._neighbours = Neighbours(cluster, lab, inside)
        self._workers: list[Worker] = []
        self._free: deque[Worker] = deque()
        self._under_way: deque[_Work] = deque()
        # The flows that were taken and are in no yielded block, in order.
        self._taken: deque[Sequence[Flow]] = deque()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children, close the sockets and delete the neighbours that could be wrong later."""
        for work in self._under_way:
            work.child.end()
        for worker in self._workers:
            worker.close()
        self._neighbours.close()

    def unfinished(self) -> list[Flow]:
        """Return the flows, in order, that were taken and are in no block that was yielded."""
        return [flow for part in self._taken for flow in part]

    def blocks(self, flows: Iterator[Flow], advance: Callable[[int], None]) -> Iterator[Block]:
        """Yield the flows, in order, in measured blocks.

        ``advance`` is called with the approximate number of measured flows of the next block.
        """
        for block in self._blocks(flows, advance):
            self._taken.popleft()
            yield block

    def _blocks(self, flows: Iterator[Flow], advance: Callable[[int], None]) -> Iterator[Block]:
        first = self._take(flows)
        more = (_OF_SERVICE - 1) * sum(flow.service is not None for flow in first) if self._cluster.services else 0
        self._open(WORKERS if len(first) + more >= _WORTH_FORKING and may_fork(self._cluster) else 1)
        part = first
        while part:
            if len(self._workers) == 1:
                yield self._measured(part, advance)
            else:
                yield from self._beside(part)
            part = self._take(flows)
        while self._under_way:
            yield self._finish()

    def _take(self, flows: Iterator[Flow]) -> Sequence[Flow]:
        part = flows_of_block(self._cluster, flows)
        if part:
            self._taken.append(part)
        return part

    def _open(self, workers: int) -> None:
        first = int.from_bytes(os.urandom(4))
        self._workers = [
            Worker(number, first, self._cluster, self._lab, self._neighbours, self._inside) for number in range(workers)
        ]
        self._free.extend(self._workers)

    def _measured(self, flows: Sequence[Flow], advance: Callable[[int], None]) -> Block:
        """Measure a block in this process."""
        (worker,) = self._workers
        block = worker.prepare(flows)
        worker.measure(block, advance)
        if self._neighbours.many:
            self._neighbours.remove()
        return block

    def _beside(self, flows: Sequence[Flow]) -> Iterator[Block]:
        """Start to measure a block in a child; yield earlier blocks that are done."""
        ready = [] if self._free else [self._finish()]
        if self._neighbours.many:
            # The blocks that are being probed still need their neighbours.
            ready += [self._finish() for _ in range(len(self._under_way))]
            self._neighbours.remove()
        worker = self._free.popleft()
        block = worker.prepare(flows)
        self._under_way.append(_Work(worker, block, Child(lambda: worker.measured(block))))
        worker.skip(block)
        yield from ready

    def _finish(self) -> Block:
        """Wait for the oldest child and return its measured block."""
        worker, block, child = self._under_way[0]
        worker.take(block, child.result())
        self._under_way.popleft()
        self._free.append(worker)
        return block


def flows_of_block(cluster: Cluster, flows: Iterator[Flow]) -> list[Flow]:
    """Return the flows of the next block; one to a Service counts as several, as it has a probe for each endpoint."""
    if not cluster.services:
        return list(islice(flows, BLOCK))
    part: list[Flow] = []
    left = BLOCK
    while left > 0 and (flow := next(flows, None)) is not None:
        part.append(flow)
        left -= 1 if flow.service is None else _OF_SERVICE
    return part


def may_fork(cluster: Cluster) -> bool:
    """Return whether children may probe: it takes one thread, two processors, and files for all workers."""
    endpoints = len(cluster.pods) + len(cluster.hosts) + len(cluster.nodes)
    # One more for each endpoint: its neighbour table.
    files = (WORKERS * _SOCKETS * len(cluster.families) + 1) * endpoints
    return raw_sockets.may_open(files) and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1
