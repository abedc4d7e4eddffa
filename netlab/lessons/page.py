"""The page ``docs/lessons.md``: the text, the question and the task of each lesson.

``python -m netlab.lessons.page`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netlab.lessons.read import LessonFolder, own_folders, read_lesson

FILE = Path(__file__).parents[2] / "docs" / "lessons.md"
_HEAD = """\
# Lessons

<!-- proven by tests/learn/test_lessons.py -->

`python -m netlab.lessons.page` writes this page from the lessons in `netlab/lessons`. They are a guided tour, and you
can do them offline: `netlab learn start` copies the files of a lesson into a folder of yours, and packets check your
answer and your edits. [learn.md](learn.md) says how, and how to write lessons of your own."""


def page() -> str:
    """Return the whole page."""
    found = [read_lesson(folder) for folder in own_folders()]
    contents = [f"{number}. [{one.lesson.title}](#{_anchor(number, one)})" for number, one in enumerate(found, 1)]
    lines = [_HEAD, "", *contents]
    for number, one in enumerate(found, 1):
        lines += ["", *_lesson(number, one)]
    return "\n".join(lines) + "\n"


def _anchor(number: int, one: LessonFolder) -> str:
    """Return the anchor that GitHub and mkdocs give a heading."""
    title = f"{number}. {one.lesson.title}".lower()
    return "".join(letter for letter in title if letter.isalnum() or letter in " -").replace(" ", "-")


def _lesson(number: int, one: LessonFolder) -> Iterator[str]:
    lesson = one.lesson
    yield f"## {number}. {lesson.title}"
    yield ""
    yield f"{lesson.about} `netlab learn start {one.name}`"
    for name in lesson.edit:
        yield from ("", f"`{name}`:", "", "```yaml", *one.files[name].rstrip().splitlines(), "```")
    yield from ("", *one.before.splitlines())
    yield from ("", f"**Question.** {' '.join(lesson.question.text.split())}")
    yield from ("", f"**Task.** {' '.join(lesson.task.split())}")
    if one.after:
        yield from ("", "**After your answer.**", "", *one.after.splitlines())


if __name__ == "__main__":
    FILE.write_text(page())
