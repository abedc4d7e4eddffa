"""``netlab diff`` at size, beside ``netlab reach --group`` of both inputs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.commands import python
from benchmarks.compile_once import written
from benchmarks.figures import Options, Ratio, Result, ratio, rows_of
from benchmarks.turns import turns

ABOUT = "netlab diff of 10,000 pods with 5,000 policies, of which three objects change, beside reach --group, twice"

_NAMESPACES, _REPLICAS, _POLICIES, _ROUNDS = 500, 10, 10, 3
_DIFF, _REACH = "netlab diff", "netlab reach --group, twice"


def run(options: Options) -> Result:
    """Measure whole commands: each reads its input, and writes its output to a pipe."""
    with tempfile.TemporaryDirectory() as directory:
        old = written(Path(directory, "old.json"), _REPLICAS, _NAMESPACES, _POLICIES, 1)
        new = _changed(old, Path(directory, "new.json"))
        contestants = {_DIFF: python("-m", "netlab", "diff", str(old), str(new), "--fail-on", "never")}
        if not options.bare:
            contestants[_REACH] = _both(*(python("-m", "netlab", "reach", "--group", "-f", str(f)) for f in (old, new)))
        rows = rows_of("10,000 pods", "s", turns(contestants, options.rounds or _ROUNDS, seconds=options.seconds))
    ratios: list[Ratio] = [Ratio("seconds", rows[0].median, "< 5")]
    if not options.bare:
        ratios.append(ratio(f"{_DIFF} / {_REACH}", rows[0], rows[1]))
    return Result("diff", ABOUT, tuple(rows), tuple(ratios))


def _changed(old: Path, new: Path) -> Path:
    """Write the input without one default deny, with one label changed, and with one rule that is wider."""
    document = json.loads(old.read_text())
    items = document["items"]
    policies = [item for item in items if item["kind"] == "NetworkPolicy"]
    items.remove(next(one for one in policies if one["metadata"]["name"] == "deny-all"))
    wider = next(one for one in policies if one["metadata"] == {"namespace": "shop-77", "name": "allow-5"})
    wider["spec"]["ingress"] = [{"from": [{"namespaceSelector": {}}]}]
    workload = [item for item in items if item["kind"] == "Deployment"][10]
    workload["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    workload["spec"]["selector"]["matchLabels"]["app"] = "other"
    new.write_text(json.dumps(document))
    return new


def _both(one: Callable[[], float], other: Callable[[], float]) -> Callable[[], float]:
    return lambda: one() + other()
