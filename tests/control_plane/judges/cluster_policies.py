"""The conformance suite of cluster-wide policies, which is a test of Go.

It waits for nearly all of its time: three seconds, twice, for each of some 200 connections that must be refused.
All tests use the same namespaces, so parts of them run at once, each in a cluster of its own.

Source: sigs.k8s.io/network-policy-api, conformance.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from control_plane.judges.cluster import cluster
from control_plane.judges.verdicts import FAILED, PASSED, SKIPPED, Case

_SECONDS = 1800
_AT_ONCE = 5
_ENDED = re.compile(r"^    --- (PASS|FAIL|SKIP): TestConformance/(\S+)", re.MULTILINE)
_OUTCOMES = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}


def run(program: Path, crd: Path, folder: Path, known: Collection[str] = ()) -> list[Case]:
    """Run all tests and return how each ended.

    Args:
      program: the suite.
      crd: the CustomResourceDefinition that the clusters need.
      folder: where output goes.
      known: names of tests, which are shared out. The suite may have more. One that does not end has failed.
    """

    def work(part: tuple[str, list[str]]) -> list[Case]:
        name, words = part
        at = folder / name
        at.mkdir(parents=True, exist_ok=True)
        log = at / "cluster-policies.log"
        with cluster(at, crd) as one:
            _run(program, words, one.kubeconfig, log)
        return cases(log.read_text())

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [case for part in pool.map(work, parts(known)) for case in part]
    ended = {one.name for one in found}
    return [*found, *(Case(name, FAILED, "it did not end") for name in known if name not in ended)]


def parts(known: Collection[str]) -> list[tuple[str, list[str]]]:
    """Return a name and the options of Go for each part. The last one has the tests that are not known, too."""
    names = sorted(known)
    shares = [names[at::_AT_ONCE] for at in range(min(_AT_ONCE, len(names)))] or [[]]
    found = [(str(at), [f"-test.run=^TestConformance$/{_one_of(share)}"]) for at, share in enumerate(shares[:-1])]
    others = [name for share in shares[:-1] for name in share]
    skip = [f"-test.skip=^TestConformance$/{_one_of(others)}"] if others else []
    return [*found, ("others", ["-test.run=^TestConformance$", *skip])]


def _one_of(names: Collection[str]) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"


def _run(program: Path, part: list[str], kubeconfig: Path, log: Path) -> None:
    words = ["-test.v", *part, "-all-features", f"-test.timeout={_SECONDS}s"]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as output, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([program, *words], env=environment, stdout=output, stderr=output, timeout=_SECONDS + 60)


def cases(log: str) -> list[Case]:
    """Return the tests in the output of `go test -v`."""
    return [Case(one[2], _OUTCOMES[one[1]]) for one in _ENDED.finditer(log)]
