"""cyclonus: its cases of NetworkPolicy, each with a table of who reaches whom.

A denied probe waits a second, so parts of the cases run at once, each in a cluster of its own, as all cases use the
same namespaces. A part is small, as cyclonus takes 200 MB more for each case. Those of SCTP have servers of all
protocols, the others of TCP and UDP.

Source: github.com/mattfenwick/cyclonus, `cyclonus generate`.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from control_plane.judges.cluster import cluster
from control_plane.judges.verdicts import FAILED, PASSED, Case

_LISTED = re.compile(r"^test #(\d+): (.*)\n - tags: (.*)$", re.MULTILINE)
_STARTED = re.compile(r"^starting test case #(?=\d+$)", re.MULTILINE)
_ENDED = re.compile(r"^finished policy #\d+$", re.MULTILINE)
_WRONG = re.compile(r"(\d+) wrong, \d+ ignored, \d+ correct$", re.MULTILINE)

_SCTP = "sctp"
# How many clusters there are, and the most cases of a part.
_AT_ONCE, _MOST = 6, 14


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


def run(program: Path, folder: Path, seconds: float, tags: str = "", known: Collection[str] = ()) -> list[Case]:
    """Run its cases, or those with one of these tags (A,B), and return how each ended that did so in time.

    The parts with the most cases that are not ``known`` come first, without most of their known ones, so that several
    short runs reach all cases.
    """
    words = [str(program), "generate", *Part().words, "--dry-run", "--mock"]
    names = listed(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)
    chosen = [Part(tuple(tags.split(",")))] if tags else [narrowed(part, names, known) for part in parts(names)]
    # Then the longest first.
    chosen.sort(key=lambda one: _new_and_all([name for name, tags in names if one.has(tags)], known), reverse=True)
    until = time.monotonic() + seconds

    def work(part: Part) -> list[Case]:
        at = folder / ("-".join(part.include).replace("/", "-") or "others")
        at.mkdir(parents=True, exist_ok=True)
        log = at / "cyclonus.log"
        if (left := until - time.monotonic()) <= 0:
            return []
        try:
            # Pods that another part has left have other containers.
            with cluster(at) as one:
                _run(program, part, one.kubeconfig, log, left)
        except subprocess.SubprocessError as error:
            # On a busy machine a cluster may not start in time. The results of the other parts count.
            print(f"left out, as the cluster of {at.name} failed: {error}", flush=True)
        return cases(log.read_text(), [name for name, has in names if part.has(has)]) if log.exists() else []

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [case for found in pool.map(work, chosen) for case in found]


def _new_and_all(names: Sequence[str], known: Collection[str]) -> tuple[int, int]:
    return sum(name not in known for name in names), len(names)


def parts(listed: Sequence[tuple[str, set[str]]]) -> list[Part]:
    """Return parts that together have each case once; the first is those of SCTP.

    cyclonus knows no "and". So each part has one tag, and none of the tags of the parts before. Rare tags come first.
    """
    found: list[Part] = []
    left, used = list(listed), [_SCTP]
    while used[-1]:
        tag = used[-1]
        found.append(Part((tag,), tuple(used[:-1])))
        left = [(name, tags) for name, tags in left if tag not in tags]
        counts = Counter(one for _, tags in left for one in tags)
        few = [(count, one) for one, count in counts.items() if count <= _MOST]
        more = [(count, one) for one, count in counts.items() if count < len(left)]
        used.append("" if len(left) <= _MOST or not more else max(few)[1] if few else min(more)[1])
    return [*found, Part((), tuple(used[:-1]))]


def narrowed(part: Part, listed: Sequence[tuple[str, set[str]]], known: Collection[str]) -> Part:
    """Return a part without the cases that have a tag of none of its cases that are not ``known``.

    A part without such cases is returned as it is.
    """
    new = [tags for name, tags in listed if part.has(tags) and name not in known]
    others = set().union(*(tags for _, tags in listed)).difference(part.exclude, *new) if new else ()
    return part._replace(exclude=(*part.exclude, *sorted(others)))


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


def _run(program: Path, part: Part, kubeconfig: Path, log: Path, seconds: float) -> None:
    """Run a part, with its output in a file; after these seconds it is ended."""
    words = [
        "generate",
        *part.words,
        # A policy is in force a moment after the API server's answer, and a denied connection is dropped.
        "--perturbation-wait-seconds=0",
        "--job-timeout-seconds=1",
        # A busy machine may take longer than a second.
        "--retries=3",
        # A third of the probes would be of SCTP.
        *(["--server-protocol=TCP,UDP"] if _SCTP in part.exclude else []),
    ]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as output, contextlib.suppress(subprocess.TimeoutExpired):
        # What it did not come to is no case.
        subprocess.run([program, *words], env=environment, stdout=output, stderr=output, timeout=seconds)
