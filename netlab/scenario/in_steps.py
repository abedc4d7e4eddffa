"""Asks single expectations of a scenario, in any order: the lab always has the changes of the steps until then."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from netlab.errors import NetlabError
from netlab.lab.lab import Lab
from netlab.machines.labs import temporary
from netlab.objects.scenarios import Expectation, ProgramExpectation
from netlab.scenario.dry_run import DryRun
from netlab.scenario.results import ProgramFailure, StepResult
from netlab.scenario.run import StepRunner


class InSteps:
    """A scenario and its lab, which ``build`` builds and ``close`` removes."""

    def __init__(self, checked: DryRun) -> None:
        self._checked = checked
        self._steps = checked.scenario.steps
        self._stack = contextlib.ExitStack()
        self._runner: StepRunner | None = None
        self._lab: Lab | None = None
        # The number of steps whose changes the lab has; and the step whose changes failed, with the error.
        self._done = 0
        self._broken: tuple[int, NetlabError] | None = None
        # By step: what was wrong with the clients that asked meanwhile. It is reported with the first expectation.
        self._of_clients: dict[int, list[ProgramFailure]] = {}

    @property
    def lab(self) -> Lab:
        """The scenario's lab, as the last step left it."""
        if self._lab is None:
            raise RuntimeError("the scenario's lab is not built")
        return self._lab

    def build(self) -> None:
        """Build the lab as the first step finds it; raises HostError, KernelError."""
        self._lab = self._stack.enter_context(temporary(self._checked.objects, cluster=self._checked.cluster))
        self._runner = StepRunner(self._checked.scenario, self._lab)
        self._done, self._broken = 0, None

    def close(self) -> None:
        """Remove the lab."""
        self._runner = self._lab = None
        self._stack.close()

    def ask(self, number: int, asked: Expectation | ProgramExpectation | None) -> StepResult:
        """Ask an expectation of the step with this number, counted from 0; None makes the changes of the step only.

        The changes of earlier steps are made first. If the lab has those of later steps, it is built anew.

        Raises:
          NetlabError: when the lab cannot be changed or probed; it names the step if that is an earlier one.
        """
        runner = self._at(number)
        expect = () if asked is None else (asked,)
        result = runner.step(replace(self._steps[number].without_changes(), expect=expect))
        first = asked is None or asked is self._steps[number].expect[0]
        of_clients = (self._of_clients.get(number) if first else None) or ()
        return replace(result, failures=(*of_clients, *result.failures))

    def _at(self, number: int) -> StepRunner:
        """Bring the lab to the step with this number."""
        if self._done > number + 1 or (self._broken is not None and self._broken[0] > number):
            self.close()
            self.build()
        if self._runner is None:
            raise RuntimeError("the scenario's lab is not built")
        while self._done <= number and self._broken is None:
            try:
                self._of_clients[self._done] = self._runner.change(self._steps[self._done])
                self._done += 1
            except NetlabError as error:
                self._broken = (self._done, error)
        if self._broken is not None:
            at, why = self._broken
            if at == number:
                raise why
            raise NetlabError(f"step {self._steps[at].name!r} could not be carried out: {why}") from why
        return self._runner
