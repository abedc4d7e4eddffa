"""Lesson as a value: what ``netlab learn`` asks, and which files its task is about."""

from __future__ import annotations

from dataclasses import field

from netlab.frozen import frozen
from netlab.objects.scenarios import Expectation, ProgramExpectation
from netlab.objects.types import Meta, Source


@frozen
class Question:
    """A question that is answered by yes or no before a packet is sent.

    ``expect`` is what packets show with the unedited files: the answer is yes if it expects that something arrives.
    ``why`` says why.
    """

    text: str
    why: str
    expect: Expectation | ProgramExpectation

    @property
    def answer(self) -> str:
        """The right answer, ``yes`` or ``no``."""
        if isinstance(self.expect, Expectation):
            return "no" if self.expect.verdict == "deny" else "yes"
        return "yes" if getattr(self.expect, "addresses", getattr(self.expect, "answered", False)) else "no"


@frozen
class Lesson:
    """A Lesson. ``edit`` names the files that the task is about; ``hints`` lead to the solution, one by one."""

    meta: Meta
    title: str
    about: str
    question: Question
    task: str
    edit: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
