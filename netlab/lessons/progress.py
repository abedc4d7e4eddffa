"""The file ``progress.json`` in the learner's folder: which lessons are passed, and where the learner is.

It is in the learner's folder and not in a state directory. A learner who deletes the folder begins anew. Two folders
are two learners. netlab leaves nothing behind elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.kernel import output
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.files import UnreadableError, text_of
from netlab.objects.names import dns_label

FILE = "progress.json"
_MOST_BYTES = 100_000


@frozen
class LessonState:
    """What the learner did in one lesson.

    Attributes:
      folder: the lesson's folder, "" for one of netlab's own lessons.
      answer: the last answer, ``yes`` or ``no``; "" before the first.
      right: whether packets agreed with the answer.
      hints: the number of hints that were printed; one more than the lesson has if the solution was.
      best: the largest number of pairs that were as the task asks.
      pairs: the number of pairs that the task asks about, 0 before the first check.
      passed: whether the lesson was passed at any time.
    """

    folder: str = ""
    answer: str = ""
    right: bool = False
    hints: int = 0
    best: int = 0
    pairs: int = 0
    passed: bool = False


@frozen
class Progress:
    """The progress of one learner: ``now`` is the name of the present lesson, "" before the first."""

    now: str
    lessons: Mapping[str, LessonState]

    def of(self, name: str) -> LessonState:
        """Return the state of a lesson, also of one that was never begun."""
        return self.lessons.get(name, LessonState())

    def at(self, name: str, state: LessonState) -> Progress:
        """Return the progress with another state of a lesson, which is now the present one."""
        return Progress(name, {**self.lessons, name: state})


def load(folder: str) -> Progress:
    """Return the progress in a learner's folder, an empty one if there is none.

    Raises:
      UsageError: if the file cannot be used; it says how to begin anew.
    """
    path = os.path.join(folder, FILE)
    if not os.path.lexists(path):
        return Progress("", {})
    try:
        text = text_of(path, Budget(bytes=_MOST_BYTES), pipes=False, home=os.path.realpath(folder))
        return _decoded(json.loads(text))
    except (UnreadableError, TooLargeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be used: {error}; delete it, and the lessons count as not passed") from error


def save(folder: str, progress: Progress) -> None:
    """Write the progress into a learner's folder; raises UsageError, HostError."""
    lessons = {name: {field: getattr(state, field) for field in _FIELDS} for name, state in progress.lessons.items()}
    text = json.dumps({"lesson": progress.now, "lessons": lessons}, indent=1, sort_keys=True)
    output.write(os.path.join(folder, FILE), [text, "\n"])


_FIELDS: Mapping[str, type] = {one.name: type(one.default) for one in fields(LessonState)}
"""The fields of a lesson's state with their types, which are those of the defaults."""


def joined(latest: Progress, name: str, state: LessonState) -> Progress:
    """Return the progress of now with what a check found, which began earlier: another command may have run since."""
    known = latest.of(name)
    best = max(state.best, known.best) if state.pairs == known.pairs else state.best
    state = replace(state, hints=max(state.hints, known.hints), best=best, passed=state.passed or known.passed)
    return Progress(latest.now or name, {**latest.lessons, name: state})


# The hints are counted to choose the next one.
_COUNTS = ("hints", "best", "pairs")
_MOST_COUNTED = 1_000_000


def _decoded(data: Any) -> Progress:
    """Return the progress of a JSON value; raises ValueError where another program wrote it."""
    states, now = (data.get("lessons"), data.get("lesson")) if isinstance(data, dict) else (None, None)
    if not (isinstance(states, dict) and isinstance(now, str)):
        raise ValueError("it is not a file of netlab learn")  # noqa: TRY004  a file with wrong content, not a bug
    lessons = {}
    for name, written in states.items():
        wrong = not isinstance(written, dict) or any(type(written.get(key)) is not of for key, of in _FIELDS.items())
        if wrong or dns_label(name) or any(not 0 <= written[key] <= _MOST_COUNTED for key in _COUNTS):
            raise ValueError(f"lesson {name!r} is wrong")
        lessons[name] = LessonState(**{key: written[key] for key in _FIELDS})
    return Progress(now if now in lessons else "", lessons)
