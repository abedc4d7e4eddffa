"""Judge invariants: by the evaluator, and with ``packets`` also by packets in a lab of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netlab.cluster import Cluster, try_resolve
from netlab.cluster.services.system import SYSTEM_NAMESPACES
from netlab.errors import InputError, NetlabError, in_order
from netlab.frozen import frozen
from netlab.objects import Objects, input_of
from netlab.objects.invariants import InvariantRule, Invariants
from netlab.objects.system_objects import system_document
from netlab.objects.versions import STORED
from netlab.policy.rule_judge import RuleJudge
from netlab.policy.rule_results import RuleResult
from netlab.scenario.results import Failure, ProgramFailure, RuleFailure, ScenarioResult, StepResult
from netlab.scenario.rule_failures import RuleFailures

if TYPE_CHECKING:
    from netlab.scenario.rule_packets import RulePackets


@frozen
class ReadyInvariants:
    """Invariants without an error, and the cluster that they are about."""

    invariants: Invariants
    objects: Objects
    cluster: Cluster

    @property
    def pods(self) -> int:
        """The number of pods of the cluster."""
        return len(self.cluster.pods)


@frozen
class JudgedRules:
    """The results of invariants' rules, in order, with what they are about.

    ``packets`` is the number of pairs that packets were sent for, None if none were to be sent; ``left_out`` is the
    number of examples without packets.
    """

    ready: ReadyInvariants
    results: tuple[RuleResult, ...]
    packets: int | None = None
    left_out: int = 0


def ready(invariants: Invariants) -> ReadyInvariants:
    """Return invariants with the cluster of their objects.

    Raises:
      InputError: with every problem of the objects that they name.
    """
    system = [system_document()] if _needs_system(invariants) else []
    found = input_of([*invariants.resources, *system], server=STORED)
    cluster, more = try_resolve(found.objects, unknown=found.unknown)
    problems = [one for one in (*found.problems, *more) if one.severity == "error"]
    if problems:
        raise InputError(in_order(problems, (invariants.source.file,)))
    return ReadyInvariants(invariants, found.objects, cluster)


def _needs_system(invariants: Invariants) -> bool:
    """Say whether a rule names what netlab may have to add, such as cluster DNS."""
    spaces = [
        end.name.partition("/")[0] if end.kind == "service" else end.namespace
        for rule in invariants.rules
        for end in rule.ends
    ]
    names = [end.name for rule in invariants.rules for end in rule.ends if end.kind == "service"]
    return any(space in SYSTEM_NAMESPACES for space in spaces) or "default/kubernetes" in names


class RuleRunner:
    """Judges the rules of invariants, one after the other."""

    def __init__(self, ready: ReadyInvariants) -> None:
        self.ready = ready
        self.judge = RuleJudge(ready.cluster, ready.invariants.rules)
        self._failures = RuleFailures(self.judge.cluster, ready.invariants.source.file)

    def result(self, rule: InvariantRule) -> RuleResult:
        """Return the result of a rule by the evaluator."""
        return self.judge.judge(rule)

    def failures(self, result: RuleResult) -> tuple[RuleFailure, ...]:
        """Return what is wrong with a result, as failures of a step; none if the rule passed."""
        return () if result.passed else tuple(self._failures.of(result))


def run_invariants(
    ready: ReadyInvariants, *, packets: bool = False, on_step: Callable[[StepResult], None] | None = None
) -> ScenarioResult:
    """Judge all rules; the result has a step for each rule.

    Args:
      ready: the invariants and their cluster.
      packets: also send packets for each rule, in a lab of its own.
      on_step: is called with the result of each rule.
    """
    began, started = datetime.now(UTC), time.monotonic()
    steps: list[StepResult] = []
    results: list[RuleResult] = []
    error, code = "", 0
    sending: RulePackets | None = None
    try:
        runner = RuleRunner(ready)
        with contextlib.ExitStack() as stack:
            if packets:
                from netlab.scenario.rule_packets import RulePackets

                sending = stack.enter_context(RulePackets(runner.judge, ready.objects, ready.invariants.source.file))
            for rule in ready.invariants.rules:
                result, step = _judged(runner, rule, sending)
                results.append(result)
                steps.append(step)
                if on_step is not None:
                    on_step(step)
    except NetlabError as refused:
        error, code = str(refused), refused.exit_code
    return ScenarioResult(
        ready.invariants.meta.name,
        ready.invariants.source.file,
        tuple(rule.name for rule in ready.invariants.rules),
        began,
        tuple(steps),
        error,
        code,
        time.monotonic() - started,
        judged=JudgedRules(
            ready,
            tuple(results),
            sending.sent if sending is not None else None,
            sending.left_out if sending is not None else 0,
        ),
    )


def _judged(runner: RuleRunner, rule: InvariantRule, packets: RulePackets | None) -> tuple[RuleResult, StepResult]:
    """Judge a rule, and with ``packets`` send some; return its result by the evaluator, and the step of the report."""
    began = time.monotonic()
    result = runner.result(rule)
    failures: list[Failure | ProgramFailure] = [*runner.failures(result)]
    if packets is not None:
        failures += packets.failures(rule)
    pairs = sum(one.pairs for one in result.families)
    return result, StepResult(rule.name, 1, pairs, tuple(failures), time.monotonic() - began)
