"""The learner's folder and the commands that need no lab."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.lessons.progress import LessonState, Progress, joined
from netlab.lessons.read import own_folders

Learn = Callable[..., Any]
LAST = Path(own_folders()[-1]).name[3:]


@pytest.fixture
def learn(netlab: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learn:
    """Call ``netlab learn`` in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: netlab("learn", *arguments)


def passed(folder: Path, *names: str) -> None:
    """Write that lessons are passed."""
    state = {"folder": "", "answer": "no", "right": True, "hints": 0, "best": 1, "pairs": 1, "passed": True}
    lessons = dict.fromkeys(names, state)
    folder.mkdir(exist_ok=True)
    (folder / "progress.json").write_text(json.dumps({"lesson": names[-1], "lessons": lessons}))


def test_before_the_first_lesson_it_says_what_to_type(learn: Learn) -> None:
    """And makes no file."""
    done = learn()

    assert 0 == done.exit_code
    assert "  netlab learn start   begin the first lesson\n" in done.stdout
    assert [] == list(Path().iterdir())


def test_start_copies_files_and_prints_text_question_and_task(learn: Learn) -> None:
    """The text up to the question; what follows the answer is left out."""
    done = learn("start", "default-deny")

    assert 0 == done.exit_code, done.stderr
    parts = [
        "7 of 14: Default deny\n",
        "$ netlab up -f .",
        "Question (predict first",
        "Task\n",
        "cd netlab-learn/default-deny",
    ]
    places = [done.stdout.index(part) for part in parts]
    assert sorted(places) == places
    assert "After your answer" not in done.stdout
    assert "netlab reach" not in done.stdout
    assert ["lab.yaml", "policy.yaml"] == sorted(path.name for path in Path("netlab-learn/default-deny").iterdir())


@pytest.mark.parametrize("name", ["7", "07", "default-deny", "07-default-deny"])
def test_a_lesson_has_a_number_and_a_name(learn: Learn, name: str) -> None:
    """Each form begins it."""
    assert learn("start", name).stdout.startswith("7 of 14: ")


def test_a_mistyped_lesson_gets_a_suggestion(learn: Learn) -> None:
    """Exit code 2, and nothing is made."""
    done = learn("start", "default-denny")

    assert 2 == done.exit_code
    assert "no lesson 'default-denny'; did you mean 'default-deny'?" in done.stderr
    assert [] == list(Path().iterdir())


def test_edits_stay_and_again_keeps_a_copy(learn: Learn) -> None:
    """A second start copies what is missing; --again copies all, and keeps what was edited."""
    learn("start", "default-deny")
    policy, lab = Path("netlab-learn/default-deny/policy.yaml"), Path("netlab-learn/default-deny/lab.yaml")
    first = policy.read_text()
    policy.write_text("# mine\n")
    lab.unlink()

    second = learn("start", "default-deny")

    assert "You edited policy.yaml, so it stays as it is" in second.stdout
    assert "# mine\n" == policy.read_text()
    assert lab.exists()

    learn("start", "default-deny", "--again")
    assert first == policy.read_text()
    assert "# mine\n" == Path("netlab-learn/default-deny/policy.yaml.old").read_text()


