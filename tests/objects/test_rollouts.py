"""Strategies of rolling updates, as the API server checks them."""

from __future__ import annotations

from typing import Any

import pytest
from failing import document, workload

from netlab.objects import decode
from netlab.objects.rollouts import count
from netlab.objects.types import RolloutStrategy


def read(kind: str, field: str, strategy: Any) -> tuple[RolloutStrategy | None, list[str]]:
    made = workload(kind, "web", None if kind == "DaemonSet" else 2, **{field: strategy})
    objects, problems = decode([document(made)])
    found = objects.workloads[0].rollout if objects.workloads else None
    return found, [f"{one.path}: {one.message}" for one in problems if one.severity == "error"]


@pytest.mark.parametrize(
    ("kind", "field", "strategy", "expected"),
    [
        ("Deployment", "strategy", None, RolloutStrategy("RollingUpdate", "25%", "25%")),
        ("Deployment", "strategy", {"rollingUpdate": {"maxSurge": 0}}, RolloutStrategy("RollingUpdate", 0, "25%")),
        ("Deployment", "strategy", {"type": "Recreate"}, RolloutStrategy("Recreate")),
        ("StatefulSet", "updateStrategy", None, RolloutStrategy("RollingUpdate", 0, 1)),
        (
            "StatefulSet",
            "updateStrategy",
            {"rollingUpdate": {"partition": 2, "maxUnavailable": "50%"}},
            RolloutStrategy("RollingUpdate", 0, "50%", 2),
        ),
        ("StatefulSet", "updateStrategy", {"type": "OnDelete"}, RolloutStrategy("OnDelete", 0, 1)),
        ("DaemonSet", "updateStrategy", {}, RolloutStrategy("RollingUpdate", 0, 1)),
        (
            "DaemonSet",
            "updateStrategy",
            {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            RolloutStrategy("RollingUpdate", 1, 0),
        ),
    ],
)
def test_a_strategy_has_the_defaults_of_the_api(
    kind: str, field: str, strategy: Any, expected: RolloutStrategy
) -> None:
    """Those of Deployments, StatefulSets and DaemonSets differ."""
    assert (expected, []) == read(kind, field, strategy)


@pytest.mark.parametrize("kind", ["ReplicaSet", "Job"])
def test_other_kinds_have_no_rolling_update(kind: str) -> None:
    """A changed template changes no pod that runs on a cluster."""
    assert (None, []) == read(kind, "paused", None)


@pytest.mark.parametrize(
    ("kind", "field", "strategy", "problem"),
    [
        ("Deployment", "strategy", {"type": "OnDelete"}, 'spec.strategy.type: Unsupported value: "OnDelete"'),
        (
            "Deployment",
            "strategy",
            {"type": "Recreate", "rollingUpdate": {}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            "Deployment",
            "strategy",
            {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}},
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: ",
        ),
        (
            "Deployment",
            "strategy",
            {"rollingUpdate": {"maxSurge": "half"}},
            'spec.strategy.rollingUpdate.maxSurge: Invalid value: "half": a valid percent string',
        ),
        (
            "Deployment",
            "strategy",
            {"rollingUpdate": {"maxUnavailable": "101%"}},
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: ",
        ),
        (
            "StatefulSet",
            "updateStrategy",
            {"rollingUpdate": {"partition": -1}},
            "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "StatefulSet",
            "updateStrategy",
            {"rollingUpdate": {"maxUnavailable": 0}},
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
        ),
        (
            "DaemonSet",
            "updateStrategy",
            {"rollingUpdate": {"maxUnavailable": 0}},
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
        ),
        (
            "DaemonSet",
            "updateStrategy",
            {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is",
        ),
    ],
)
def test_a_wrong_strategy_is_refused(kind: str, field: str, strategy: Any, problem: str) -> None:
    """In the words of the API server, with the path of the field."""
    _, problems = read(kind, field, strategy)

    assert [problem] == [one[: len(problem)] for one in problems]


def test_a_percentage_is_of_the_wanted_number() -> None:
    """It rounds up for pods more, and down for pods less."""
    assert [3, 2, 4] == [count("25%", 10, up=True), count("25%", 10, up=False), count(4, 10, up=True)]
