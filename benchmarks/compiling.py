"""Reading, compiling and evaluating at size, without a kernel; and one label changed afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.figures import Options, Ratio, Result, Row
from benchmarks.turns import turns

ABOUT = "1,000 and 10,000 pods in 500 namespaces with 5,000 policies: read, compiled, evaluated, one label changed"

# Pods of one Deployment (each namespace has two), namespaces, policies of each, nodes, rounds.
_SIZES = ((1, 500, 10, 10, 3), (10, 500, 10, 10, 2))
_LARGE = _SIZES[-1]
_TARGETS = {
    "compile": ("seconds to compile (resolve, compile, text)", "< 10"),
    "memory": ("memory, MB", "< 1,000"),
    "evaluate": ("seconds to evaluate a million pairs", "< 10 for 1,000 pods"),
    "label": ("ms for one label, compiled as a difference", "< 20"),
    "policy": ("ms for one policy, compiled as a difference", "< 20"),
    "pod": ("ms for one pod more, compiled as a difference", "< 20"),
}


def run(options: Options) -> Result:
    """Measure each size in a process of its own, as memory is measured per process."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory() as directory:
        for size in _SIZES:
            case = f"{size[0] * size[1] * 2:,} pods, {size[1]} namespaces, {size[1] * size[2]:,} policies"
            parts: dict[str, list[float]] = {}
            turns({case: partial(_child, size, Path(directory), parts)}, options.rounds or size[4], 0, options.seconds)
            rows += [Row(case, f"{name}, {_UNITS[name][0]}", _UNITS[name][1], tuple(v)) for name, v in parts.items()]
            ratios += list(_ratios(case, {row.what.split(",")[0]: row.median for row in rows if row.case == case}))
    return Result("compile", ABOUT, tuple(rows), tuple(ratios))


_UNITS = {
    "load": ("YAML to objects", "s"),
    "resolve": ("objects to cluster", "s"),
    "rulesets": ("cluster to rulesets", "s"),
    "text": ("rulesets to text", "s"),
    "evaluate": ("each of a million pairs, or of 200,000 by chance", "us/pair"),
    "label": ("one label changed, to transactions", "ms"),
    "policy": ("one policy changed, to transactions", "ms"),
    "pod": ("one pod more, to transactions", "ms"),
    "memory": ("most that was resident", "MB"),
}


def _ratios(case: str, medians: dict[str, float]) -> list[Ratio]:
    figures = {
        "compile": medians["resolve"] + medians["rulesets"] + medians["text"],
        "memory": medians["memory"],
        "evaluate": medians["evaluate"],
        **{name: medians[name] for name in ("label", "policy", "pod")},
    }
    return [Ratio(f"{case}: {_TARGETS[name][0]}", value, _TARGETS[name][1]) for name, value in figures.items()]


def _child(size: tuple[int, ...], directory: Path, parts: dict[str, list[float]]) -> float:
    command = [sys.executable, "-m", "benchmarks.compile_once", *map(str, size[:4]), str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    for name, value in found.items():
        parts.setdefault(name, []).append(value)
    return sum(found.values())
