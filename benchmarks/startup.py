"""Commands that do next to nothing: what is left is the start."""

from __future__ import annotations

from benchmarks.commands import NOTHING, ROOT, python
from benchmarks.figures import Options, Ratio, Result, against, rows_of
from benchmarks.turns import turns

ABOUT = "netlab --help, check and compile of one file, reach and explain of a small example, shell to shell"

_CASE = "start"
_HELP, _CHECK = "netlab --help", "netlab check -f FILE"
_FILE, _SHOP = str(ROOT / "scenarios/manifests/three-pods.yaml"), str(ROOT / "examples/shop")
# Commands that have no target; the room tests of tests/cli/test_help.py are about them too.
_OTHERS = {
    "netlab compile -f FILE": ("compile", "-f", _FILE),
    "netlab reach -f examples/shop": ("reach", "-f", _SHOP),
    "netlab explain -f examples/shop": ("explain", "shop/web", "shop/db", "-f", _SHOP),
}
_TARGETS = {_HELP: "< 0.15", _CHECK: "< 0.3"}


def run(options: Options) -> Result:
    """Measure the commands beside an empty Python and the libraries that they cannot do without."""
    contestants = {_HELP: python("-m", "netlab", "--help"), _CHECK: python("-m", "netlab", "check", "-f", _FILE)}
    contestants |= {what: python("-m", "netlab", *arguments) for what, arguments in _OTHERS.items()}
    if not options.bare:
        contestants[NOTHING[0]] = python(*NOTHING[1])
        contestants["python -c 'import click'"] = python("-c", "import click")
        contestants["python -c 'import click, yaml'"] = python("-c", "import click, yaml")
    rows = rows_of(_CASE, "ms", turns(contestants, options.rounds or 11, 1, options.seconds), 1000)
    ratios = against(rows, _HELP, (NOTHING[0], "python -c 'import click'"), {})
    ratios += against(rows, _CHECK, (NOTHING[0], "python -c 'import click, yaml'"), {})
    ratios += [Ratio(f"{row.what}, seconds", row.median / 1000, _TARGETS[row.what]) for row in rows[:2]]
    return Result("startup", ABOUT, tuple(rows), tuple(ratios))
