"""``netlab reach`` at size: 1,000 pods pair by pair, 10,000 by groups."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.compile_once import written
from benchmarks.figures import Options, Ratio, Result, Row
from benchmarks.turns import turns

ABOUT = "netlab reach of 1,000 pods pair by pair, and of 10,000 by groups, with 5,000 policies in 500 namespaces"

_NAMESPACES, _POLICIES, _ROUNDS = 500, 10, 3


@dataclass(frozen=True, slots=True)
class _Case:
    """One command: pods of each of a namespace's two Deployments, nodes, options, and the largest seconds allowed."""

    name: str
    replicas: int
    nodes: int
    options: tuple[str, ...]
    target: int

    @property
    def pairs(self) -> int:
        pods = 2 * self.replicas * _NAMESPACES
        return pods * (pods - 1)


# On one node all pods are connected, so policies decide each pair. The bridge networks of ten nodes are not connected:
# the 20 pods of a namespace all have different verdicts, and there are as many groups as pods.
_CASES = (
    _Case("reach, 1,000 pods", 1, 1, (), 10),
    _Case("reach -o json, 1,000 pods", 1, 1, ("-o", "json"), 0),
    _Case("reach --group, 10,000 pods in 1,000 groups", 10, 1, ("--group",), 20),
    _Case("reach --group, 10,000 pods in 10,000 groups", 10, 10, ("--group",), 20),
)


def run(options: Options) -> Result:
    """Measure each command in a process of its own, as memory is measured per process; it reads the input too."""
    memory: dict[str, list[float]] = {case.name: [] for case in _CASES}
    with tempfile.TemporaryDirectory() as directory:
        contestants = {case.name: partial(_once, case, Path(directory), memory[case.name]) for case in _CASES}
        seconds = turns(contestants, options.rounds or _ROUNDS, seconds=options.seconds)
    rows: list[Row] = []
    ratios: list[Ratio] = []
    for case in _CASES:
        took = Row(case.name, "whole command", "s", tuple(seconds[case.name]))
        rows += [took, Row(case.name, "most that was resident", "MB", tuple(memory[case.name]))]
        rate = case.pairs / took.median
        ratios.append(Ratio(f"{case.name}: seconds", took.median, f"< {case.target}" if case.target else ""))
        ratios.append(Ratio(f"{case.name}: pairs a second", rate))
    return Result("reach", ABOUT, tuple(rows), tuple(ratios))


def _once(case: _Case, directory: Path, memory: list[float]) -> float:
    file = directory / f"{case.replicas}-{case.nodes}.json"
    written(file, case.replicas, _NAMESPACES, _POLICIES, case.nodes)
    command = [sys.executable, "-m", "benchmarks.command_once", "reach", "-f", str(file), *case.options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    memory.append(found["memory"])
    return found["seconds"]
