"""The results of scenarios, as values."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from netlab.cluster.flows import Flow
from netlab.frozen import frozen


@frozen
class Failure:
    """A flow with a wrong verdict; ``measured`` may be ``inconclusive``. ``line`` is the expectation's."""

    flow: Flow
    expected: str
    measured: str
    reason: str
    file: str = ""
    line: int = 0


@frozen
class ProgramFailure:
    """A request, a look-up or a program with another outcome than expected.

    ``question`` says which of them it is. ``destination`` is the URL, the name or the command. ``expected`` and
    ``measured`` are texts. ``line`` is that of the expectation.
    """

    question: Literal["http", "lookup", "run"]
    source: str
    destination: str
    expected: str
    measured: str
    reason: str = ""
    file: str = ""
    line: int = 0


@frozen
class StepResult:
    """The result of one step: ``expectations`` counts the items of its ``expect``, ``pairs`` the questions asked.

    ``unknown`` counts the flows with the expected verdict unknown, which were not compared.
    """

    name: str
    expectations: int
    pairs: int
    failures: tuple[Failure | ProgramFailure, ...] = ()
    seconds: float = 0.0
    unknown: int = 0


@frozen
class ScenarioResult:
    """The result of one scenario; ``planned`` names all its steps, ``steps`` has those that were carried out.

    ``error`` is the error that ended the scenario, ``exit_code`` its exit code.
    """

    name: str
    file: str
    planned: tuple[str, ...]
    started: datetime
    steps: tuple[StepResult, ...] = ()
    error: str = ""
    exit_code: int = 0
    seconds: float = 0.0

    @property
    def outcome(self) -> Literal["passed", "failed", "error"]:
        if self.error:
            return "error"
        return "failed" if any(step.failures for step in self.steps) else "passed"
