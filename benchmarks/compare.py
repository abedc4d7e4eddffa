"""``python -m benchmarks.compare BASE [NAME…]``: compare the working tree with another revision, in paired rounds.

Both are measured by the benchmarks of the working tree, with the same inputs; only the package ``netlab`` differs. The
other revision is unpacked into a directory of its own, so that nothing in the repository changes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import tables
from benchmarks.__main__ import BENCHMARKS
from benchmarks.commands import ROOT

_DEFAULT = ("startup", "scenario", "matrix", "bringup")
_ROUNDS = 3

Figures = dict[tuple[str, str, str], float]
"""A figure of one run, by benchmark, case and what."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a ratio for every figure; return 2 if the revision or a benchmark is unknown or fails."""
    options = _parser().parse_args(arguments)
    names = options.names or list(_DEFAULT)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)} (there are: {', '.join(BENCHMARKS)})\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="netlab-compare-") as directory:
        base = Path(directory, "base")
        try:
            unpack(options.base, base)
            places = {"base": _place(Path(directory), base), "head": _place(Path(directory), ROOT)}
            found = _measure(places, names, options.rounds)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr if isinstance(error.stderr, str) else error.stderr.decode())
            return 2
    sys.stdout.write(table(options.base, found["base"], found["head"]))
    return 0


def unpack(revision: str, target: Path) -> None:
    """Write a revision's package below ``target``; raises CalledProcessError for an unknown revision."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "netlab"]
    done = subprocess.run(command, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")


def table(revision: str, base: Sequence[Figures], head: Sequence[Figures]) -> str:
    """Return the medians of both sides and of the ratios of their rounds, for every figure that both have."""
    rows = []
    for key in base[0]:
        pairs = [(b[key], h[key]) for b, h in zip(base, head, strict=True) if key in b and key in h]
        if not pairs:
            continue
        ratios = [h / b for b, h in pairs if b]
        middle = tables.number(median(ratios)) if ratios else "-"
        spread = f"{tables.number(min(ratios))} to {tables.number(max(ratios))}" if ratios else "-"
        medians = [tables.number(median(side)) for side in zip(*pairs, strict=True)]
        rows.append((": ".join(key), *medians, middle, spread))
    header = ("FIGURE", revision.upper(), "WORKING TREE", "RATIO", "OF THE PAIRS")
    return "\n".join(tables.columns(header, rows)) + "\n"


def figures(document: Mapping[str, object]) -> Figures:
    """Return the medians of one run's JSON."""
    results = document["results"]
    assert isinstance(results, list)
    return {
        (r["name"], row["case"], f"{row['what']}, {row['unit']}"): row["median"] for r in results for row in r["rows"]
    }


def _measure(places: Mapping[str, Path], names: Sequence[str], rounds: int) -> dict[str, list[Figures]]:
    """Run every benchmark once for each side and round; the side that begins changes from round to round."""
    found: dict[str, list[Figures]] = {"base": [], "head": []}
    for number in range(rounds):
        for side in ("base", "head") if number % 2 == 0 else ("head", "base"):
            sys.stderr.write(f"round {number + 1} of {rounds}: {side}\n")
            command = [sys.executable, "-m", "benchmarks", *names, "--bare", "--rounds", "1", "-o", "json"]
            # Without the safe path Python would import the netlab of the current directory.
            environment = {**os.environ, "PYTHONPATH": str(places[side]), "PYTHONSAFEPATH": "1"}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[side].append(figures(json.loads(done.stdout)))
    return found


def _place(directory: Path, tree: Path) -> Path:
    """Return a directory with one tree's netlab and the working tree's benchmarks only."""
    place = Path(tempfile.mkdtemp(dir=directory))
    (place / "netlab").symlink_to(tree / "netlab")
    (place / "benchmarks").symlink_to(ROOT / "benchmarks")
    return place


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("base", metavar="BASE", help="the revision to compare with, as git names it")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"the benchmarks to run; by default {' '.join(_DEFAULT)}"
    )
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="pairs of runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
