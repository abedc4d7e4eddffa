"""The results of scenarios, as values."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from netlab.cluster.flows import Flow
from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.scenario.invariants import JudgedRules


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

    question: Literal["http", "lookup", "run", "rule", "meanwhile"]
    source: str
    destination: str
    expected: str
    measured: str
    reason: str = ""
    file: str = ""
    line: int = 0


@frozen
class RuleFailure(ProgramFailure):
    """Pairs that break a rule of invariants, or (``measured`` is ``proves nothing``) why the rule proves nothing.

    ``source`` and ``destination`` are names of groups. ``ports`` has the ports, and ``port_text`` is short for them.
    ``family`` is None if the rule matches nothing. ``example`` is one pair: its ends, the protocol and the port.
    """

    port_text: str = ""
    family: int | None = None
    ports: tuple[str, ...] = ()
    pairs: int = 0
    example: tuple[str, str, str, int | None] | None = None


@frozen
class StepResult:
    """The result of one step, or of one rule of invariants.

    ``expectations`` counts the items of the step's ``expect``, ``pairs`` the questions asked. ``unknown`` counts the
    flows with the expected verdict unknown, which were not compared.
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

    ``error`` is the error that ended the scenario, ``exit_code`` its exit code. ``judged`` has what the rules of
    invariants are about; their steps are the rules.
    """

    name: str
    file: str
    planned: tuple[str, ...]
    started: datetime
    steps: tuple[StepResult, ...] = ()
    error: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    judged: JudgedRules | None = None

    @property
    def unit(self) -> str:
        """What a step is: ``step``, or ``rule`` of invariants."""
        return "step" if self.judged is None else "rule"

    @property
    def outcome(self) -> Literal["passed", "failed", "error"]:
        if self.error:
            return "error"
        return "failed" if any(step.failures for step in self.steps) else "passed"
