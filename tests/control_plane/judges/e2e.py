"""The end-to-end suite of Kubernetes: one process for each spec, several at a time.

A spec that hangs is ended by itself, and a spec waits far more than it computes. Specs that say that nothing else may
run beside them run alone, after the others.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from control_plane.judges.cluster import OVERLAY, ROUTED
from control_plane.judges.verdicts import FAILED, PASSED, SKIPPED, Case

# A provider without a cloud, and nodes that a client cannot log in to.
_PROVIDER = "--provider=skeleton"
# The spec of Service CIDRs adds a range, of which the Services of others would get addresses.
_ALONE = re.compile(r"\[(Serial|Disruptive)\]|Service CIDRs")
# What these specs need is not in the first cluster: two nodes in each of three zones; the address of a node in packets
# to pods of other nodes, which an overlay replaces; node addresses of the only family that the Service has. All others
# take longer on six nodes: some update a DaemonSet, a minute for each node.
_ROUTED = re.compile(
    r"Traffic Distribution|HealthCheckNodePort correctly when ExternalTrafficPolicy changes"
    r"|should only target nodes with endpoints"
)
_STATES = {"passed": PASSED, "skipped": SKIPPED, "pending": SKIPPED}


def specs(program: Path, folder: Path, focus: str = "sig-network") -> list[str]:
    """Return the names of the specs that match, in order."""
    report = folder / "list.json"
    words = ["--ginkgo.dry-run", f"--ginkgo.focus={focus}", f"--ginkgo.json-report={report}"]
    subprocess.run([program, _PROVIDER, *words], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return sorted(_name(one) for one in _reports(report) if one["State"] == "passed")


def by_cluster(names: Sequence[str]) -> list[tuple[str, Path, list[str]]]:
    """Return a name, the Topology and the specs of each cluster that has some of these specs."""
    parts = {OVERLAY: [one for one in names if not _ROUTED.search(one)], ROUTED: list(filter(_ROUTED.search, names))}
    return [(topology.stem, topology, found) for topology, found in parts.items() if found]


def run(
    start: Sequence[str],
    kubeconfig: Path,
    folder: Path,
    names: Sequence[str],
    at_once: int,
    seconds: float,
    done: Callable[[Case], None],
    most: float = math.inf,
) -> list[Case]:
    """Run these specs, and return how each ended; ``done`` is called with each when it has. ``start`` starts the suite.

    A spec that takes longer than some seconds fails. None begins after ``most`` seconds: what is left out is no case.
    The output of each spec is in a file of the folder.
    """
    until = time.monotonic() + most

    def one(number: int) -> Case | None:
        if time.monotonic() > until:
            return None
        case = _spec(start, kubeconfig, folder / f"spec-{number:03}", names[number], seconds)
        done(case)
        return case

    together = [n for n, name in enumerate(names) if not _ALONE.search(name)]
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(one, together))
    found += [one(n) for n, name in enumerate(names) if _ALONE.search(name)]
    return [case for case in found if case is not None]


def _spec(start: Sequence[str], kubeconfig: Path, folder: Path, name: str, seconds: float) -> Case:
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    words = [
        _PROVIDER,
        f"--kubeconfig={kubeconfig}",
        f"--ginkgo.focus={_exactly(name)}$",
        f"--ginkgo.json-report={report}",
        "--ginkgo.no-color",
        "--ginkgo.v",
    ]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*start, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Case(name, FAILED, f"did not end in {seconds:g} seconds")
    ran = [one for one in _reports(report) if _name(one) == name] if report.exists() else []
    said = " ".join(str(ran[0].get("Failure", {}).get("Message", "")).split())[:300] if ran else ""
    outcome = _STATES.get(ran[0]["State"], FAILED) if ran else FAILED
    # A spec that skips itself says why.
    if len(ran) != 1 or (outcome == SKIPPED and not said):
        return Case(name, FAILED, f"did not run; see {folder / 'output'}")
    return Case(name, outcome, said)


def _exactly(name: str) -> str:
    """Return a regular expression of Go for a text."""
    return re.sub(r"[^\w\s]", lambda one: f"\\{one[0]}", name)


def _name(report: dict[str, Any]) -> str:
    return " ".join([*(report.get("ContainerHierarchyTexts") or ()), report["LeafNodeText"]])


def _reports(file: Path) -> Iterator[dict[str, Any]]:
    for suite in json.loads(file.read_text()):
        yield from (one for one in suite["SpecReports"] or () if one["LeafNodeType"] == "It")
