"""What judges said, kept as data, and the reason of each case that does not pass.

A case that fails needs a reason that says why, in ``reasons.yaml``. A reason that explains nothing is an error.
So both files say what is so now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

HERE = Path(__file__).resolve().parent
RESULTS, REASONS = HERE / "results", HERE / "reasons.yaml"
PASSED, FAILED, SKIPPED = "passes", "fails", "skips itself"
CANNOT = "cannot run"


class Reason(NamedTuple):
    """Why cases do not pass: each whose name contains one of ``cases``, by one judge.

    ``outcome``: "fails", for what netlab does otherwise than Kubernetes, or "cannot run", for what it does not have.
    """

    judge: str
    outcome: str
    why: str
    cases: tuple[str, ...]

    def explains(self, case: str) -> bool:
        return any(one in case for one in self.cases)


class Case(NamedTuple):
    """A case, how it ended, and the words of its first failure."""

    name: str
    outcome: str
    said: str = ""


def reasons(judge: str, file: Path = REASONS) -> list[Reason]:
    """Return the reasons of a judge's cases; raises ValueError for an entry that is not one."""
    found = []
    for one in yaml.safe_load(file.read_text()):
        reason = Reason(one["judge"], one["outcome"], one["why"].strip(), tuple(one["cases"]))
        if reason.outcome not in (FAILED, CANNOT) or not reason.why or not reason.cases:
            raise ValueError(f"{file.name}: {one}")
        if reason.judge == judge:
            found.append(reason)
    return found


class Run(NamedTuple):
    """How cases ended with one commit of netlab; ``date`` is the day of the last one."""

    commit: str
    date: str
    cases: dict[str, str]


def runs(judge: str, folder: Path = RESULTS) -> list[Run]:
    """Return the kept runs of a judge, the oldest first; each case is in the last run that had it."""
    file = folder / f"{judge}.yaml"
    return [Run(**one) for one in yaml.safe_load(file.read_text())] if file.exists() else []


def kept(judge: str, folder: Path = RESULTS) -> dict[str, str]:
    """Return how each case of a judge ended the last time that it ran, by their names; none before that."""
    return dict(sorted(case for run in runs(judge, folder) for case in run.cases.items()))


def keep(judge: str, run: Run, folder: Path = RESULTS, *, whole: bool) -> None:
    """Write how the cases of a run ended; others stay as they were, unless this was the whole judge."""
    cases, before = dict(run.cases), [] if whole else runs(judge, folder)
    left = [one._replace(cases={name: end for name, end in one.cases.items() if name not in cases}) for one in before]
    for one in left:
        cases |= one.cases if one.commit == run.commit else {}
    found = [*(one for one in left if one.cases and one.commit != run.commit), run._replace(cases=cases)]
    text = [one._replace(cases=dict(sorted(one.cases.items())))._asdict() for one in found]
    folder.mkdir(exist_ok=True)
    (folder / f"{judge}.yaml").write_text(yaml.safe_dump(text, sort_keys=False, allow_unicode=True, width=1000))


def complaints(outcomes: Mapping[str, str], why: Iterable[Reason], *, whole: bool) -> list[str]:
    """Return what does not fit: failures without a reason, and reasons of cases that pass.

    Args:
      outcomes: how each case ended.
      why: the reasons of this judge.
      whole: whether all cases ran; then a reason without a case is wrong too.
    """
    found, whys = [], list(why)
    for case, outcome in outcomes.items():
        explained = next((one for one in whys if one.explains(case)), None)
        if outcome == PASSED and explained is not None:
            found.append(f"passes, so its reason no longer applies: {case} ({explained.why})")
        elif outcome != PASSED and explained is None:
            found.append(f"{outcome}, and reasons.yaml does not say why: {case}")
    if whole:
        for one in whys:
            found += [f"no such case: {name} ({one.why})" for name in one.cases if not any(name in c for c in outcomes)]
    return found
