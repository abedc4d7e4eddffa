"""What controllers do when pods end and nodes stop, without a kernel."""

from __future__ import annotations

from functools import partial

import pytest
from failing import Failing, document, pod, service, topology, workload

from netlab.cluster.replacement import kill, start, stop
from netlab.errors import UsageError
from netlab.objects.document_changes import apply, delete
from netlab.objects.scenarios import ObjectRef

NODES = ("n1", "n2", "n3")


def killed(state: Failing, *refs: str) -> Failing:
    return state.go(partial(kill, refs=refs))


def stopped(state: Failing, node: str) -> Failing:
    return state.go(partial(stop, node=node))


def started(state: Failing, node: str) -> Failing:
    return state.go(partial(start, node=node))


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "Job"])
def test_a_killed_pod_gets_a_new_name(kind: str) -> None:
    """It is the next free number, and no number is used twice."""
    state = Failing(topology(*NODES), workload(kind, "web", 3))

    first = set(killed(state, "x/web-1").pods())
    second = set(killed(state, "x/web-3", "x/web-0").pods())

    assert {"web-0", "web-2", "web-3"} == first
    assert {"web-2", "web-4", "web-5"} == second


def test_a_killed_pod_is_gone_then_there_and_then_ready() -> None:
    """So no packet to a Service goes to a pod that has no link yet."""
    state = Failing(topology(*NODES), workload("Deployment", "web", 2), service("web"))

    assert ["web-0", "web-0 (web-2)", "web-0 web-2"] == killed(state, "x/web-1").steps("web")


def test_without_a_service_there_is_no_step_for_readiness() -> None:
    """Only Services ask whether a pod is ready."""
    state = Failing(topology(*NODES), workload("Deployment", "web", 2))

    assert ["web-0", "web-0 web-2"] == killed(state, "x/web-1").steps()


def test_a_killed_pod_of_a_stateful_set_keeps_its_name() -> None:
    """And nothing is left among the lab's documents."""
    state = Failing(topology(*NODES), workload("StatefulSet", "db", 3), service("db"))

    steps = killed(state, "x/db-1").steps()

    assert ["db-0 db-2", "db-0 (db-1) db-2", "db-0 db-1 db-2"] == steps
    assert [] == state.kinds()


def test_a_killed_pod_of_a_daemon_set_is_on_the_same_node() -> None:
    """Its name is that of its node."""
    state = Failing(topology("n-1", "n-2"), workload("DaemonSet", "agent"))

    assert ["agent-n-2", "agent-n-1 agent-n-2"] == killed(state, "x/agent-n-1").steps()


def test_a_pod_without_a_controller_is_not_replaced() -> None:
    """There is one step."""
    state = Failing(topology("n1"), pod("alone"), pod("other"))

    assert ["other"] == killed(state, "x/alone").steps()


def test_a_workload_stands_for_its_first_pod() -> None:
    """As in every command."""
    state = Failing(topology("n1"), workload("StatefulSet", "db", 2))

    assert ["db-1", "db-0 db-1"] == killed(state, "x/db").steps()


def test_all_unknown_pods_are_named() -> None:
    """Before anything is killed."""
    state = Failing(topology("n1"), workload("Deployment", "web", 1), service("web"))

    with pytest.raises(UsageError) as error:
        killed(state, "x/web-0", "x/nobody", "node:n1", "kube-system/kube-dns")

    assert "no pod or workload 'x/nobody'" in str(error.value)
    assert "node:n1 is not a pod" in str(error.value)
    assert "pod kube-system/kube-dns is netlab's own" in str(error.value)
    assert {"web-0"} == set(state.pods("web"))


