"""Runs judges against a cluster of netlab, and keeps what they say: ``python -m control_plane.judges.run --help``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from control_plane.judges import cluster_policies, cyclonus, e2e, page, verdicts
from control_plane.judges.cluster import cluster
from control_plane.judges.verdicts import Case

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
        cases = cyclonus.run(program, folder, given.most, given.focus)
    elif given.judge == "cluster-policies":
        cases = cluster_policies.run(program, given.programs / CRD, folder, verdicts.kept(given.judge))
    else:
        with cluster(folder) as kubeconfig:
            cases = _run(given, program, kubeconfig, folder)
    whole = not (given.focus or given.first or given.skip or given.names or given.most < _WHOLE)
    outcomes = {one.name: one.outcome for one in cases}
    passed = list(outcomes.values()).count(verdicts.PASSED)
    print(f"{given.judge}: {passed} of {len(outcomes)} cases pass, in {time.monotonic() - started:.0f} s")
    if whole and given.write:
        verdicts.keep(given.judge, cases)
        page.PAGE.write_text(page.text())
    found = verdicts.complaints(outcomes, verdicts.reasons(given.judge), whole=whole)
    for line in found:
        print(line)
    return 1 if found or not cases else 0


def _run(given: argparse.Namespace, program: Path, kubeconfig: Path, folder: Path) -> list[Case]:
    names = e2e.specs(program, folder, given.focus or "sig-network")
    names = [one for one in names if not given.skip or not re.search(given.skip, one)]
    if given.names:
        names = [one for one in given.names.read_text().splitlines() if one in names]
    names = names[: given.first or None]
    found = e2e.run(program, kubeconfig, folder, names, given.at_once, given.seconds, _say, given.most)
    if len(found) < len(names):
        print(f"left out, as {given.most:g} s were over: {len(names) - len(found)} specs")
    return found


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
    parser.add_argument("--seconds", type=float, default=900, metavar="N", help="the most that a spec may take")
    parser.add_argument(
        "--most", type=float, default=_WHOLE, metavar="N", help="e2e, cyclonus: begin no more after N seconds"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the output of programs goes")
    parser.add_argument("--write", action="store_true", help="keep the results, and write docs/conformance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
