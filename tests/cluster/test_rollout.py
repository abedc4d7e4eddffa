"""Rolling updates without a kernel: which pods there are after each step."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from failing import Data, Failing, document, service, topology, workload

from netlab.cluster.replacement import kill
from netlab.cluster.rollout import rollout
from netlab.objects.document_changes import apply


def rolled(state: Failing, *changes: Data) -> Failing:
    return state.go(partial(rollout, changes=[document(one) for one in changes]))


def deployment(replicas: int, image: str = "one", **strategy: Any) -> Data:
    return workload("Deployment", "web", replicas, image=image, strategy=strategy)


def rolling(surge: object, unavailable: object) -> dict[str, Any]:
    return {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def test_a_surge_adds_one_pod_and_then_takes_one_away() -> None:
    """The new pod is there, then ready; the old one leaves Services, and then ends."""
    state = Failing(topology("n1"), deployment(2), service("web"))

    rolled(state, deployment(2, "two", **rolling(1, 0)))

    assert [
        "web-0 web-1",
        "web-0 web-1 (web-2')",
        "web-0 web-1 web-2'",
        "web-0 (web-1) web-2'",
        "web-0 web-2'",
        "web-0 web-2' (web-3')",
        "web-0 web-2' web-3'",
        "(web-0) web-2' web-3'",
        "web-2' web-3'",
    ] == state.steps("web")


@pytest.mark.parametrize(
    ("replicas", "strategy", "least", "most"),
    [
        (4, rolling(1, 0), 4, 5),
        (4, rolling(0, 1), 3, 4),
        (4, rolling("50%", "50%"), 2, 6),
        (10, {}, 8, 13),
        (1, {}, 1, 2),
        (3, rolling(0, "10%"), 2, 3),
        (5, {"type": "Recreate"}, 0, 5),
    ],
)
def test_a_rolling_update_stays_within_its_bounds(replicas: int, strategy: Data, least: int, most: int) -> None:
    """Of the wanted number, maxSurge rounds up and maxUnavailable down; if both are 0, one pod may be missing."""
    state = Failing(topology("n1", "n2"), deployment(replicas), service("web"))

    steps = rolled(state, deployment(replicas, "two", **strategy)).steps("web")

    ready = [sum("(" not in pod for pod in step.split()) for step in steps]
    assert (least, most) == (min(ready), max(len(step.split()) for step in steps))
    assert replicas == steps[-1].count("'") == len(steps[-1].split())


def test_a_rolling_update_ends_with_the_wanted_number() -> None:
    """Also where the number changes with the template."""
    state = Failing(topology("n1"), deployment(4))

    fewer = rolled(state, deployment(2, "two")).steps()[-1]
    more = rolled(state, deployment(5, "one")).steps()[-1]

    assert (2, 5) == (len(fewer.split()), len(more.split()))
    assert (2, 0) == (fewer.count("'"), more.count("'"))


def test_the_same_template_needs_no_rolling_update() -> None:
    """A changed number of pods is in force at once."""
    state = Failing(topology("n1"), deployment(2))

    assert ["web-0 web-1 web-2"] == rolled(state, deployment(3)).steps()


def test_a_stateful_set_is_updated_from_the_highest_number() -> None:
    """Each pod leaves Services, ends, begins and is ready before the next one ends."""
    state = Failing(topology("n1"), workload("StatefulSet", "db", 2), service("db"))

    assert [
        "db-0 db-1",
        "db-0 (db-1)",
        "db-0",
        "db-0 (db-1')",
        "db-0 db-1'",
        "(db-0) db-1'",
        "db-1'",
        "(db-0') db-1'",
        "db-0' db-1'",
    ] == rolled(state, workload("StatefulSet", "db", 2, image="two")).steps("db")


def test_pods_below_the_partition_keep_the_old_template() -> None:
    """Also when they are killed; a new update without a partition updates them."""
    state = Failing(topology("n1"), workload("StatefulSet", "db", 3))
    strategy = {"rollingUpdate": {"partition": 2}}

    first = rolled(state, workload("StatefulSet", "db", 3, image="two", updateStrategy=strategy)).steps()[-1]
    killed = state.go(partial(kill, refs=["x/db-0", "x/db-2"])).steps()[-1]
    last = rolled(state, workload("StatefulSet", "db", 3, image="two")).steps()[-1]

    assert ["db-0 db-1 db-2'", "db-0 db-1 db-2'", "db-0' db-1' db-2'"] == [first, killed, last]
    assert [] == state.kinds()


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_on_delete_only_killed_pods_get_the_new_template(kind: str) -> None:
    """When all are killed, nothing of the update is left."""
    size = 2 if kind == "StatefulSet" else None
    state = Failing(topology("0", "1"), workload(kind, "db", size))
    changed = workload(kind, "db", size, image="two", updateStrategy={"type": "OnDelete"})

    steps = [
        rolled(state, changed).steps()[-1],
        state.go(partial(kill, refs=["x/db-0"])).steps()[-1],
        state.go(partial(kill, refs=["x/db-1"])).steps()[-1],
    ]

    assert ["db-0 db-1", "db-0' db-1", "db-0' db-1'"] == steps
    assert [] == state.kinds()


def test_a_daemon_set_is_updated_node_by_node() -> None:
    """With a surge a node is never without its pod."""
    state = Failing(topology("n1", "n2"), workload("DaemonSet", "agent"))

    one = rolled(state, workload("DaemonSet", "agent", image="two")).steps()
    surge = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    other = rolled(state, workload("DaemonSet", "agent", image="one", updateStrategy=surge)).steps()

    assert [2, 1, 2, 1, 2] == [len(step.split()) for step in one]
    assert [2, 2, 2] == [len(step.split()) for step in other]
    assert [2, 1, 0] == [step.count("'") for step in other]


def test_a_rolling_update_that_broke_off_goes_on() -> None:
    """No pod of the new template is replaced again."""
    state = Failing(topology("n1"), deployment(3))
    changed = document(deployment(3, "two", **rolling(1, 0)))
    state.go(lambda now: [documents for documents, _ in zip(rollout(now, [changed]), range(4), strict=False)])
    half = state.steps()[-1]

    last = state.go(partial(rollout, changes=[changed])).steps()[-1]

    assert ("web-0 web-1 web-3' web-4'", "web-3' web-4' web-5'") == (half, last)


def test_apply_ends_a_rolling_update_at_once() -> None:
    """All pods get the new template, and keep their names."""
    state = Failing(topology("n1"), deployment(3))
    changed = document(deployment(3, "two", **rolling(1, 0)))
    state.go(lambda now: [documents for documents, _ in zip(rollout(now, [changed]), range(3), strict=False)])

    assert ["web-0' web-1' web-3'"] == state.go(lambda now: [apply(now.documents, [changed])]).steps()


def test_a_pod_that_is_killed_in_an_update_keeps_its_template() -> None:
    """Its controller is the ReplicaSet of that template."""
    state = Failing(topology("n1"), deployment(3))
    changed = document(deployment(3, "two", **rolling(1, 0)))
    state.go(lambda now: [documents for documents, _ in zip(rollout(now, [changed]), range(3), strict=False)])

    steps = state.go(partial(kill, refs=["x/web-0", "x/web-3"])).steps()

    assert ["web-1", "web-1 web-4 web-5'"] == [steps[0], steps[-1]]
    assert 3 == state.go(partial(rollout, changes=[changed])).steps()[-1].count("'")


def test_other_objects_are_changed_before_the_first_step() -> None:
    """A policy of the same files is in force for the new pods from the beginning."""
    state = Failing(topology("n1"), deployment(1))
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    metadata = {"name": "closed", "namespace": "x"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    rolled(state, deployment(1, "two"), policy)

    assert [1] * len(state.seen) == [len(cluster.policies) for cluster in state.seen]
