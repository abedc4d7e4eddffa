"""The learner's folder, by default ``netlab-learn``: a folder for each lesson with its files, and the progress.

netlab changes no file that the learner edited, unless the learner begins a lesson again; then a copy is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from netlab.errors import UsageError
from netlab.kernel import output
from netlab.lessons.progress import FILE
from netlab.lessons.read import LessonFolder
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.files import UnreadableError, text_of

NAME = "netlab-learn"
_MOST_BYTES = 1_000_000
# A learner is in the folder, in one of a lesson, or beside the folder.
_UPWARDS = 2


def find() -> str:
    """Return the learner's folder as a path for messages: the one that the working directory is in, or beside it."""
    here = "."
    for _ in range(_UPWARDS + 1):
        if os.path.isfile(os.path.join(here, FILE)) and os.path.basename(os.path.realpath(here)) == NAME:
            return here
        here = os.path.normpath(os.path.join("..", here))
    return NAME


def make(folder: str, lesson: LessonFolder, *, again: bool = False) -> list[str]:
    """Copy the files of a lesson into the learner's folder; return those that were kept as the learner has them.

    ``again``: files that the learner changed are copied anew; the learner's is kept as ``NAME.old``.

    Raises:
      UsageError, HostError: where a file or folder cannot be made.
    """
    inner = of_lesson(folder, lesson.name)
    for one in (folder, inner):
        output.make_directory(one)
    kept = []
    for name, text in lesson.files.items():
        path = os.path.join(inner, name)
        if os.path.lexists(path):
            own = read(path)
            if own == text:
                continue
            if not again:
                kept.append(name)
                continue
            output.write(f"{path}.old", [own])
        output.write(path, [text])
    return kept


def of_lesson(folder: str, name: str) -> str:
    """Return the folder of a lesson's files as a path for messages, "." where it is the working directory."""
    path = os.path.join(folder, name)
    return min(path, os.path.relpath(path), key=len)


def read(path: str) -> str:
    """Return the text of a file of the learner; raises UsageError if it cannot be read."""
    try:
        home = os.path.realpath(os.path.dirname(path))
        return text_of(path, Budget(bytes=_MOST_BYTES), pipes=False, home=home)
    except UnreadableError as error:
        raise UsageError(f"{path}: {error}") from error
    except TooLargeError as error:
        raise UsageError(f"{path}: is larger than {_MOST_BYTES:,} bytes") from error


def files_of(folder: str, lesson: LessonFolder) -> dict[str, str]:
    """Return the paths of the files to check, by name: those of the task, and others that the learner left unchanged.

    Raises:
      UsageError: for a missing file of the task.
    """
    inner = of_lesson(folder, lesson.name)
    found = {}
    for name, text in lesson.files.items():
        path = os.path.normpath(os.path.join(inner, name))
        if name in lesson.lesson.edit:
            if not os.path.isfile(path):
                raise UsageError(f"{path} is missing; this puts it back: netlab learn start {lesson.name}")
            found[name] = path
        elif os.path.isfile(path) and read(path) == text:
            # So messages name the file that the learner has.
            found[name] = path
    return found


def ignored_changes(folder: str, lesson: LessonFolder) -> Iterator[str]:
    """Yield the files that the learner changed although the task is not about them."""
    for name, text in lesson.files.items():
        path = os.path.normpath(os.path.join(of_lesson(folder, lesson.name), name))
        if name not in lesson.lesson.edit and os.path.isfile(path) and read(path) != text:
            yield path
