"""``netlab compare`` at size, beside the reasons of one profile eight times."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.commands import python
from benchmarks.compile_once import written
from benchmarks.figures import Options, Ratio, Result, ratio, rows_of
from benchmarks.turns import turns

ABOUT = "netlab compare of 1,000 pods on 6 nodes under eight profiles, beside reach -o json under one, eight times"

_NAMESPACES, _REPLICAS, _POLICIES, _NODES, _ROUNDS, _PROFILES = 25, 20, 3, 6, 3, 8
_TABLE, _JSON, _ONE = "netlab compare", "netlab compare -o json", "netlab reach -o json --as calico, eight times"


def run(options: Options) -> Result:
    """Measure whole commands: each reads the input, and writes its output to a pipe."""
    with tempfile.TemporaryDirectory() as directory:
        file = str(written(Path(directory, "input.json"), _REPLICAS, _NAMESPACES, _POLICIES, _NODES))
        contestants = {
            _TABLE: python("-m", "netlab", "compare", "-f", file),
            _JSON: python("-m", "netlab", "compare", "-f", file, "-o", "json"),
        }
        if not options.bare:
            contestants[_ONE] = _repeated(python("-m", "netlab", "reach", "-f", file, "-o", "json", "--as", "calico"))
        rows = rows_of("1,000 pods", "s", turns(contestants, options.rounds or _ROUNDS, seconds=options.seconds))
    ratios: list[Ratio] = []
    if not options.bare:
        table, document, one = rows
        ratios = [ratio(f"{table.what} / {_ONE}", table, one), ratio(f"{document.what} / {_ONE}", document, one)]
    return Result("compare", ABOUT, tuple(rows), tuple(ratios))


def _repeated(once: Callable[[], float]) -> Callable[[], float]:
    return lambda: sum(once() for _ in range(_PROFILES))
