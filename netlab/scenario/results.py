"""What became of a scenario: values only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from netlab.cluster.flows import Flow
from netlab.frozen import frozen


@frozen
class Failure:
    """One pair that is not as expected; ``measured`` may be ``inconclusive``. ``line`` is the expectation's."""

    flow: Flow
    expected: str
    measured: str
    reason: str
    file: str = ""
    line: int = 0


@frozen
class StepResult:
    """One step that was carried out: ``expectations`` counts the lines of its ``expect``, ``pairs`` what they asked.

    ``unknown`` counts the pairs that were compared with nothing, as their expected verdict is not known.
    """

    name: str
    expectations: int
    pairs: int
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    unknown: int = 0


@frozen
class ScenarioResult:
    """One scenario that was run; ``planned`` names all its steps, ``steps`` has those that were carried out.

    ``error`` says why the rest was not, ``exit_code`` is that of the error.
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
