"""Every lesson, by packets: what its text shows, and what it says about right and wrong answers."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lesson_mistakes import MISTAKES
from sizes import HANGS

from netlab.lessons.read import LessonFolder, own_folders, read_lesson

LESSONS = [read_lesson(folder) for folder in own_folders()]
EVERY = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
SKIPPED = "  ..."
"""A line of a text that stands for any number of lines."""
OTHER = {"yes": "no", "no": "yes"}

Done = subprocess.CompletedProcess[str]


def netlab(folder: Path, *arguments: str) -> Done:
    """Run a command in a folder. Its labs have no name in common with other labs of the host but that of the texts."""
    return subprocess.run(
        [sys.executable, "-m", "netlab", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "NETLAB_LAB": "learn", "NETLAB_LEARN_FOLDER": ""},
        timeout=HANGS,
    )


@pytest.fixture
def begun(lesson: LessonFolder, tmp_path: Path) -> Path:
    """The learner's folder of a lesson that has begun."""
    done = netlab(tmp_path, "learn", "start", lesson.name)
    assert 0 == done.returncode, done.stderr
    return tmp_path / "netlab-learn" / lesson.name


def edit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def standing(folder: Path, lesson: LessonFolder) -> str:
    """Return what the list says about a lesson."""
    lines = netlab(folder, "learn", "list").stdout.splitlines()
    (line,) = [line for line in lines if line.split()[1] == lesson.name]
    return line.partition(lesson.lesson.title)[2].strip()


@EVERY
def test_the_right_answer_and_the_solution_pass(lesson: LessonFolder, begun: Path) -> None:
    """Exit code 0, all pairs as asked, and the list says so."""
    edit(begun, dict(lesson.solution))

    done = netlab(begun, "learn", "check", "--answer", lesson.lesson.question.answer)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"and packets say {lesson.lesson.question.answer}: right." in done.stdout
    assert re.search(r"\n  (\d+) of \1 pairs are as asked\.\n", done.stdout)
    assert f"Lesson {lesson.name} is passed." in done.stdout
    assert "passed" == standing(begun, lesson)


@EVERY
def test_the_wrong_answer_fails(lesson: LessonFolder, begun: Path) -> None:
    """Exit code 1, although the task is done."""
    right = lesson.lesson.question.answer
    edit(begun, dict(lesson.solution))

    wrong = netlab(begun, "learn", "check", "--answer", OTHER[right])

    assert 1 == wrong.returncode, wrong.stderr
    assert f"You say {OTHER[right]}, and packets say {right}: that is wrong." in wrong.stdout
    assert standing(begun, lesson).endswith("answer not right yet")


@EVERY
def test_unedited_files_fail(lesson: LessonFolder, begun: Path) -> None:
    """Exit code 1 with the right answer: the task is not done by doing nothing."""
    done = netlab(begun, "learn", "check", "--answer", lesson.lesson.question.answer)

    assert 1 == done.returncode, done.stderr
    assert "The first that is not: " in done.stdout
    assert f"The task is not done yet. Edit {lesson.lesson.edit[0]} and check again" in done.stdout


@EVERY
def test_a_typical_mistake_gets_part_of_the_pairs_and_the_reason(lesson: LessonFolder, begun: Path) -> None:
    """The first pair that is not as asked in words, what decided it, and how many are as asked."""
    made = MISTAKES[lesson.name]
    assert made.old in lesson.solution[made.file]
    edit(begun, {**lesson.solution, made.file: lesson.solution[made.file].replace(made.old, made.new)})

    done = netlab(begun, "learn", "check", "--answer", lesson.lesson.question.answer)

    assert 1 == done.returncode, done.stdout + done.stderr
    assert f"  {made.pairs} pairs are as asked.\n  The first that is not: {made.first}\n" in done.stdout
    assert [] == [text for text in made.decided if text not in done.stdout], done.stdout
    assert f"{made.pairs} pairs" == standing(begun, lesson)


def test_every_lesson_has_a_mistake() -> None:
    """A new lesson needs one."""
    assert {lesson.name for lesson in LESSONS} == set(MISTAKES)


# --- the texts ------------------------------------------------------------------------------------------------------


def sessions(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a text with the lines that it prints there."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for session in block.removeprefix("$ ").split("\n$ "):
            command, *lines = session.rstrip("\n").split("\n")
            yield command, lines


def shown(lines: list[str]) -> str:
    """Return the pattern of what a text shows; the number of a peer's interface is not the same twice."""
    parts = "".join(f"\n{line}" for line in lines)
    pattern = r"(?:\n.*)*".join(map(re.escape, parts.split(f"\n{SKIPPED}")))
    return re.sub(r"@if\d+( *)", r"@if\\d+ *", pattern.replace("\\ ", " "))


@EVERY
def test_the_commands_of_a_text_print_what_the_text_shows(lesson: LessonFolder, begun: Path) -> None:
    """One after the other, as a learner types them."""
    try:
        for command, lines in sessions(lesson.text):
            program, *arguments = shlex.split(command)
            assert "netlab" == program
            done = netlab(begun, *arguments)
            assert 0 == done.returncode, (command, done.stderr)
            printed = [line.rstrip() for line in done.stdout.splitlines()]
            assert re.fullmatch(shown(lines), "".join(f"\n{line}" for line in printed)), (command, done.stdout)
    finally:
        netlab(begun, "down", "learn")


def test_every_text_has_commands() -> None:
    """At least one that builds the lab, and one that looks into it."""
    assert [] == [lesson.name for lesson in LESSONS if len(list(sessions(lesson.text))) < 2]


@EVERY
def test_hints_lead_to_the_solution(lesson: LessonFolder, begun: Path) -> None:
    """One by one, and after the last one the file itself."""
    hints = lesson.lesson.hints

    said = [netlab(begun, "learn", "hint").stdout for _ in range(len(hints) + 1)]

    assert [f"Hint {at} of {len(hints)}: {hint}\n" for at, hint in enumerate(hints, 1)] == said[:-1]
    assert all(line.strip() in said[-1] for text in lesson.solution.values() for line in text.splitlines())


def test_a_script_passes_all_lessons(tmp_path: Path) -> None:
    """As a learner does: start, answer, edit, check, next."""
    printed = netlab(tmp_path, "learn", "start").stdout
    for number, lesson in enumerate(LESSONS, 1):
        assert printed.startswith(f"{number} of {len(LESSONS)}: {lesson.lesson.title}\n")
        edit(tmp_path / "netlab-learn" / lesson.name, dict(lesson.solution))
        done = netlab(tmp_path, "learn", "check", "--answer", lesson.lesson.question.answer)
        assert 0 == done.returncode, done.stdout + done.stderr
        printed = netlab(tmp_path, "learn", "next").stdout

    assert "All lessons are passed.\n" == printed
