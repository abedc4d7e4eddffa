"""Measures labs from inside of a machine of ``bed.py``: functions of ``driver.py`` about probing."""

from __future__ import annotations

import itertools
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netlab import load
from netlab.cluster import resolve
from netlab.lab.lab import Lab
from netlab.store.etcd_client import EtcdClient, below, plain
from netlab.store.etcd_settings import settings


def participate(lab: str, url: str, machine: str, runs: int) -> Any:
    """Take part in some runs of a lab, one after the other, as the agent of a machine has a process do."""
    from netlab.machines import probing

    client = EtcdClient(settings([url], lease=2))
    prefix = client.key("probes", lab, "")
    known: set[str] = set()
    while len(known) < runs:
        kvs = client.call("kv/range", {**below(prefix), "keys_only": True}).get("kvs", ())
        keys = [plain(kv["key"]).decode().removeprefix(prefix) for kv in kvs]
        for run in {key.partition("/")[0] for key in keys if key.endswith("/open")} - known:
            known.add(run)
            with Lab.open(lab) as opened:
                opened.cluster  # noqa: B018
                began = _cpu()
                probing.participate(client, opened, machine, run)
        time.sleep(0.01)
    return {"cpu": _cpu() - began}


def measured(
    lab: str, files: Sequence[str], url: str, placed: dict[str, str], away: Sequence[str] = (), **more: Any
) -> Any:
    """Measure flows of a lab whose parts other machines have; return a row for each, and what went through etcd."""
    from netlab.cluster.flows import FlowSelection
    from netlab.machines import probing

    objects, _ = load(files)
    cluster = replace(resolve(objects), name=lab)
    flows = FlowSelection(ports=tuple((p, n) for p, n in more.pop("ports", ())), **more).flows(cluster)
    began = time.monotonic()
    client = EtcdClient(settings([url], lease=2))
    there = probing.measure(client, lab, cluster, placed, flows, alive=lambda name: name not in away)
    found = [_row(one) for one in there]
    return {"rows": found, "seconds": time.monotonic() - began}


def alone(lab: str, files: Sequence[str], **more: Any) -> Any:
    """Build a whole lab on this machine; return the rows that ``measured`` would, and remove the lab."""
    from netlab.cluster.flows import FlowSelection

    objects, _ = load(files)
    flows = FlowSelection(ports=tuple((p, n) for p, n in more.pop("ports", ())), **more)
    with Lab.temporary(objects) as opened:
        return [_row(one) for one in opened.probe(list(flows.flows(opened.cluster)))]


def timed(lab: str, files: Sequence[str], url: str, placed: dict[str, str]) -> Any:
    """Measure all pairs of a lab on several machines; return counts, seconds and the bytes of values in etcd."""
    from netlab.cluster.flows import FlowSelection
    from netlab.machines import probe_channel, probing

    objects, _ = load(files)
    cluster = replace(resolve(objects), name=lab)
    made: list[probe_channel.EtcdChannel] = []

    class Counted(probe_channel.EtcdChannel):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    setattr(probe_channel, "EtcdChannel", Counted)  # noqa: B010
    began, cpu = time.monotonic(), _cpu()
    counts = Counter[str](
        one.verdict
        for one in probing.measure(EtcdClient(settings([url])), lab, cluster, placed, FlowSelection().flows(cluster))
    )
    return _timed(counts, time.monotonic() - began, _cpu() - cpu) | {"bytes": sum(one.bytes for one in made)}


def timed_alone(lab: str, files: Sequence[str]) -> Any:
    """Build a whole lab on this machine; return what ``timed`` would, and remove the lab."""
    from netlab.cluster.flows import FlowSelection

    objects, _ = load(files)
    with Lab.temporary(objects) as opened:
        began, cpu = time.monotonic(), _cpu()
        counts = Counter[str](one.verdict for one in opened.probe(FlowSelection().flows(opened.cluster)))
        return _timed(counts, time.monotonic() - began, _cpu() - cpu)


def _timed(counts: Counter[str], seconds: float, cpu: float) -> dict[str, Any]:
    rate = counts.total() / seconds
    return {"verdicts": dict(counts), "seconds": round(seconds, 3), "each second": round(rate), "cpu": round(cpu, 3)}


def _cpu() -> float:
    """Return the processor seconds of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def endless(lab: str, files: Sequence[str], url: str, placed: dict[str, str]) -> Any:
    """Measure the pairs of a lab again and again; say when the first is measured."""
    for number, _ in enumerate(_again(lab, files, url, placed, itertools.repeat(None))):
        if not number:
            print("measured", flush=True)


def slowly(lab: str, files: Sequence[str], url: str, placed: dict[str, str]) -> Any:
    """Measure the pairs of a lab a thousand times, and say when the first is measured; return counts of verdicts."""
    found = Counter[str]()
    for one in _again(lab, files, url, placed, itertools.repeat(None, 1000)):
        if not found:
            print("measured", flush=True)
            time.sleep(1)
        found[one.verdict] += 1
    return found


def _again(lab: str, files: Sequence[str], url: str, placed: dict[str, str], times: Iterable[None]) -> Iterator[Any]:
    from netlab.cluster.flows import every_pair
    from netlab.machines import probing

    objects, _ = load(files)
    cluster = replace(resolve(objects), name=lab)
    flows = (flow for _ in times for flow in every_pair(cluster))
    return probing.measure(EtcdClient(settings([url], lease=2)), lab, cluster, placed, flows)


def _row(one: Any) -> tuple[Any, ...]:
    flow = one.flow
    return flow.source.ref, flow.target, flow.family, flow.protocol, flow.port, one.verdict, one.reason


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "participate": participate,
    "measured": measured,
    "alone": alone,
    "endless": endless,
    "slowly": slowly,
    "timed": timed,
    "timed_alone": timed_alone,
}
