"""The start of commands that do almost nothing."""

from __future__ import annotations

from benchmarks.commands import NOTHING, ROOT, python
from benchmarks.figures import Options, Ratio, Result, against, rows_of
from benchmarks.turns import turns

ABOUT = "netlab --help and netlab check on one file, shell to shell"

_CASE = "start"
_HELP, _CHECK = "netlab --help", "netlab check -f FILE"
_FILE = ROOT / "scenarios/manifests/three-pods.yaml"
_TARGETS = {_HELP: "< 0.15", _CHECK: "< 0.3"}


def run(options: Options) -> Result:
    """Measure both commands beside an empty Python and the libraries that they need."""
    contestants = {_HELP: python("-m", "netlab", "--help"), _CHECK: python("-m", "netlab", "check", "-f", str(_FILE))}
    if not options.bare:
        contestants[NOTHING[0]] = python(*NOTHING[1])
        contestants["python -c 'import click'"] = python("-c", "import click")
        contestants["python -c 'import click, yaml'"] = python("-c", "import click, yaml")
    rows = rows_of(_CASE, "ms", turns(contestants, options.rounds or 11, warm=1), 1000)
    ratios = against(rows, _HELP, (NOTHING[0], "python -c 'import click'"), {})
    ratios += against(rows, _CHECK, (NOTHING[0], "python -c 'import click, yaml'"), {})
    ratios += [Ratio(f"{row.what}, seconds", row.median / 1000, _TARGETS[row.what]) for row in rows[:2]]
    return Result("startup", ABOUT, tuple(rows), tuple(ratios))
