"""The lessons and the folder that the arguments of ``netlab learn`` mean."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from netlab.cli import terminal
from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.lessons.progress import LessonState, Progress
    from netlab.lessons.read import LessonFolder
    from netlab.objects.lessons import Lesson

ANSWERS = ("yes", "no")


def chosen_folder(folder: str) -> str:
    """Return the learner's folder: ``folder``, else that of NETLAB_LEARN_FOLDER, else the one that is found here."""
    from netlab.lessons.folder import find

    folder = folder or os.environ.get("NETLAB_LEARN_FOLDER", "")
    return os.path.normpath(folder) if folder else find()


def load(folder: str) -> Progress:
    """Return the progress in a learner's folder; raises UsageError."""
    from netlab.lessons.progress import load

    return load(folder)


def outlines_of(others: str) -> list[tuple[str, Lesson]]:
    """Return the folder and the Lesson of each lesson, in order; ``others`` is a trainer's folder, "" for netlab's."""
    from netlab.lessons.read import folders_in, outline, own_folders

    return [(path, outline(path)) for path in (folders_in(others) if others else own_folders())]


def find_lesson(name: str | None, others: str, progress: Progress) -> str:
    """Return the folder of a lesson by its name, its number or its path; without one, the first that is not passed.

    Raises:
      UsageError: if no lesson has the name.
    """
    from netlab.lessons.rules import LESSON

    if name is not None and (os.sep in name or os.path.isfile(os.path.join(name, LESSON))):
        return name
    outlines = outlines_of(others)
    if name is None:
        left = [path for path, one in outlines if not progress.of(one.meta.name).passed]
        return (left or [outlines[0][0]])[0]
    for number, (path, one) in enumerate(outlines, 1):
        if name in (one.meta.name, str(number), f"{number:02}", os.path.basename(path)):
            return path
    import difflib

    near = difflib.get_close_matches(name, [one.meta.name for _, one in outlines], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no lesson {name!r}; {hint}`netlab learn list` has their names")


def present_lesson(progress: Progress) -> tuple[LessonFolder, LessonState]:
    """Return the present lesson and its state; raises UsageError, InputError."""
    from netlab.lessons.read import read_lesson

    if not progress.now:
        raise UsageError("no lesson has begun here; begin with: netlab learn start")
    state = progress.of(progress.now)
    folder = state.folder or _own(progress.now)
    lesson = read_lesson(folder)
    if lesson.name != progress.now:
        raise UsageError(f"{folder} is no longer the lesson {progress.now}; begin it with: netlab learn start")
    return lesson, state


def _own(name: str) -> str:
    for path, one in outlines_of(""):
        if one.meta.name == name:
            return path
    raise UsageError(f"netlab has no lesson {name!r}; `netlab learn list` has their names")


def lessons_beside(progress: Progress) -> str:
    """Return the folder of a trainer's lessons that the present lesson is in, "" for netlab's own."""
    state = progress.of(progress.now)
    return os.path.dirname(state.folder) if state.folder else ""


def ask(lesson: LessonFolder) -> str:
    """Print the question, and return the answer that the learner types.

    Raises:
      UsageError: if standard input is not a terminal.
    """
    import sys

    if not sys.stdin.isatty():
        raise UsageError("the lesson asks a question first; answer it with --answer yes or --answer no")
    terminal.emit([lesson.lesson.question.text])
    found: str = click.prompt("yes or no", type=click.Choice(ANSWERS), show_choices=False)
    return found
