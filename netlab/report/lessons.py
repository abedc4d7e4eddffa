"""What ``netlab learn`` prints, as lines: texts of lessons, what packets say, and what to type next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeGuard, cast

if TYPE_CHECKING:
    from netlab.lessons.check import CheckResult
    from netlab.lessons.progress import LessonState
    from netlab.lessons.read import LessonFolder
    from netlab.scenario.results import Failure, ProgramFailure

_WIDTH = 100
_FENCE = "```"


def lesson_text(number: str, lesson: LessonFolder) -> Iterator[str]:
    """Yield the text of a lesson: its title, and its Markdown without the fences of code."""
    title = f"{number}{lesson.lesson.title}"
    yield title
    yield "=" * len(title)
    yield lesson.lesson.about
    yield ""
    yield from plain(lesson.before)


def plain(text: str) -> Iterator[str]:
    """Yield the lines of a Markdown text as a terminal shows them: code is indented and not fenced."""
    code = False
    for line in text.splitlines():
        if line.startswith(_FENCE):
            code = not code
        elif code:
            yield f"    {line}".rstrip()
        else:
            yield line


def question_lines(lesson: LessonFolder) -> Iterator[str]:
    """Yield the question and the task, before the learner answers."""
    yield "Question (predict first; packets answer it in `netlab learn check`)"
    yield from _wrapped(lesson.lesson.question.text)
    yield ""
    yield "Task"
    yield from _wrapped(lesson.lesson.task)


def answer_lines(lesson: LessonFolder, state: LessonState, seen: CheckResult) -> Iterator[str]:
    """Yield whether packets agree with the answer, and why."""
    question = lesson.lesson.question
    yield "Question"
    yield from _wrapped(question.text)
    if not seen.passed:
        # The kernel or another setting of this host differs from what the lesson says.
        yield f"  You say {state.answer}, and the lesson says {question.answer}. On this host, packets do otherwise:"
        yield f"  {mismatch(seen)}"
        return
    right = state.answer == question.answer
    yield f"  You say {state.answer}, and packets say {question.answer}: {'right.' if right else 'that is wrong.'}"
    yield from _wrapped(question.why)


def after_lines(lesson: LessonFolder) -> Iterator[str]:
    """Yield the text that follows the right answer."""
    yield from (f"  {line}".rstrip() for line in plain(lesson.after))


def task_lines(done: CheckResult) -> Iterator[str]:
    """Yield how many pairs are as the task asks, the first that is not, and what decided it."""
    yield "Task"
    verb = "is" if done.as_asked == 1 else "are"
    yield f"  {done.as_asked} of {done.pairs} pairs {verb} as asked."
    if done.first is None:
        return
    yield f"  The first that is not: {mismatch(done)}"
    if done.explanation is not None:
        headline, *sides = done.explanation.sections
        yield from (f"  {line}" for line in headline.lines)
        for section in sides:
            yield ""
            yield from (f"  {line}" for line in section.in_lines())
    if done.rule is not None:
        from netlab.report.traces import short_rule

        rule = done.rule
        entry = f", by the entry {rule.comment or rule.key} of @{rule.set}" if rule.set else ""
        yield ""
        yield f"  The rule that decided, on {rule.node}, in chain {rule.chain}:"
        yield f"    {short_rule(rule.rule)}{entry}"


def mismatch(outcome: CheckResult) -> str:
    """Return the first pair with another verdict than expected, in words."""
    first = outcome.first
    if first is None:
        return "the verdict is not known"
    if _of_program(first):
        return _program(first)
    return _verdict(cast("Failure", first), outcome)


def _of_program(first: Failure | ProgramFailure) -> TypeGuard[ProgramFailure]:
    """Say whether a failure is that of a look-up or a request. Only a failure of packets has a flow."""
    return not hasattr(first, "flow")


def _verdict(first: Failure, outcome: CheckResult) -> str:
    from netlab.policy.reasons import service

    flow = first.flow
    family = f" over IPv{flow.family}" if len(outcome.families) > 1 else ""
    pair = f"{flow.target} on {service(flow)}{family}"
    if first.measured == "inconclusive":
        return f"packets do not tell whether {flow.source.ref} reaches {pair}: {first.reason}"
    must = "must not reach" if first.expected == "deny" else "must reach"
    does = {"allow": "it does", "deny": "it does not", "some": "only some of the Service's endpoints answer"}
    return f"{flow.source.ref} {must} {pair}, but {does[first.measured]}."


def _program(first: ProgramFailure) -> str:
    verb = {"http": "GET", "lookup": "the look-up of", "run": "run", "meanwhile": "asking"}[first.question]
    return f"from {first.source}, {verb} {first.destination}: asked {first.expected}, found {first.measured}."


def _wrapped(text: str) -> Iterator[str]:
    for paragraph in text.split("\n"):
        yield from textwrap.wrap(paragraph, _WIDTH, initial_indent="  ", subsequent_indent="  ") or [""]


def closing_lines(lesson: LessonFolder, state: LessonState, *, passed: bool) -> Iterable[str]:
    """Yield what is done and what is left, with the command for it."""
    if state.right and passed:
        yield f"Lesson {lesson.name} is passed. Go on with: netlab learn next"
        return
    if not state.right:
        yield "The answer is not right yet. Answer again with: netlab learn check --answer yes|no"
    if not passed:
        yield f"The task is not done yet. Edit {listed(lesson.lesson.edit)} and check again: netlab learn check"
        seen = state.hints
        total = len(lesson.lesson.hints)
        yield f"  netlab learn hint    {f'hint {seen + 1} of {total}' if seen < total else 'the solution'}"


def standing(state: LessonState) -> str:
    """Return how far the learner is in a lesson: ``passed``, ``3 of 5 pairs``, or ``-`` before the first check."""
    if state.passed:
        return "passed"
    if not state.pairs:
        return "-"
    return f"{state.best} of {state.pairs} pairs{'' if state.right else ', answer not right yet'}"


def so_far(state: LessonState) -> str:
    """Return ``standing`` in brackets after a space, "" before the first check."""
    return f" ({standing(state)})" if state.pairs or state.passed else ""


def commands(*commands: tuple[str, str]) -> list[str]:
    """Return a line for each command with what it does."""
    wide = max(len(command) for command, _ in commands)
    return [f"  {command:{wide}}   {what}" for command, what in commands]


def place(folder: str) -> str:
    """Return where a folder is, as words of a sentence."""
    return "here" if folder == "." else f"in {folder}"


def listed(names: Iterable[str]) -> str:
    """Return names as words of a sentence: ``a.yaml, b.yaml and c.yaml``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
