"""Measures flows: sends packets from every source, watches at every destination, and says what became of them."""

from __future__ import annotations

import os
import resource
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from types import TracebackType
from typing import NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.probe.child import Child
from netlab.probe.lane import Block, Lane
from netlab.probe.neighbours import Neighbours
from netlab.probe.verdicts import Measurement

# Flows that are measured together. A few blocks are in memory at once: a run of any length streams.
BLOCK = 5_000
# Blocks under way at once. This process prepares and reports as fast as two others probe, so more would wait for it.
LANES = 2
# A smaller first block is a run that is over before another process would be of use.
_WORTH_FORKING = 2_000
# Per endpoint and family: a receiver for each of TCP, UDP, SCTP, ICMP and the control, and a sender.
_SOCKETS = 6


def measure(
    cluster: Cluster,
    flows: Iterable[Flow],
    *,
    lab: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Measurement]:
    """Yield what packets say about each flow, in order; the cluster must be running as lab ``lab`` (its own name).

    ``progress`` is told how many flows are measured and how many there are, 0 when that is not known. The calling
    thread enters network namespaces and comes back before anything is yielded. Many flows are measured a block at a
    time in processes forked for it, where the caller has no other threads; else by the calling thread itself.

    Raises:
      NotFound: when a namespace of the lab is not there.
      HostError: when the process may not open raw sockets, or not enough of them.
      KernelError: when a process that probes is killed.
    """
    total = len(flows) if isinstance(flows, Sized) else 0
    done = 0

    def told(more: int) -> None:
        if progress is not None:
            progress(done + more, total)

    with Run(cluster, lab or cluster.name) as run:
        for block in run.blocks(iter(flows), told):
            told(len(block.flows))
            done += len(block.flows)
            yield from block.measurements()


class _Work(NamedTuple):
    """A block that a child measures."""

    lane: Lane
    block: Block
    child: Child


class Run:
    """The lanes, pinned neighbours and children of one call of ``measure``; a context manager."""

    def __init__(self, cluster: Cluster, lab: str) -> None:
        self._cluster = cluster
        self._lab = lab
        self._neighbours = Neighbours(cluster, lab)
        self._lanes: list[Lane] = []
        self._free: deque[Lane] = deque()
        self._under_way: deque[_Work] = deque()
        # What was taken from the flows and is not in a block that was yielded, in order.
        self._taken: deque[Sequence[Flow]] = deque()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, and let go of everything."""
        for work in self._under_way:
            work.child.end()
        for lane in self._lanes:
            lane.close()
        self._neighbours.close()

    def unfinished(self) -> list[Flow]:
        """Return the flows, in order, that were taken and are in no block that was yielded."""
        return [flow for part in self._taken for flow in part]

    def blocks(self, flows: Iterator[Flow], advance: Callable[[int], None]) -> Iterator[Block]:
        """Yield the flows, in order, in blocks that are measured; ``advance`` is told how far the next one is."""
        for block in self._blocks(flows, advance):
            self._taken.popleft()
            yield block

    def _blocks(self, flows: Iterator[Flow], advance: Callable[[int], None]) -> Iterator[Block]:
        first = self._take(flows)
        self._open(LANES if len(first) >= _WORTH_FORKING and may_fork(self._cluster) else 1)
        part = first
        while part:
            if len(self._lanes) == 1:
                yield self._measured(part, advance)
            else:
                yield from self._beside(part)
            part = self._take(flows)
        while self._under_way:
            yield self._finish()

    def _take(self, flows: Iterator[Flow]) -> Sequence[Flow]:
        part = list(islice(flows, BLOCK))
        if part:
            self._taken.append(part)
        return part

    def _open(self, lanes: int) -> None:
        first = int.from_bytes(os.urandom(4))
        self._lanes = [Lane(n, first, self._cluster, self._lab, self._neighbours) for n in range(lanes)]
        self._free.extend(self._lanes)

    def _measured(self, flows: Sequence[Flow], advance: Callable[[int], None]) -> Block:
        """Measure a block in this process."""
        (lane,) = self._lanes
        block = lane.prepare(flows)
        lane.settle(block, advance)
        if self._neighbours.many:
            self._neighbours.remove()
        return block

    def _beside(self, flows: Sequence[Flow]) -> Iterator[Block]:
        """Start to measure a block in a child; yield those before it that are done by then."""
        ready = [] if self._free else [self._finish()]
        if self._neighbours.many:
            # What is under way needs its neighbours still.
            ready += [self._finish() for _ in range(len(self._under_way))]
            self._neighbours.remove()
        lane = self._free.popleft()
        block = lane.prepare(flows)
        self._under_way.append(_Work(lane, block, Child(lambda: lane.settled(block))))
        lane.skip(block)
        yield from ready

    def _finish(self) -> Block:
        """Return the block that is longest under way, measured."""
        lane, block, child = self._under_way[0]
        lane.take(block, child.result())
        self._under_way.popleft()
        self._free.append(lane)
        return block


def may_fork(cluster: Cluster) -> bool:
    """Say whether children may probe: this process has one thread, two processors and files enough for all lanes."""
    everyone = len(cluster.pods) + len(cluster.hosts) + len(cluster.nodes)
    files = LANES * _SOCKETS * everyone * len(cluster.families)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = most == resource.RLIM_INFINITY or files < most
    return enough and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1
