"""``netlab learn``: lessons with a text, a question and a task, which packets check."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netlab.cli import options, terminal
from netlab.cli.lesson_arguments import (
    ANSWERS,
    ask,
    chosen_folder,
    find_lesson,
    lessons_beside,
    load,
    outlines_of,
    present_lesson,
)
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.quantity import quantity
from netlab.report import lessons as words

if TYPE_CHECKING:
    from netlab.lessons.progress import Progress
    from netlab.lessons.read import LessonFolder

_F = TypeVar("_F", bound=Callable[..., Any])

_folder = option(
    "--folder",
    metavar="DIR",
    envvar="NETLAB_LEARN_FOLDER",
    default="",
    help="Your folder, with the files of each lesson and your progress.  [default: netlab-learn]",
)
_lessons = option(
    "--lessons",
    "others",
    metavar="DIR",
    envvar="NETLAB_LEARN_LESSONS",
    default="",
    help="Lessons of a trainer in place of netlab's own: a folder with a folder for each lesson.",
)


@click.group("learn", invoke_without_command=True)
@options.verbose
@click.pass_context
def learn_command(context: click.Context) -> None:
    """Learn Kubernetes networking in short lessons: read, predict, edit a file, and let packets check it.

    Without a command, it prints your lesson and what to type next. Each lesson has a text, a question that you answer
    before packets do, and a task in YAML files of your own folder. Nothing is fetched from the network.
    """
    if context.invoked_subcommand is None:
        folder = chosen_folder("")
        _print_place(folder, load(folder))


@learn_command.command("list")
@_lessons
@_folder
@options.verbose
def list_command(others: str, folder: str) -> None:
    """List the lessons, and which of them you have passed."""
    from netlab.report.columns import columns

    progress = load(chosen_folder(folder))
    rows = [
        (str(number), one.meta.name, one.title, words.standing(progress.of(one.meta.name)))
        for number, (_, one) in enumerate(outlines_of(others), 1)
    ]
    terminal.emit(columns(("LESSON", "NAME", "TITLE", "YOU"), rows))


@learn_command.command("start")
@click.argument("name", metavar="[LESSON]", required=False)
@option("--again", is_flag=True, help="Copy the files anew; what you changed is kept as FILE.old.")
@_lessons
@_folder
@options.verbose
def start_command(name: str | None, again: bool, others: str, folder: str) -> None:
    """Begin a lesson: copy its files into your folder, and print its text and its question.

    LESSON is a name or number of `netlab learn list`, or the folder of a trainer's lesson, such as ./my-lesson. Without
    it, netlab begins the first lesson that you have not passed. Files that you edited stay as they are.
    """
    chosen = chosen_folder(folder)
    progress = load(chosen)
    _start(find_lesson(name, others, progress), chosen, progress, again=again)


@learn_command.command("next")
@_lessons
@_folder
@options.verbose
def next_command(others: str, folder: str) -> None:
    """Begin the first lesson after the present one that you have not passed."""
    chosen = chosen_folder(folder)
    progress = load(chosen)
    now = progress.now
    others = others or lessons_beside(progress)
    outlines = outlines_of(others)
    names = [one.meta.name for _, one in outlines]
    after = names.index(now) + 1 if now in names else 0
    left = [path for path, one in outlines[after:] + outlines[:after] if not progress.of(one.meta.name).passed]
    if now and not progress.of(now).passed:
        terminal.say(f"{now} is not passed; go back to it with: netlab learn start {now}")
        left = [path for path, one in outlines[after:] if not progress.of(one.meta.name).passed]
    if not left:
        terminal.emit(["All lessons are passed." if now and progress.of(now).passed else "No lesson is left."])
        return
    _start(left[0], chosen, progress)


@learn_command.command("check")
@option("--answer", type=click.Choice(ANSWERS), help="Your answer to the question of the lesson.")
@_folder
@options.verbose
def check_command(answer: str | None, folder: str) -> None:
    """Check your answer and your files with packets, in labs of their own.

    Exit code 0 means that the lesson is passed: the answer is right, and every pair is as the task asks. On a terminal,
    netlab asks for the answer if you have not given it.
    """
    from dataclasses import replace

    from netlab.errors import InputError
    from netlab.lessons import check
    from netlab.lessons import progress as kept
    from netlab.lessons.folder import files_of, ignored_changes
    from netlab.lessons.read import documents_of, question_of
    from netlab.scenario.dry_run import dry_run

    chosen = chosen_folder(folder)
    progress = load(chosen)
    lesson, state = present_lesson(progress)
    files = files_of(chosen, lesson)
    documents, problems = documents_of(files)
    if problems:
        raise InputError(problems)
    task = dry_run(lesson.check_of(documents))
    for path in ignored_changes(chosen, lesson):
        terminal.say(f"{path} is not as the lesson has it; netlab checks {words.listed(lesson.lesson.edit)} only")
    state = replace(state, answer=answer or state.answer or ask(lesson))
    if state.right and state.answer == lesson.lesson.question.answer:
        terminal.emit(["Question", f"  You say {state.answer}, which is right.", ""])
    else:
        seen = check.measure(question_of(lesson))
        state = replace(state, right=state.answer == lesson.lesson.question.answer and seen.passed)
        terminal.emit([*words.answer_lines(lesson, state, seen), ""])
        if state.right and lesson.after:
            terminal.emit([*words.after_lines(lesson), ""])
    done = check.measure(task)
    state = replace(
        state,
        best=max(state.best, done.as_asked) if state.pairs == done.pairs else done.as_asked,
        pairs=done.pairs,
        passed=state.passed or (state.right and done.passed),
    )
    kept.save(chosen, kept.joined(load(chosen), lesson.name, state))
    terminal.emit([*words.task_lines(done), "", *words.closing_lines(lesson, state, passed=done.passed)])
    if not (state.right and done.passed):
        raise SystemExit(1)


@learn_command.command("hint")
@_folder
@options.verbose
def hint_command(folder: str) -> None:
    """Print the next hint of the present lesson; after the last one, its solution."""
    from dataclasses import replace

    from netlab.lessons import progress as kept

    chosen = chosen_folder(folder)
    progress = load(chosen)
    lesson, state = present_lesson(progress)
    hints = lesson.lesson.hints
    number = state.hints + 1
    if number <= len(hints):
        terminal.emit([f"Hint {number} of {len(hints)}: {hints[number - 1]}"])
    else:
        for name, text in lesson.solution.items():
            terminal.emit([f"The solution, in {name}:", "", *(f"    {line}".rstrip() for line in text.splitlines())])
    kept.save(chosen, progress.at(lesson.name, replace(state, hints=min(number, len(hints) + 1))))


@learn_command.command("validate")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True)
@option(
    "--measured",
    is_flag=True,
    help="Also build labs: packets must answer the question, fail the unedited files and pass the solution.",
)
@options.verbose
def validate_command(folders: Sequence[str], measured: bool) -> None:
    """Read the lessons of a trainer and print every problem; DIR is a lesson, or has a folder for each lesson.

    Exit code 1 means that packets do not do what a lesson says.
    """
    from netlab.errors import InputError, Problem
    from netlab.lessons.read import folders_in, read_lesson
    from netlab.lessons.rules import LESSON

    found: list[LessonFolder] = []
    problems: list[Problem] = []
    for folder in folders:
        for path in [folder] if os.path.isfile(os.path.join(folder, LESSON)) else folders_in(folder):
            try:
                found.append(read_lesson(path))
            except InputError as error:
                problems += error.problems
    names = [one.name for one in found]
    for one in found:
        if names.count(one.name) > 1:
            source = one.lesson.source
            problems.append(
                Problem(
                    source.file, source.line("metadata.name"), "metadata.name", "Lesson", "two lessons have this name"
                )
            )
    if problems:
        raise InputError(problems)
    wrong = [line for one in found for line in (_measured(one) if measured else ())]
    for line in wrong:
        terminal.say(line)
    how = " and measured" if measured else ""
    terminal.emit([f"{quantity(len(found), 'lesson')} read{how}: {quantity(len(wrong), 'problem')}"])
    if wrong:
        raise SystemExit(1)


def _measured(lesson: LessonFolder) -> Iterable[str]:
    """Yield a line for the question, the unedited files and the solution where packets disagree with the lesson."""
    from netlab.lessons import check
    from netlab.lessons.read import question_of, solution_of

    name = lesson.name
    seen = check.measure(question_of(lesson))
    if not seen.passed:
        yield f"{name}: the question: {words.mismatch(seen)}"
    if check.measure(lesson.check).passed:
        yield f"{name}: the unedited files pass the check already"
    done = check.measure(lesson.check_of(solution_of(lesson)[0]))
    if not done.passed:
        yield f"{name}: the solution: {done.as_asked} of {done.pairs} pairs are as asked: {words.mismatch(done)}"


# --- what the commands share ----------------------------------------------------------------------------------------


def _start(path: str, folder: str, progress: Progress, *, again: bool = False) -> None:
    """Copy the files of the lesson at ``path`` into the learner's folder, and print its text and its question."""
    from dataclasses import replace

    from netlab.lessons import folder as of_learner
    from netlab.lessons import progress as kept
    from netlab.lessons.read import own_folders, read_lesson

    lesson = read_lesson(path)
    own = own_folders()
    state = progress.of(lesson.name)
    place = "" if path in own else os.path.abspath(path)
    if state.pairs and state.folder != place:
        raise UsageError(f"{folder} has another lesson {lesson.name}; take another folder with --folder")
    left = of_learner.make(folder, lesson, again=again)
    state = replace(state, folder=place)
    if again:
        state = replace(state, answer="", right=False, hints=0)
    kept.save(folder, progress.at(lesson.name, state))
    number = f"{own.index(path) + 1} of {len(own)}: " if path in own else ""
    inner = of_learner.of_lesson(folder, lesson.name)
    commands = (
        *((f"cd {inner}", "and type there what the text shows"),)[: inner != "."],
        ("netlab learn check --answer yes|no", "your answer; then packets check it and your files"),
        ("netlab learn hint", "the next hint"),
        (f"netlab down {lesson.lab}", "remove the lab of the text when you are done"),
    )
    terminal.emit(
        [
            *words.lesson_text(number, lesson),
            "",
            *words.question_lines(lesson),
            "",
            f"Your files are {words.place(inner)}: {words.listed(lesson.files)}",
            *([f"You edited {words.listed(left)}, so it stays as it is; --again copies it anew."] if left else []),
            "",
            *words.commands(*commands),
        ]
    )


def _print_place(folder: str, progress: Progress) -> None:
    """Print where the learner is and what to type."""
    outlines = outlines_of("")
    passed = sum(progress.of(one.meta.name).passed for _, one in outlines)
    lines = [f"{passed} of {len(outlines)} lessons are passed."]
    listing = ("netlab learn list", "list all lessons")
    now = progress.now
    if not now:
        terminal.emit([*lines, "", *words.commands(("netlab learn start", "begin the first lesson"), listing)])
        return
    from netlab.lessons.folder import of_lesson

    state = progress.of(now)
    lines += [f"You are in lesson {now}{words.so_far(state)}. Its files are {words.place(of_lesson(folder, now))}.", ""]
    following = [("netlab learn next", "begin the next lesson")]
    checking = [
        (
            f"netlab learn check{'' if state.answer else ' --answer yes|no'}",
            "let packets check your answer and your files",
        ),
        ("netlab learn hint", "the next hint"),
    ]
    commands = following if state.passed else checking
    terminal.emit([*lines, *words.commands(*commands, (f"netlab learn start {now}", "read the lesson again"), listing)])