def test_files_are_found_from_inside(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of a lesson, the commands use the folder above it."""
    learn("start", "none")
    monkeypatch.chdir("netlab-learn/none")

    assert "You are in lesson none. Its files are here.\n" in learn().stdout
    assert learn("hint").stdout.startswith("Hint 1 of 3: ")
    assert "  cd ../host " in learn("next").stdout
    assert ["host", "none", "progress.json"] == sorted(path.name for path in Path("..").iterdir())


def test_next_begins_the_first_lesson_that_is_not_passed(learn: Learn) -> None:
    """It goes on after the present one, and a lesson that is not passed is named."""
    learn("start", "bridge")

    done = learn("next")

    assert done.stdout.startswith("4 of 14: ")
    assert "bridge is not passed; go back to it with: netlab learn start bridge" in done.stderr

    passed(Path("netlab-learn"), "host", "none")
    assert learn("next").stdout.startswith("3 of 14: ")


def test_after_the_last_lesson_nothing_begins(learn: Learn) -> None:
    """It says so."""
    passed(Path("netlab-learn"), *(Path(folder).name[3:] for folder in own_folders()))

    assert "All lessons are passed.\n" == learn("next").stdout
    assert 14 == learn("list").stdout.count("passed")
    assert LAST in learn().stdout


def test_hints_end_with_the_solution(learn: Learn) -> None:
    """It is printed again when one asks again."""
    learn("start", "default-deny")

    said = [learn("hint").stdout for _ in range(5)]

    assert said[2].startswith("Hint 3 of 3: ")
    assert said[3].startswith("The solution, in policy.yaml:\n")
    assert said[3] == said[4]


def test_a_check_needs_an_answer_and_a_lesson(learn: Learn) -> None:
    """Without a terminal nothing is asked; exit code 2."""
    none = learn("check", "--answer", "no")
    learn("start", "none")
    done = learn("check")

    assert (2, 2) == (none.exit_code, done.exit_code)
    assert "no lesson has begun here; begin with: netlab learn start" in none.stderr
    assert "answer it with --answer yes or --answer no" in done.stderr


def test_wrong_files_are_reported_before_a_lab_is_built(learn: Learn) -> None:
    """With file and line, as the learner has them."""
    learn("start", "default-deny")
    path = Path("netlab-learn/default-deny/policy.yaml")
    path.write_text(path.read_text().replace("podSelector", "podselector"))

    done = learn("check", "--answer", "no")

    assert 2 == done.exit_code
    assert "netlab-learn/default-deny/policy.yaml:5: NetworkPolicy shop/default-deny: spec.podselector: " in done.stderr

    path.unlink()
    assert f"{path} is missing; this puts it back: netlab learn start default-deny" in learn("check").stderr


STATE = '"folder": "", "answer": "", "right": false, "best": 0, "pairs": 0, "passed": false'


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"lesson": "x", "lessons": {"../x": {}}}', "[" * 100_000),
        *(f'{{"lesson": "none", "lessons": {{"none": {{{STATE}, "hints": {hints}}}}}}}' for hints in (-5, 10**40)),
    ],
)
def test_a_damaged_progress_says_how_to_begin_anew(learn: Learn, text: str) -> None:
    """Exit code 2, and the file stays as it is."""
    Path("netlab-learn").mkdir()
    Path("netlab-learn/progress.json").write_text(text)

    done = learn("list")

    assert 2 == done.exit_code
    assert "netlab-learn/progress.json cannot be used: " in done.stderr
    assert "delete it, and the lessons count as not passed" in done.stderr


def test_a_check_keeps_what_another_command_wrote_meanwhile() -> None:
    """Two checks at once, and a lesson that was begun since."""
    since = Progress(
        "labels", {"none": LessonState(hints=2, best=5, pairs=6, passed=True), "labels": LessonState(hints=1)}
    )

    found = joined(since, "none", LessonState(answer="no", best=3, pairs=6))

    assert "labels" == found.now
    assert LessonState(answer="no", hints=2, best=5, pairs=6, passed=True) == found.of("none")
    assert LessonState(hints=1) == found.of("labels")


def test_a_lesson_of_a_trainer(learn: Learn) -> None:
    """By its folder, or by --lessons; the other commands then know where it is."""
    course = Path("course/1-first")
    shutil.copytree(own_folders()[6], course)
    text = (course / "lesson.yaml").read_text()
    (course / "lesson.yaml").write_text(text.replace("name: default-deny", "name: first"))

    assert learn("start", "./course/1-first").stdout.startswith("Default deny\n")
    assert learn("hint").stdout.startswith("Hint 1 of 3: ")
    assert "first" in learn("list", "--lessons", "course").stdout
    assert learn("start", "--lessons", "course", "1").stdout.startswith("Default deny\n")
    assert "No lesson is left.\n" == learn("next").stdout


def test_texts_of_a_stranger_move_no_cursor(learn: Learn) -> None:
    """Control characters of a lesson's text are escaped."""
    shutil.copytree(own_folders()[6], "mine")
    Path("mine/lesson.md").write_text("red \x1b[31m text\n")

    assert "red \\x1b[31m text" in learn("start", "./mine").stdout


def test_a_file_in_place_of_a_folder_is_an_error(learn: Learn) -> None:
    """And a link is not followed."""
    Path("netlab-learn").write_text("")

    assert 2 == learn("start", "none").exit_code

    Path("netlab-learn").unlink()
    Path("elsewhere").mkdir()
    Path("netlab-learn").symlink_to("elsewhere")
    assert 2 == learn("start", "none").exit_code
    assert [] == list(Path("elsewhere").iterdir())
