"""An input with its cluster and every problem, as ``check`` and ``lint`` report them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netlab.errors import InputError, Problem
from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Input, Objects


class WholeInput(NamedTuple):
    """An input, the cluster that it describes, and every problem of both.

    ``whole``: the input has no error, so the cluster is right and the problems have the warnings about policies.
    """

    objects: Objects
    cluster: Cluster
    whole: bool
    problems: list[Problem]


def whole_input(found: Input) -> WholeInput:
    """Return an input with its cluster and all problems, by file and line."""
    from netlab.cluster import try_resolve
    from netlab.cluster.plain_policies import without_read
    from netlab.policy.misplaced import misplaced
    from netlab.policy.warnings import warnings

    objects = found.objects
    cluster, more = try_resolve(objects, unknown=found.unknown, warn=True)
    whole = not (found.wrong or any(problem.severity == "error" for problem in more))
    # Warnings about a policy depend on all other policies, so they need an input without errors.
    if whole:
        more += [*warnings(cluster), *misplaced(cluster, objects.workloads)]
        if cluster.ingresses:
            from netlab.programs import ingress_rules

            more += ingress_rules.warnings(cluster)
    every = without_read(cluster, found.problems_and([*more, *_test_errors(objects)]))
    return WholeInput(objects, cluster, whole, every)


def _test_errors(objects: Objects) -> Iterator[Problem]:
    if objects.scenarios:
        from netlab.scenario import dry_run

        for scenario in objects.scenarios:
            try:
                dry_run(scenario)
            except InputError as error:
                yield from error.problems
    if objects.invariants:
        from netlab.scenario.invariants import ready

        for invariants in objects.invariants:
            try:
                ready(invariants)
            except InputError as error:
                yield from error.problems
