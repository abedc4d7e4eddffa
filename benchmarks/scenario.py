"""The smallest scenario as a command: start, build, probe, verify, remove."""

from __future__ import annotations

from benchmarks.commands import NOTHING, ROOT, python
from benchmarks.figures import Options, Ratio, Result, against, rows_of
from benchmarks.turns import turns

ABOUT = "netlab test of three pods on one node, shell to shell"

_CASE = "scenarios/00-three-pods.yaml"
_TEST, _HELP = "netlab test", "netlab --help"


def run(options: Options) -> Result:
    """Measure the command beside an empty Python and netlab's own start."""
    contestants = {_TEST: python("-m", "netlab", "test", str(ROOT / _CASE))}
    if not options.bare:
        contestants |= {_HELP: python("-m", "netlab", "--help"), NOTHING[0]: python(*NOTHING[1])}
    rows = rows_of(_CASE, "ms", turns(contestants, options.rounds or 7, 1, options.seconds), 1000)
    ratios = against(rows, _TEST, (NOTHING[0], _HELP), {})
    ratios.append(Ratio(f"{_TEST}, seconds", rows[0].median / 1000, "< 1.5, aim 1"))
    return Result("scenario", ABOUT, tuple(rows), tuple(ratios))