def test_changed_labels_end_with_their_pod() -> None:
    """The new pod has those of the template."""
    changed = {
        "apiVersion": "netlab/v1alpha1",
        "kind": "PodLabels",
        "metadata": {"name": "db-0", "namespace": "x", "ownerReferences": [{"kind": "StatefulSet", "name": "db"}]},
        "labels": {"app": "other"},
    }
    state = Failing(topology("n1"), workload("StatefulSet", "db", 1), changed)
    before = state.cluster.pods[0].labels["app"]

    assert ("other", "db") == (before, killed(state, "x/db-0").cluster.pods[0].labels["app"])


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "Job"])
def test_pods_of_a_stopped_node_are_replaced_on_others(kind: str) -> None:
    """And nothing moves back when it starts."""
    state = Failing(topology(*NODES), workload(kind, "web", 3))
    (lost,) = [name for name, node in state.pods().items() if node == "n2"]

    after = stopped(state, "n2").pods()

    assert lost not in after
    assert 3 == len(after)
    assert "n2" not in after.values()
    assert after == started(state, "n2").pods()


def test_pods_that_keep_their_names_stay_on_a_stopped_node() -> None:
    """Those of StatefulSets and DaemonSets, and those without a controller; they are not ready."""
    state = Failing(
        topology("n1", "n2"), workload("StatefulSet", "db", 2), workload("DaemonSet", "agent"), pod("a", "n2")
    )
    before = state.pods()

    stopped(state, "n2")

    assert before == state.pods()
    assert {"n2"} == {one.node for one in state.cluster.pods if not one.ready}
    assert {"n1"} == {one.node for one in state.cluster.pods if one.ready}


def test_to_kill_a_pod_of_a_stopped_node_says_that_it_is_gone() -> None:
    """So the StatefulSet makes it anew elsewhere, as after a forced deletion."""
    state = stopped(Failing(topology("n1", "n2"), workload("StatefulSet", "db", 2)), "n2")
    (lost,) = [name for name, node in state.pods().items() if node == "n2"]

    assert {"db-0": "n1", "db-1": "n1"} == killed(state, f"x/{lost}").pods()


def test_a_pod_of_an_indexed_job_moves_under_its_name() -> None:
    """Its index is a part of the name."""
    job = workload("Job", "sum", 2, completions=2, completionMode="Indexed")
    state = Failing(topology("n1", "n2"), job)

    assert {"sum-0": "n1", "sum-1": "n1"} == stopped(state, "n2").pods()


@pytest.mark.parametrize(
    "of_pods",
    [
        {"nodeSelector": {"own": "n2"}},
        {"nodeName": "n2"},
        {"containers": [{"ports": [{"containerPort": 80, "hostPort": 8080}]}]},
    ],
    ids=["nodeSelector", "nodeName", "hostPort"],
)
def test_a_pod_that_no_other_node_admits_waits_for_its_node(of_pods: dict[str, object]) -> None:
    """It is not ready until then."""
    other = workload("Deployment", "other", 1, of_pods={**of_pods, "nodeName": "n1"})
    others = [other] if "containers" in of_pods else []
    state = Failing(topology("n1", "n2"), *others, workload("Deployment", "web", 1, of_pods=of_pods))
    before = state.pods("web")

    stopped(state, "n2")

    assert ({"web-0": "n2"}, {"web-0": "n2"}) == (before, state.pods("web"))
    assert [False] == [one.ready for one in state.cluster.pods if one.name == "web-0"]
    assert [True] == [one.ready for one in started(state, "n2").cluster.pods if one.name == "web-0"]


def test_pods_that_waited_get_the_first_node_that_starts() -> None:
    """All nodes were stopped, and another one than theirs starts."""
    state = Failing(topology("n1", "n2"), workload("Deployment", "web", 2))
    stopped(state, "n1")
    stopped(state, "n2")
    waiting = state.pods()

    assert {"n2"} == set(waiting.values())
    assert {"n1"} == set(started(state, "n1").pods().values())


def test_a_new_pod_gets_no_stopped_node() -> None:
    """Also where a workload grows."""
    state = stopped(Failing(topology("n1", "n2"), workload("Deployment", "web", 1)), "n2")

    state.go(lambda now: [apply(now.documents, [document(workload("Deployment", "web", 4))])])

    assert {"n1"} == set(state.pods().values())


def test_the_pod_of_cluster_dns_leaves_a_stopped_node() -> None:
    """It keeps its name, and answers from another node."""
    state = Failing(topology("n1", "n2"), workload("Deployment", "web", 2), service("web"))
    (node,) = [one.node for one in state.cluster.pods if one.name == "kube-dns"]

    stopped(state, node)

    assert [({"n1", "n2"} - {node}, True)] == [
        ({one.node}, one.ready) for one in state.cluster.pods if one.name == "kube-dns"
    ]


