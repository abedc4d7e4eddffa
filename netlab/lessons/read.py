"""Read the folder of a lesson, which may be a stranger's: it names no file outside, and no program runs.

A lesson is a folder:

- ``lesson.yaml``: a Lesson (``objects/kinds/lesson.py``)
- ``lesson.md``: the text
- ``files/``: the YAML files that the learner gets
- ``check.yaml``: a Scenario with ``resources: [files]``, which says what the edited files must do
- ``solution/``: the edited files of the solution
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace

from netlab.errors import InputError, NetlabError, Problem, UsageError, in_order
from netlab.frozen import frozen
from netlab.lessons.rules import (
    CHECK,
    FILES,
    LESSON,
    SOLUTION,
    TEXT,
    misnamed_files,
    other_files,
    problem_of,
    topologies_with_plugins,
    with_plugins,
    wrong_expectations,
)
from netlab.objects import decode
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.documents import Reader
from netlab.objects.file_trees import HostFiles
from netlab.objects.files import UnreadableError, text_of
from netlab.objects.included import Access
from netlab.objects.kinds.lesson import FILE_NAME
from netlab.objects.lessons import Lesson
from netlab.objects.scenarios import Scenario
from netlab.objects.types import Document
from netlab.scenario.dry_run import dry_run

AFTER = "\n## After your answer\n"
"""Where the part of the text begins that is printed after the right answer."""
MOST_PODS = 100
_MOST_FILES = 20
_MOST_BYTES = 100_000
_NUMBERED = re.compile(r"[0-9]{2}-[a-z0-9-]+")


@frozen
class LessonFolder:
    """A lesson without an error: ``files`` and ``solution`` are texts by name, ``check`` has the unedited files."""

    folder: str
    lesson: Lesson
    text: str
    files: Mapping[str, str]
    solution: Mapping[str, str]
    check: Scenario

    @property
    def name(self) -> str:
        return self.lesson.meta.name

    @property
    def lab(self) -> str:
        """The name of the lab that `netlab up` builds from the files."""
        topologies = (one.data.get("metadata") for one in self.check.resources if one.kind == "Topology")
        return next((str(metadata.get("name") or "default") for metadata in topologies if metadata), "default")

    @property
    def before(self) -> str:
        """The text up to the question."""
        return self.text.partition(AFTER)[0].strip()

    @property
    def after(self) -> str:
        """The text after the right answer, "" if there is none."""
        return self.text.partition(AFTER)[2].strip()

    def check_of(self, edited: Mapping[str, Sequence[Document]]) -> Scenario:
        """Return the check with other documents in place of those of edited files, by the files' names."""
        own = {os.path.join(self.folder, FILES, name): documents for name, documents in edited.items()}
        steps = tuple(
            replace(step, apply=_replaced(step.apply, own), rollout=_replaced(step.rollout, own))
            for step in self.check.steps
        )
        return replace(self.check, resources=_replaced(self.check.resources, own), steps=steps)


def _replaced(documents: Sequence[Document], own: Mapping[str, Sequence[Document]]) -> tuple[Document, ...]:
    found: list[Document] = []
    done: set[str] = set()
    for document in documents:
        file = document.source.file
        if file not in own:
            found.append(document)
        elif file not in done:
            done.add(file)
            found += own[file]
    return tuple(found)


# --- which lessons there are ----------------------------------------------------------------------------------------


def own_folders() -> list[str]:
    """Return the folders of netlab's own lessons, in order."""
    here = os.path.dirname(os.path.abspath(__file__))
    return [os.path.join(here, name) for name in sorted(os.listdir(here)) if _NUMBERED.fullmatch(name)]


