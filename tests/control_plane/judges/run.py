"""Runs judges against a cluster of netlab, and keeps what they say: ``python -m control_plane.judges.run --help``."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from control_plane.judges import cluster_policies, cyclonus, e2e, page, verdicts
from control_plane.judges.cluster import OUTSIDE, cluster
from control_plane.judges.outside import outside
from control_plane.judges.verdicts import Case, Run

PROGRAMS = {"e2e": "e2e.test", "cyclonus": "cyclonus", "cluster-policies": "cluster-policies.test"}
CRD = "cluster-policies.yaml"
# Seconds that suffice for all cases of a judge.
_WHOLE = 14400.0


def main() -> int:
    """Run a judge. The exit code is 1 when a case that does not pass has no reason, or a reason no longer applies."""
    given = _arguments()
    program = given.programs / PROGRAMS[given.judge]
    if not program.exists():
        print(f"skipped: judge {given.judge}, as there is no {program}; scripts/judges builds it")
        return 0
    folder = given.output or Path(tempfile.mkdtemp(prefix="netlab-judge-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"output: {folder}", flush=True)
    started = time.monotonic()
    if given.judge == "cyclonus":
        cases = cyclonus.run(program, folder, given.most, given.focus, verdicts.kept(given.judge))
    elif given.judge == "cluster-policies":
        cases = cluster_policies.run(program, given.programs / CRD, folder, verdicts.kept(given.judge))
    else:
        cases = _run(given, program, folder)
    whole = not (given.focus or given.first or given.skip or given.names or given.most < _WHOLE)
    outcomes = {one.name: one.outcome for one in cases}
    passed = list(outcomes.values()).count(verdicts.PASSED)
    print(f"{given.judge}: {passed} of {len(outcomes)} cases pass, in {time.monotonic() - started:.0f} s")
    if given.write:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        verdicts.keep(given.judge, Run(_commit(), today, outcomes), whole=whole)
        page.PAGE.write_text(page.text())
    found = verdicts.complaints(outcomes, verdicts.reasons(given.judge), whole=whole)
    for line in found:
        print(line)
    return 1 if found or not cases else 0


def _run(given: argparse.Namespace, program: Path, folder: Path) -> list[Case]:
    names = e2e.specs(program, folder, given.focus or "sig-network")
    names = [one for one in names if not given.skip or not re.search(given.skip, one)]
    if given.names:
        names = [one for one in given.names.read_text().splitlines() if one in names]
    names = names[: given.first or None]
    until, found = time.monotonic() + given.most, list[Case]()
    for name, topology, share in e2e.by_cluster(names):
        at, left = folder / name, until - time.monotonic()
        at.mkdir(exist_ok=True)
        with cluster(at, topology=topology) as one, outside(one.lab, OUTSIDE, one.kubeconfig) as machine:
            start = machine.started([str(program)])
            found += e2e.run(start, one.kubeconfig, at, share, given.at_once, given.seconds, _say, left)
    if len(found) < len(names):
        print(f"left out, as {given.most:g} s were over: {len(names) - len(found)} specs")
    return found


def _commit() -> str:
    """Return the commit of netlab, with a plus sign where files of it or of its judges were changed since."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, check=True, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", ":/netlab", ".", ":(exclude)results", ":(exclude)reasons.yaml")
    return git("rev-parse", "--short=8", "HEAD") + ("+" if changed else "")


def _say(case: Case) -> None:
    print(f"{case.outcome}: {case.name}{f': {case.said}' if case.said else ''}", flush=True)


def _arguments() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(prog="judges", description=main.__doc__)
    parser.add_argument("judge", choices=sorted(PROGRAMS))
    parser.add_argument("--programs", type=Path, default=cache / "netlab-control-plane" / "judges", metavar="DIR")
    parser.add_argument("--focus", default="", help="e2e: a regular expression of specs; cyclonus: tags")
    parser.add_argument("--skip", default="", help="e2e: a regular expression of specs to leave out")
    parser.add_argument("--names", type=Path, metavar="FILE", help="e2e: only the specs whose names are its lines")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="only the first N specs")
    parser.add_argument("--at-once", type=int, default=6, metavar="N", help="how many specs run at a time")
    parser.add_argument("--seconds", type=float, default=1800, metavar="N", help="the most that a spec may take")
    parser.add_argument(
        "--most", type=float, default=_WHOLE, metavar="N", help="e2e, cyclonus: begin no more after N seconds"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the output of programs goes")
    parser.add_argument(
        "--write", action="store_true", help="keep the results, also of a part, and write docs/conformance.md"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