def test_a_started_node_has_links_before_its_pods_are_ready() -> None:
    """So its pods are endpoints of Services only when packets reach them."""
    state = Failing(topology("n1", "n2"), workload("DaemonSet", "agent"), service("agent"))
    stopped(state, "n2")

    started(state, "n2")

    assert ["agent-n1 (agent-n2)", "agent-n1 agent-n2"] == state.steps("agent")
    assert [frozenset(), frozenset()] == [one.stopped_nodes for one in state.seen]


def test_a_node_that_is_stopped_already_stays_so() -> None:
    """There is no step, and none for a running node that starts."""
    state = Failing(topology("n1", "n2"), pod("a"))

    assert [] == started(state, "n1").seen
    assert 1 == len(stopped(state, "n1").seen)
    assert [] == stopped(state, "n1").seen


def test_an_unknown_node_is_refused() -> None:
    """With the names of those that there are."""
    state = Failing(topology("n1", "n2"), pod("a"))

    with pytest.raises(UsageError, match="no node 'n3' in the lab, which has n1, n2"):
        stopped(state, "n3")


@pytest.mark.parametrize(
    ("owner", "node", "same_name", "same_node"),
    [
        ("ReplicaSet web-7d", "n2", False, False),
        ("StatefulSet web", "n2", True, False),
        ("DaemonSet web", "n2", False, True),
        ("Node n2", "n2", True, True),
    ],
)
def test_an_exported_pod_is_replaced_by_its_owner(owner: str, node: str, same_name: bool, same_node: bool) -> None:
    """Its workload need not be in the input; the scheduler chooses the node anew where a controller does not."""
    exported = pod("web-7d-abcde", node, owner, phase="Running", podIPs=[{"ip": "10.244.1.77"}])
    state = Failing(topology("n1", "n2"), exported, pod("a", "n2"), pod("b", "n2"), service("web"))

    ((name, place),) = killed(state, "x/web-7d-abcde").pods("web").items()

    assert same_name == (name == "web-7d-abcde")
    assert name.startswith(owner.partition(" ")[2]) or same_name
    assert same_node == (place == "n2")


def test_the_last_exported_pod_of_a_workload_is_replaced_once() -> None:
    """The Deployment of the export makes no pods beside it, also not while the pod is gone."""
    deployment = workload("Deployment", "web", 1)
    owned = {**workload("ReplicaSet", "web-7d", 1)}
    owned["metadata"] = {
        **owned["metadata"],
        "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}],
    }
    state = Failing(topology("n1"), deployment, owned, pod("web-7d-abcde", "n1", "ReplicaSet web-7d"))

    steps = killed(state, "x/web-7d-abcde").steps()

    assert [0, 1] == [len(step.split()) for step in steps]
    assert [] == state.kinds()


def test_what_netlab_stores_goes_with_its_object() -> None:
    """A deleted Deployment that is applied again begins at 0; a Node that is deleted and added again runs."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n9"}}
    state = Failing(topology("n1"), node, workload("Deployment", "web", 1))
    stopped(killed(state, "x/web-0"), "n9")
    kept = state.kinds()

    refs = [ObjectRef("Deployment", "web", "x"), ObjectRef("Node", "n9")]
    state.go(lambda now: [delete(now.documents, refs)])

    assert (["WorkloadPods", "StoppedNode"], []) == (kept, state.kinds())


def test_an_applied_workload_keeps_its_numbers() -> None:
    """It grows by the next ones, and shrinks by the highest."""
    state = killed(Failing(topology("n1"), workload("Deployment", "web", 2)), "x/web-0")

    def scaled(number: int) -> set[str]:
        return set(
            state.go(
                lambda now: [apply(now.documents, Failing(workload("Deployment", "web", number)).documents)]
            ).pods()
        )

    assert {"web-1", "web-2", "web-3"} == scaled(3)
    assert {"web-1"} == scaled(1)
