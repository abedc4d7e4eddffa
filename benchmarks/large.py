"""A lab of 10,000 pods: the time of making and removing it, and the memory of the kernel and of netlab for a pod.

The floor makes the same objects by hand. A third measurement makes them one kind after the other, and reads the
memory of the kernel after each kind.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import floor, manifests, private, wire
from benchmarks.figures import Options, Ratio, Result, Row, against
from netlab.kernel.linux import Linux
from netlab.lab.lab import Lab

ABOUT = "a lab of 10,000 pods on 20 nodes in bridge mode: time, and memory for a pod, beside the same objects by hand"

PODS, NODES = 10_000, 20
# Pods whose objects are made one kind after the other.
_APART = 1_000
_UP, _DOWN, _AFTER = "netlab up", "netlab down", "the kernel frees a lab, after down"
_FLOOR_UP, _FLOOR_DOWN, _KERNEL = "floor up", "floor down", "memory of the kernel"
# The largest caches that are printed.
_CACHES = 12
_SLABINFO, _MEMINFO = Path("/proc/slabinfo"), Path("/proc/meminfo")


def run(options: Options) -> Result:
    """Measure one round: a lab, the floor, and the objects of pods one kind after the other."""
    pods = _most_pods()
    case = f"{pods:,} pods on {NODES} nodes"
    rows: list[Row] = []
    for _ in range(options.rounds or 1):
        rows += _netlab(case, pods)
        if not options.bare:
            rows += _floor(case, pods)
            rows += _apart()
    rows = _joined(rows)
    ratios: list[Ratio] = against(rows, _UP, (_FLOOR_UP,), {_FLOOR_UP: "<= 1.3"})
    ratios += against(rows, _DOWN, (_FLOOR_DOWN,), {})
    ratios += against(rows, f"netlab: {_KERNEL}", (f"floor: {_KERNEL}",), {})
    return Result("large", ABOUT, tuple(rows), tuple(ratios))


def _most_pods() -> int:
    """Return ``PODS``, or fewer, in whole hundreds, where processes may have too few descriptors.

    netlab and the floor keep two for each network namespace. The hard limit of systemd is 524,288.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(PODS, (hard // 2 - NODES - 30) // 100 * 100)


def _netlab(case: str, pods: int) -> list[Row]:
    documents = [*manifests.cluster("bench-large", NODES, pods, "bridge"), *manifests.shops(pods // 10, 5)]
    objects = manifests.objects(documents)
    private.drain()
    before, own = _caches(), _resident()
    began = time.perf_counter()
    lab = Lab.up(objects, machine=Linux())
    up = time.perf_counter() - began
    rows = _kernel_rows(case, "netlab", pods, before)
    rows.append(Row(case, "netlab's process", "kB/pod", ((_resident() - own) / pods / 1000,)))
    began = time.perf_counter()
    lab.down()
    down = time.perf_counter() - began
    return [*_times(case, pods, {_UP: up, _DOWN: down, _AFTER: private.drain()}), *rows]


def _floor(case: str, pods: int) -> list[Row]:
    private.drain()
    one, before = floor.Floor(pods, NODES), _caches()
    began = time.perf_counter()
    try:
        one.up()
        up = time.perf_counter() - began
        rows = _kernel_rows(case, "floor", pods, before)
    finally:
        began = time.perf_counter()
        one.down()
        down = time.perf_counter() - began
        private.drain()
    return [*_times(case, pods, {_FLOOR_UP: up, _FLOOR_DOWN: down}), *rows]


def _times(case: str, pods: int, seconds: Mapping[str, float]) -> list[Row]:
    return [Row(case, what, "ms/pod", (value * 1000 / pods,)) for what, value in seconds.items()]


def _kernel_rows(case: str, who: str, pods: int, before: Mapping[str, int]) -> list[Row]:
    """Return what the kernel has for a pod more than before, and with netlab the largest caches."""
    grown = {name: size - before.get(name, 0) for name, size in _caches().items()}
    rows = [Row(case, f"{who}: {_KERNEL}", "kB/pod", (sum(grown.values()) / pods / 1000,))]
    if who == "netlab":
        largest = sorted(grown, key=lambda name: -grown[name])[:_CACHES]
        rows += [Row(case, f"of that {name}", "kB/pod", (grown[name] / pods / 1000,)) for name in largest]
    return rows


def _apart() -> list[Row]:
    """Return the kernel's memory for each kind of object of a pod."""
    private.drain()
    before = sum(_caches().values())
    rows = []
    for what in _pods():
        now = sum(_caches().values())
        rows.append(Row(f"the parts of {_APART:,} pods", what, "kB/pod", ((now - before) / _APART / 1000,)))
        before = now
    private.drain()
    return rows


def _pods() -> Iterator[str]:
    """Make pods on one bridge, a kind of object after the other; yield the name of each kind when it is made."""
    directory = Path("/run/apart")
    directory.mkdir(exist_ok=True)
    gateway, gateway_mac = b"\x0a\xf4\0\1", b"\x0a\x58\x0a\xf4\0\1"
    addresses = [b"\x0a\xf4" + (i + 2).to_bytes(2, "big") for i in range(_APART)]
    macs = [b"\x0a\x58" + address for address in addresses]
    with ExitStack() as stack:
        stack.enter_context(private.back_home())
        fds = []
        for i in range(_APART):
            fds.append(private.new_network())
            stack.callback(os.close, fds[-1])
            target = directory / str(i)
            target.touch()
            private.pin(str(target))
            stack.callback(private.unpin, str(target))
        yield "network namespace, pinned"
        for fd in fds:
            private.join(fd)
            for setting, value in floor.POD:
                private.setting(setting, value)
        yield "settings"
        pods = []
        for fd in fds:
            private.join(fd)
            pods.append(wire.Socket())
            stack.callback(pods[-1].close)
        yield "netlink socket, while netlab runs"
        stack.callback(os.close, private.new_network())
        node = wire.Socket()
        stack.callback(node.close)
        node.send([wire.bridge("br", 3, gateway_mac)])
        node.send(
            wire.veth(f"veth{i}", 100 + i, b"\x0a\x59\0\0" + i.to_bytes(2, "big"), "eth0", 2, macs[i], fds[i], master=3)
            for i in range(_APART)
        )
        yield "pair of links, a port of a bridge"
        for address, pod in zip(addresses, pods, strict=True):
            pod.send([wire.raised(1), wire.raised(2), wire.address(2, address, 16), wire.route(2, gateway)])
        yield "addresses and routes, links up"
        for pod in pods:
            pod.send([wire.neighbour(2, gateway, gateway_mac)])
        node.send(wire.neighbour(3, address, mac) for address, mac in zip(addresses, macs, strict=True))
        yield "permanent neighbours"


def _joined(rows: list[Row]) -> list[Row]:
    """Return a row for each case and name, with the figures of all rounds."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        found.setdefault((row.case, row.what, row.unit), []).extend(row.values)
    return [Row(case, what, unit, tuple(values)) for (case, what, unit), values in found.items()]


def _caches() -> dict[str, int]:
    """Return the bytes of the objects in each cache of the kernel, and of data that each processor has.

    The kernel keeps the pages of what it frees for some time, so the size of caches says nothing about a second lab.
    """
    # The name, objects in use, objects, bytes of one, …
    lines = (line.split() for line in _SLABINFO.read_text().splitlines()[2:])
    found = {name: int(used) * int(size) for name, used, _, size, *_ in lines}
    (percpu,) = (line.split()[1] for line in _MEMINFO.read_text().splitlines() if line.startswith("Percpu:"))
    return {**found, "data of each processor": int(percpu) << 10}


def _resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
