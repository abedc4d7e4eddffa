"""Bring-up and removal of labs in bridge mode: the time per pod, and whether it grows with the number of pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock

from benchmarks import floor, manifests, peers, private
from benchmarks.figures import Options, Ratio, Result, Row, against
from benchmarks.turns import turns
from netlab.kernel.linux import Linux
from netlab.kernel.machine import Machine
from netlab.lab.lab import Lab
from netlab.objects import Objects

ABOUT = "a lab in bridge mode made and removed, per pod, beside the same objects made with hand-packed netlink"

# Pods, nodes, rounds. Peers are measured with the first size only: they are slow, and their time per pod is constant.
SIZES = ((50, 4, 5), (200, 4, 5), (1000, 10, 3))
_UP, _KERNEL, _DOWN = "netlab up", "netlab up, its kernel calls", "netlab down"
_FLOOR_UP, _FLOOR_DOWN, _AFTER = "floor up", "floor down", "the kernel frees a lab, after down"
_OURS = frozenset({_UP, _KERNEL, _DOWN, _AFTER, _FLOOR_UP, _FLOOR_DOWN})


class Stopwatch:
    """The real kernel with a clock; ``seconds`` is the time during which at least one of its calls ran."""

    def __init__(self, kernel: Machine) -> None:
        self._kernel = kernel
        self._lock = Lock()
        self._calls = 0
        self._began = 0.0
        self.seconds = 0.0

    def __getattr__(self, name: str) -> object:
        method = getattr(self._kernel, name)
        if not callable(method):
            return method

        def timed(*arguments: object, **options: object) -> object:
            self._count(1)
            try:
                return method(*arguments, **options)
            finally:
                self._count(-1)

        return timed

    def _count(self, change: int) -> None:
        with self._lock:
            if not self._calls:
                self._began = time.perf_counter()
            self._calls += change
            if not self._calls:
                self.seconds += time.perf_counter() - self._began


def run(options: Options) -> Result:
    """Measure every size; the ratios are per pod."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    beside, absent = ({}, []) if options.bare else peers.found()
    for pods, nodes, rounds in SIZES:
        found = _measure(pods, nodes, options, rounds, beside if pods == SIZES[0][0] else {})
        rows += found
        ratios += against(found, _UP, (_FLOOR_UP,), {_FLOOR_UP: "<= 2, aim 1.5" if pods == 200 else ""})
        ratios += against(found, _KERNEL, (_FLOOR_UP,), {})
        ratios += against(found, _DOWN, (_FLOOR_DOWN,), {})
        ratios += against(found, _UP, [row.what for row in found if row.what not in _OURS], {})
    ups = {row.case: row for row in rows if row.what == _UP}
    small, large = (ups[_case(*size[:2])] for size in SIZES[1:])
    ratios.append(Ratio(f"{_UP} per pod: {large.case} / {small.case}", large.median / small.median, "<= 1.2"))
    return Result("bringup", ABOUT, tuple(rows), tuple(ratios), tuple(absent))


def _case(pods: int, nodes: int) -> str:
    return f"{pods:,} pods on {nodes} nodes"


def _measure(
    pods: int, nodes: int, options: Options, rounds: int, beside: Mapping[str, Callable[[int], peers.Peer]]
) -> list[Row]:
    parts: dict[str, list[float]] = {}
    documents = [manifests.topology(f"bench-{pods}", nodes), *manifests.shops(pods // 10, 5)]
    objects = manifests.objects(documents)

    contestants: dict[str, Callable[[], float]] = {_UP: lambda: _netlab(objects, parts)}
    if not options.bare:
        contestants[_FLOOR_UP] = lambda: _floor(pods, nodes, parts)
    for name, make in beside.items():
        contestants[name] = partial(_peer, make, pods)
    found: dict[str, Sequence[float]] = {}
    found.update(turns(contestants, options.rounds or rounds, seconds=options.seconds))
    found.update(parts)
    scale = 1000 / pods
    return [Row(_case(pods, nodes), what, "ms/pod", tuple(v * scale for v in values)) for what, values in found.items()]


def _netlab(objects: Objects, parts: dict[str, list[float]]) -> float:
    private.drain()
    kernel = Stopwatch(Linux())
    began = time.perf_counter()
    lab = Lab.up(objects, machine=kernel)  # type: ignore[arg-type]
    took = time.perf_counter() - began
    parts.setdefault(_KERNEL, []).append(kernel.seconds)
    began = time.perf_counter()
    lab.down()
    parts.setdefault(_DOWN, []).append(time.perf_counter() - began)
    parts.setdefault(_AFTER, []).append(private.drain())
    return took


def _floor(pods: int, nodes: int, parts: dict[str, list[float]]) -> float:
    private.drain()
    one = floor.Floor(pods, nodes)
    began = time.perf_counter()
    try:
        one.up()
        took = time.perf_counter() - began
    finally:
        began = time.perf_counter()
        one.down()
    parts.setdefault(_FLOOR_DOWN, []).append(time.perf_counter() - began)
    return took


def _peer(make: Callable[[int], peers.Peer], pods: int) -> float:
    private.drain()
    peer = make(pods)
    began = time.perf_counter()
    peer.up()
    took = time.perf_counter() - began
    peer.down()
    return took
