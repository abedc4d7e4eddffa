"""cyclonus: its cases of NetworkPolicy, each with a table of who reaches whom.

Source: github.com/mattfenwick/cyclonus, `cyclonus generate`.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

from control_plane.judges.verdicts import FAILED, PASSED, Case

_SECONDS = 7200
_NUMBER = re.compile(r"^test #(\d+): (.*)$", re.MULTILINE)


def run(program: Path, kubeconfig: Path, folder: Path, tags: str = "") -> list[Case]:
    """Run its cases, or those with one of these tags (A,B), and return how each ended. Raises CalledProcessError."""
    report, log = folder / "cyclonus.xml", folder / "cyclonus.log"
    words = [
        "generate",
        "--exclude=",
        *([f"--include={tags}"] if tags else []),
        # A policy is in force a moment after the API server's answer, and a denied connection is dropped.
        "--perturbation-wait-seconds=0",
        "--job-timeout-seconds=1",
        f"--junit-results-file={report}",
    ]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as output:
        subprocess.run([program, *words], env=environment, check=True, stdout=output, stderr=output, timeout=_SECONDS)
    return cases(report.read_text(), log.read_text())


def cases(report: str, log: str) -> list[Case]:
    """Return the cases of a report in JUnit's form; names are numbered, as some are alike."""
    numbers = [int(one[1]) for one in _NUMBER.finditer(log)]
    ended = ET.fromstring(report).iter("testcase")  # noqa: S314  cyclonus wrote it
    found = []
    for number, one in zip(numbers, ended, strict=True):
        outcome = PASSED if one.find("failure") is None else FAILED
        found.append(Case(f"{number:03} {one.get('name')}", outcome))
    return found
