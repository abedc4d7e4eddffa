"""Run a scenario: build a lab of its own, then carry out and check each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from netlab.cluster.flows import Flow, every_pair
from netlab.errors import NetlabError
from netlab.lab.lab import Lab
from netlab.machines.labs import temporary
from netlab.objects import Objects
from netlab.objects.scenarios import Expectation, Scenario, Step
from netlab.policy.evaluate import evaluate
from netlab.probe import Measurement
from netlab.scenario.compare import reason_of
from netlab.scenario.dry_run import DryRun, any_protocol, dry_run
from netlab.scenario.pairs import flows_of
from netlab.scenario.results import Failure, ProgramFailure, ScenarioResult, StepResult

Make = Callable[[Objects], AbstractContextManager[Lab]]
"""Builds a lab, which the end of the block removes."""

_Key = tuple[str, str, int, str, int | None]


class StepRunner:
    """Carries out the steps of a scenario in a lab, one after the other."""

    def __init__(self, scenario: Scenario, lab: Lab) -> None:
        self._scenario = scenario
        self._lab = lab

    def change(self, step: Step) -> list[ProgramFailure]:
        """Make the changes of a step; return what is wrong with the clients that ask meanwhile."""
        if not step.meanwhile:
            self._change(step)
            return []
        from netlab.scenario.meanwhile import Clients

        with Clients(self._lab, self._scenario, step.meanwhile) as clients:
            self._change(step)
        return clients.failures

    def _change(self, step: Step) -> None:
        if step.apply:
            self._lab.apply(step.apply)
        if step.rollout:
            self._lab.rollout(step.rollout)
        if step.label:
            self._lab.label(step.label)
        if step.delete:
            self._lab.delete(step.delete)
        if step.kill:
            self._lab.kill([one.name for one in step.kill])
        for one in step.stop:
            self._lab.stop_node(one.name)
        for one in step.start:
            self._lab.start_node(one.name)

    def step(self, step: Step) -> StepResult:
        """Make the changes of a step, then measure the pairs of its expectations, then run its programs.

        Raises:
          NetlabError: when the lab cannot be changed or probed.
        """
        started = time.monotonic()
        of_clients = self.change(step)
        programs = [one for one in step.expect if not isinstance(one, Expectation)]
        asked = list(self._asked(step))
        measured = self._measure([flow for flow, _, _ in asked])
        wrong = list(self._failures(asked, measured))
        failures: list[Failure | ProgramFailure] = [failure for failure in wrong if failure.expected != "unknown"]
        unknown, pairs = len(wrong) - len(failures), len(asked) + len(step.meanwhile)
        failures += of_clients
        if programs:
            from netlab.scenario import programs as running

            failures += running.failures(self._lab, self._scenario, programs)
            pairs += running.count(self._lab, programs)
        failures.sort(key=lambda failure: failure.line)
        seconds = time.monotonic() - started
        return StepResult(step.name, len(step.expect) + len(step.meanwhile), pairs, tuple(failures), seconds, unknown)

    def _asked(self, step: Step) -> Iterator[tuple[Flow, str | None, int]]:
        """Yield every flow with its expected verdict (None: the evaluator's) and the line of the expectation."""
        cluster = self._lab.cluster
        for expectation in step.expect:
            if not isinstance(expectation, Expectation):
                continue
            if expectation.oracle:
                yield from ((flow, None, expectation.line) for flow in every_pair(cluster))
                continue
            flows = flows_of(cluster, expectation, any_protocol=any_protocol(self._scenario, expectation))
            yield from ((flow, expectation.verdict, expectation.line) for flow in flows)

    def _measure(self, flows: list[Flow]) -> dict[_Key, Measurement]:
        """Measure each flow once, also one that several expectations have."""
        once = {_key(flow): flow for flow in flows}
        return {_key(m.flow): m for m in self._lab.probe(once.values())}

    def _failures(
        self, asked: list[tuple[Flow, str | None, int]], measured: dict[_Key, Measurement]
    ) -> Iterator[Failure]:
        """Yield each flow with another verdict than expected, also where the expected verdict is unknown."""
        for flow, verdict, line in asked:
            measurement = measured[_key(flow)]
            # A stated verdict that was measured needs no reason from the evaluator.
            if verdict == measurement.verdict:
                continue
            decision = evaluate(self._lab.cluster, flow)
            expected = verdict or decision.verdict
            if expected != measurement.verdict:
                reason = reason_of(decision, measurement)
                yield Failure(flow, expected, measurement.verdict, reason, self._scenario.source.file, line)


def _key(flow: Flow) -> _Key:
    return flow.source.ref, flow.target, flow.family, flow.protocol, flow.port


def run(
    scenario: Scenario | DryRun, make: Make | None = None, on_step: Callable[[StepResult], None] | None = None
) -> ScenarioResult:
    """Run a scenario in a lab of its own, which is gone afterwards.

    The next step runs also after a step with a wrong verdict. An error of this host or the kernel ends the scenario
    and is the result's ``error``.

    Args:
      scenario: the scenario, or its dry run, which is then not repeated.
      make: builds the lab; by default ``netlab.lab.temporary``.
      on_step: is called with the result of each step.

    Raises:
      InputError: when the dry run finds an error; no lab is built.
    """
    checked = scenario if isinstance(scenario, DryRun) else dry_run(scenario)
    scenario, objects = checked.scenario, checked.objects
    began, started = datetime.now(UTC), time.monotonic()
    results: list[StepResult] = []
    error, code = "", 0
    try:
        with make(objects) if make else temporary(objects, cluster=checked.cluster) as lab:
            runner = StepRunner(scenario, lab)
            for step in scenario.steps:
                results.append(runner.step(step))
                if on_step is not None:
                    on_step(results[-1])
    except NetlabError as refused:
        error, code = str(refused), refused.exit_code
    return ScenarioResult(
        scenario.meta.name,
        scenario.source.file,
        tuple(step.name for step in scenario.steps),
        began,
        tuple(results),
        error,
        code,
        time.monotonic() - started,
    )