def folders_in(folder: str) -> list[str]:
    """Return the folders of lessons in a folder, in the order of their names: those with a ``lesson.yaml``.

    Raises:
      UsageError: if there is none.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    found = [path for name in names if os.path.isfile(os.path.join(path := os.path.join(folder, name), LESSON))]
    if not found:
        raise UsageError(f"{folder}: no folder in it has a {LESSON}")
    return found


def outline(folder: str) -> Lesson:
    """Return the Lesson of a folder, and read none of its other files; raises InputError."""
    problems: list[Problem] = []
    lesson = _lesson(folder, problems)
    if lesson is None or problems:
        raise InputError(problems)
    return lesson


# --- one lesson -----------------------------------------------------------------------------------------------------


def read_lesson(folder: str) -> LessonFolder:
    """Return the lesson of a folder.

    Raises:
      InputError: with every problem of its files.
      UsageError: if the folder has no ``lesson.yaml``.
    """
    folder = os.path.normpath(folder)
    if not os.path.isfile(os.path.join(folder, LESSON)):
        raise UsageError(f"{folder}: a lesson is a folder with a {LESSON}")
    problems: list[Problem] = []
    lesson = _lesson(folder, problems)
    text = _text(folder, TEXT, problems)
    files = _texts(folder, FILES, problems)
    solution = _texts(folder, SOLUTION, problems)
    if lesson is not None:
        problems += misnamed_files(folder, lesson, files, solution)
        # Before a Topology is read as one, which reads the configuration lists that it names.
        problems += [
            *topologies_with_plugins(folder, FILES, files),
            *topologies_with_plugins(folder, SOLUTION, solution),
        ]
    # Only regular files in the folder are read below.
    check = None if problems else _check(folder, problems)
    if lesson is not None and check is not None and not problems:
        found = LessonFolder(folder, lesson, text, files, solution, check)
        problems += _together(found)
        if not problems:
            return found
    raise InputError(in_order(problems))


def _lesson(folder: str, problems: list[Problem]) -> Lesson | None:
    file = os.path.join(folder, LESSON)
    documents, unread = Reader(tree=HostFiles(os.path.realpath(folder))).read([file])
    others = [one for one in documents if one.kind != "Lesson"]
    problems += unread
    problems += [
        Problem(file, one.source.line(), "", one.kind, f"{LESSON} has exactly one Lesson, and no other object")
        for one in others
    ]
    objects, wrong = decode([one for one in documents if one.kind == "Lesson"])
    problems += [one for one in wrong if one.severity == "error"]
    found = objects.of(Lesson)
    if len(found) != 1 and not unread and not others:
        problems.append(Problem(file, 0, "", "", f"{LESSON} has exactly one Lesson, and no other object"))
    return found[0] if found else None


def _text(folder: str, name: str, problems: list[Problem]) -> str:
    file = os.path.join(folder, name)
    budget = Budget(bytes=_MOST_BYTES)
    try:
        if not stat.S_ISREG(os.lstat(file).st_mode):
            raise UnreadableError("is not a regular file")
        return text_of(file, budget, pipes=False, home=os.path.realpath(folder))
    except OSError as error:
        problems.append(Problem(file, 0, "", "", error.strerror or str(error)))
    except UnreadableError as error:
        problems.append(Problem(file, error.line, "", "", str(error)))
    except TooLargeError:
        problems.append(Problem(file, 0, "", "", f"is larger than {_MOST_BYTES:,} bytes"))
    return ""


def _texts(folder: str, name: str, problems: list[Problem]) -> dict[str, str]:
    """Return the texts of the files in a folder of the lesson; report everything in it that is no YAML file."""
    inner = os.path.join(folder, name)
    try:
        if not stat.S_ISDIR(os.lstat(inner).st_mode):
            raise NotADirectoryError(0, "is not a folder")
        names = sorted(os.listdir(inner))
    except OSError as error:
        problems.append(Problem(inner, 0, "", "", error.strerror or str(error)))
        return {}
    if len(names) > _MOST_FILES or not names:
        problems.append(Problem(inner, 0, "", "", f"has {len(names)} files; a lesson has 1 to {_MOST_FILES}"))
        return {}
    found = {}
    for one in names:
        if FILE_NAME.fullmatch(one):
            found[one] = _text(folder, os.path.join(name, one), problems)
        else:
            what = "is no file of a lesson: such a file has a name like policy.yaml, in lower case"
            problems.append(Problem(os.path.join(inner, one), 0, "", "", what))
    return found


def _check(folder: str, problems: list[Problem]) -> Scenario | None:
    """Return the Scenario of a lesson. It reads the folder ``files`` and nothing else."""
    file = os.path.join(folder, CHECK)
    _text(folder, CHECK, problems)
    if problems:
        return None
    documents, unread = Reader(tree=HostFiles(os.path.realpath(folder))).read([file])
    problems += [one for one in unread if one.severity == "error"]
    if [one.kind for one in documents] != ["Scenario"]:
        problems.append(Problem(file, 0, "", "", f"{CHECK} has exactly one Scenario, and no other object"))
        return None
    # Before the Scenario is decoded, as decoding reads the files that it names.
    problems += other_files(documents[0])
    if problems:
        return None
    objects, wrong = decode(documents, access=Access())
    problems += [one for one in wrong if one.severity == "error"]
    if problems or not objects.scenarios:
        return None
    scenario = objects.scenarios[0]
    problems += wrong_expectations(scenario)
    return scenario


def _together(found: LessonFolder) -> list[Problem]:
    """Return the problems of the objects: with the unedited files, and with the solution."""
    solution, problems = solution_of(found)
    if problems:
        return problems
    applied = [one for step in found.check.steps for one in (*step.apply, *step.rollout)]
    problems += filter(None, map(with_plugins, applied))
    if problems:
        return problems
    for scenario in (question_of(found), found.check, found.check_of(solution)):
        try:
            pods = dry_run(scenario).pods
        except InputError as error:
            problems += error.problems
            continue
        except NetlabError as error:
            problems.append(problem_of(found.lesson, "", str(error)))
            continue
        if pods > MOST_PODS:
            problems.append(problem_of(found.lesson, "", f"has {pods:,} pods; a lesson has at most {MOST_PODS}"))
    return problems


def solution_of(found: LessonFolder) -> tuple[dict[str, list[Document]], list[Problem]]:
    """Return the documents of the solution, by the files' names, and the problems."""
    return documents_of({name: os.path.join(found.folder, SOLUTION, name) for name in found.solution})


def documents_of(files: Mapping[str, str]) -> tuple[dict[str, list[Document]], list[Problem]]:
    """Return the documents of files, by the names that ``files`` has for their paths, and the problems."""
    found: dict[str, list[Document]] = {}
    problems: list[Problem] = []
    for name, path in files.items():
        reader = Reader(tree=HostFiles(os.path.realpath(os.path.dirname(path) or ".")))
        found[name], unread = reader.read([path])
        problems += [one for one in unread if one.severity == "error"]
    return found, problems


def question_of(found: LessonFolder) -> Scenario:
    """Return the question as a Scenario of the unedited files: its one expectation is what packets show."""
    (step, *_) = found.check.steps
    asked = replace(step.without_changes(), name="question", expect=(found.lesson.question.expect,), path="")
    return replace(found.check, steps=(asked,), source=found.lesson.source, meta=found.lesson.meta)
