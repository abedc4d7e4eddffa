"""The conformance suite of cluster-wide policies, which is a test of Go.

Source: sigs.k8s.io/network-policy-api, conformance.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from control_plane.judges.verdicts import FAILED, PASSED, SKIPPED, Case

_SECONDS = 1800
_ENDED = re.compile(r"^    --- (PASS|FAIL|SKIP): TestConformance/(\S+)", re.MULTILINE)
_OUTCOMES = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}


def run(program: Path, kubeconfig: Path, folder: Path) -> list[Case]:
    """Run all tests and return how each ended. The cluster must have the CRD."""
    log = folder / "cluster-policies.log"
    words = ["-test.v", "-test.run=^TestConformance$", "-all-features", f"-test.timeout={_SECONDS}s"]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as output:
        subprocess.run([program, *words], env=environment, stdout=output, stderr=output, timeout=_SECONDS + 60)
    return cases(log.read_text())


def cases(log: str) -> list[Case]:
    """Return the tests in the output of `go test -v`."""
    return [Case(one[2], _OUTCOMES[one[1]]) for one in _ENDED.finditer(log)]
