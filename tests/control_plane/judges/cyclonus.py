"""cyclonus: its cases of NetworkPolicy, each with a table of who reaches whom.

A denied probe waits a second, so parts of the cases run at once, each with a cluster of its own, as all cases use the
same namespaces.

Source: github.com/mattfenwick/cyclonus, `cyclonus generate`.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from control_plane.judges.cluster import cluster
from control_plane.judges.verdicts import FAILED, PASSED, Case

_LISTED = re.compile(r"^test #(\d+): (.*)\n - tags: (.*)$", re.MULTILINE)
_STARTED = re.compile(r"^starting test case #(?=\d+$)", re.MULTILINE)
_ENDED = re.compile(r"^finished policy #\d+$", re.MULTILINE)
_WRONG = re.compile(r"(\d+) wrong, \d+ ignored, \d+ correct$", re.MULTILINE)


class Part(NamedTuple):
    """The cases with one of some tags, or all, and with none of others."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The options of cyclonus that choose them."""
        include = [f"--include={','.join(self.include)}"] if self.include else []
        return [*include, f"--exclude={','.join(self.exclude)}"]

    def has(self, tags: set[str]) -> bool:
        return (not self.include or bool(tags.intersection(self.include))) and not tags.intersection(self.exclude)


# Together all cases, each once.
PARTS = (Part(("ingress",), ("egress",)), Part(("egress",)), Part((), ("ingress", "egress")))


def run(program: Path, folder: Path, seconds: float, tags: str = "") -> list[Case]:
    """Run its cases, or those with one of these tags (A,B), and return how each ended that did so in time."""
    parts = [Part(tuple(tags.split(",")))] if tags else PARTS
    words = [str(program), "generate", *Part().words, "--dry-run", "--mock"]
    names = listed(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)

    def of(part: Part) -> list[Case]:
        at = folder / f"part-{parts.index(part) + 1}"
        return cases(_run(program, part, at, seconds), [name for name, has in names if part.has(has)])

    with ThreadPoolExecutor(len(parts)) as pool:
        return [case for found in pool.map(of, parts) for case in found]


def listed(text: str) -> list[tuple[str, set[str]]]:
    """Return the names and tags of the cases in a list; names are numbered, as some are alike."""
    return [(f"{int(one[1]):03} {one[2]}", set(one[3].split(", "))) for one in _LISTED.finditer(text)]


def cases(log: str, names: Sequence[str]) -> list[Case]:
    """Return the cases in the output of a run that have ended, by their names in the order of the run.

    One passes if no step of it found a wrong connection at its last try.
    """
    found = []
    for one in _STARTED.split(log)[1:]:
        number, _, text = one.partition("\n")
        ended = _ENDED.search(text)
        if ended:
            wrong = [int(n) for n in _WRONG.findall(text, 0, ended.start())]
            found.append(Case(names[int(number) - 1], PASSED if wrong and not any(wrong) else FAILED))
    return found


def _run(program: Path, part: Part, folder: Path, seconds: float) -> str:
    """Run a part with a cluster of its own, and return its output; after these seconds it is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "cyclonus.log"
    words = [
        "generate",
        *part.words,
        # A policy is in force a moment after the API server's answer, and a denied connection is dropped.
        "--perturbation-wait-seconds=0",
        "--job-timeout-seconds=1",
        # A busy machine may take longer than a second.
        "--retries=3",
    ]
    with cluster(folder) as kubeconfig, log.open("wb") as output:
        environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [program, *words], env=environment, check=True, stdout=output, stderr=output, timeout=seconds
            )
    return log.read_text()
