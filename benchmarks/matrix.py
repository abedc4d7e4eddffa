"""Probing every pair: of pods on one node, and of very many pods on ten nodes, whose rows must not be kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks import manifests, private
from benchmarks.figures import Options, Ratio, Result, Row, against
from benchmarks.sockets import Pair
from benchmarks.turns import turns
from netlab.cluster.flows import Flow, every_pair
from netlab.lab.lab import Lab
from netlab.probe import measure

ABOUT = "every pair of 100 and of 200 pods on one node, and netlab probe of 200 and 1,000 on ten"

# Pods, whether policies deny most, protocol, rounds.
_CASES = (
    (100, True, "TCP", 5),
    (200, True, "TCP", 3),
    (200, True, "UDP", 3),
    (200, False, "TCP", 3),
    (200, False, "UDP", 3),
)
# Pods on ten nodes; the command probes each lab once.
_LARGE, _NODES = (200, 1000), 10
_APPS = 10
_NETLAB, _FLOOR = "netlab", "floor: raw sockets, a Python loop"


def run(options: Options) -> Result:
    """Measure mostly denied and all allowed matrices, beside a loop that sends and receives as many packets."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    for pods, policies, protocol, rounds in _CASES:
        case = f"{pods} pods, {'mostly denied' if policies else 'all allowed'}, {protocol}"
        found, verdicts = _measure(case, _documents(pods, policies), protocol, options, rounds)
        rows += found
        ratios += against(found, _NETLAB, (_FLOOR,), {})
        total, each = sum(verdicts.values()), found[0].median / 1e6
        ratios.append(Ratio(f"{case}: seconds for {total:,} pairs", each * total, "< 5" if pods == 100 else ""))
        ratios.append(Ratio(f"{case}: verdicts per second", 1 / each, ">= 20,000, aim 50,000"))
        ratios.append(Ratio(f"{case}: inconclusive", verdicts["inconclusive"], "0"))
    if not options.bare:
        found, more = _large()
        rows += found
        ratios += more
    return Result("matrix", ABOUT, tuple(rows), tuple(ratios))


def _measure(
    case: str, documents: list[dict[str, Any]], protocol: str, options: Options, rounds: int
) -> tuple[list[Row], Counter[str]]:
    private.drain()
    lab = Lab.up(manifests.objects(documents))
    try:
        flows = list(every_pair(lab.cluster, [(protocol, manifests.PORT)]))
        verdicts: Counter[str] = Counter()

        def netlab() -> float:
            began = time.perf_counter()
            found = Counter(one.verdict for one in measure(lab.cluster, flows))
            took = time.perf_counter() - began
            verdicts.clear()
            verdicts.update(found)
            return took

        contestants: dict[str, Callable[[], float]] = {_NETLAB: netlab}
        with Pair() as pair:
            if not options.bare:
                contestants[_FLOOR] = lambda: pair.exchange(_packets(flows, verdicts))
            found = turns(contestants, options.rounds or rounds, 1, options.seconds)
    finally:
        lab.down()
    scale = 1e6 / len(flows)
    rows = [Row(case, what, "us/verdict", tuple(v * scale for v in values)) for what, values in found.items()]
    return rows, verdicts


def _large() -> tuple[list[Row], list[Ratio]]:
    """Measure the time and memory of ``netlab probe -o json`` in labs with many pairs."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    memory: list[float] = []
    for pods in _LARGE:
        case = f"{pods:,} pods on {_NODES} nodes, overlay, TCP, mostly denied"
        private.drain()
        lab = Lab.up(manifests.objects(_documents(pods, True, _NODES, "overlay")))
        try:
            seconds, megabytes, summary = _command(lab.name)
        finally:
            lab.down()
        pairs = summary["pairs"]
        memory.append(megabytes)
        rows.append(Row(case, "netlab probe -o json", "us/verdict", (seconds / pairs * 1e6,)))
        rows.append(Row(case, "most memory of a process", "MB", (megabytes,)))
        ratios.append(Ratio(f"{case}: seconds for {pairs:,} pairs", seconds))
        ratios.append(Ratio(f"{case}: inconclusive", summary["inconclusive"], "0"))
    ratios.append(Ratio(f"most memory, {_LARGE[1]:,} pods / {_LARGE[0]} pods", memory[1] / memory[0], "the lab's part"))
    return rows, ratios


def _command(lab: str) -> tuple[float, float, dict[str, int]]:
    """Run ``netlab probe``; return its seconds, its megabytes, and the summary that it printed."""
    with tempfile.TemporaryFile("w+") as printed:
        began = time.perf_counter()
        command = [sys.executable, "-m", "netlab", "probe", "--lab", lab, "-o", "json"]
        process = subprocess.Popen(command, stdout=printed)
        # The largest of the process and its children (getrusage(2)).
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        printed.seek(0)
        *_, last = printed
    # The last line closes the rows, and then the document: ``], "summary": {…}}``.
    summary: dict[str, int] = json.loads(last.removeprefix('], "summary": ').rstrip().removesuffix("}"))
    return seconds, usage.ru_maxrss / 1024, summary


def _packets(flows: list[Flow], verdicts: Counter[str]) -> int:
    """Return the number of packets of a run: a probe for each pair, and an answer or a control."""
    return 2 * (sum(verdicts.values()) or len(flows))


def _documents(pods: int, policies: bool, nodes: int = 1, mode: str = "bridge") -> list[dict[str, Any]]:
    """Return ten Deployments; with policies, only every second one accepts packets, from the one before it."""
    names = [f"app-{i}" for i in range(_APPS)]
    topology = manifests.topology("bench-matrix", nodes)
    topology["spec"]["networks"] = [{"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16"]}]
    documents = [topology]
    documents += [manifests.deployment("bench", name, pods // _APPS) for name in names]
    if policies:
        documents.append(manifests.policy("bench", "deny-all", {"podSelector": {}, "policyTypes": ["Ingress"]}))
        for client, server in zip(names[::2], names[1::2], strict=True):
            spec = {
                "podSelector": {"matchLabels": {"app": server}},
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": client}}}]}],
            }
            documents.append(manifests.policy("bench", f"{client}-to-{server}", spec))
    return documents
