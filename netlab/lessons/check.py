"""Check an answer and the edited files of a lesson with packets, each in a lab of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from netlab.errors import HostError, KernelError
from netlab.frozen import frozen
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.lab.trace import TraceStep
from netlab.objects import Objects
from netlab.objects.scenarios import Scenario
from netlab.policy.explain import Explanation, explain
from netlab.scenario.dry_run import DryRun, dry_run
from netlab.scenario.results import Failure, ProgramFailure, StepResult
from netlab.scenario.run import run


@frozen
class CheckResult:
    """What packets say about a Scenario: ``as_asked`` of its ``pairs`` have the verdict that it expects.

    ``first`` is the first pair with another verdict, with its explanation and the rule that decided; None for what is
    not known. ``families`` are the IP families of the lab.
    """

    pairs: int
    as_asked: int
    first: Failure | ProgramFailure | None = None
    explanation: Explanation | None = None
    rule: TraceStep | None = None
    families: tuple[int, ...] = ()

    @property
    def passed(self) -> bool:
        return self.as_asked == self.pairs


def measure(scenario: Scenario | DryRun) -> CheckResult:
    """Run a Scenario in a lab of its own, and trace the first packet with another verdict than expected.

    Raises:
      InputError: with the problems of the files; no lab is built.
      HostError: when this host cannot build the lab.
    """
    checked = scenario if isinstance(scenario, DryRun) else dry_run(scenario)
    watch = _Watch()

    @contextlib.contextmanager
    def make(objects: Objects) -> Iterator[Lab]:
        with temporary(objects, cluster=checked.cluster) as lab:
            watch.lab = lab
            yield lab

    result = run(checked, make, watch.after)
    if result.error:
        raise HostError(result.error)
    pairs = sum(step.pairs for step in result.steps)
    wrong = sum(len(step.failures) + step.unknown for step in result.steps)
    return CheckResult(
        pairs, pairs - wrong, watch.first, watch.explanation, watch.rule, tuple(checked.cluster.families)
    )


class _Watch:
    """Explains and traces the first failure while the lab still runs."""

    lab: Lab | None = None
    first: Failure | ProgramFailure | None = None
    explanation: Explanation | None = None
    rule: TraceStep | None = None

    def after(self, step: StepResult) -> None:
        if self.first is not None or not step.failures or self.lab is None:
            return
        self.first = step.failures[0]
        if isinstance(self.first, Failure):
            self.explanation = explain(self.lab.cluster, self.first.flow)
            # Without a path no rule decides. A kernel that cannot trace can measure.
            if self.explanation.decision.path.connected:
                with contextlib.suppress(HostError, KernelError):
                    self.rule = deciding(self.lab.trace(self.first.flow).steps)


def deciding(steps: Sequence[TraceStep]) -> TraceStep | None:
    """Return the last step that dropped or rejected the packet, else the last one in which a policy accepted it."""
    dropped = [one for one in steps if one.verdict in ("drop", "reject") or one.rule.startswith("reject")]
    found = [one for one in steps if one.set and one.verdict in ("accept", "return") and "_class" in one.chain]
    decided = dropped or found
    return decided[-1] if decided else None
