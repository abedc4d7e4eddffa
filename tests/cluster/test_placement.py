"""The node of every pod."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import cluster, node, objects, pod, source, topology, workload
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.cluster import Cluster, Placement, try_resolve
from netlab.errors import InputError

TWO = topology(["a", "b"])


def nodes_of(of: Cluster) -> dict[str, str]:
    return {p.ref: p.node for p in of.pods}


def test_replicas_spread() -> None:
    """Of four replicas on two nodes each node has two, and the first node has the first one."""
    of = cluster(TWO, workload("Deployment", "shop/web", 4))

    assert {"shop/web-0": "a", "shop/web-1": "b", "shop/web-2": "a", "shop/web-3": "b"} == nodes_of(of)


def test_ordinals_count_as_numbers() -> None:
    """Ordinal 10 is after ordinal 9: with as many nodes as replicas, each is on the node of its number."""
    of = cluster(topology([f"n{i}" for i in range(12)]), workload("StatefulSet", "shop/db", 12))

    assert {f"shop/db-{i}": f"n{i}" for i in range(12)} == nodes_of(of)


def test_pinned_pods_count_first() -> None:
    """Pods with a nodeName are placed before all others, at any place of the input."""
    of = cluster(TWO, pod("x/a"), pod("x/b"), pod("x/y", node="a"), pod("x/z", node="a"))

    assert {"x/a": "b", "x/b": "b", "x/y": "a", "x/z": "a"} == nodes_of(of)


def test_node_selector_narrows() -> None:
    """A pod with a nodeSelector runs on a node that has all of its labels."""
    of = cluster(node("a"), node("b", "disk=ssd,zone=1"), node("c", "disk=ssd"), pod("x/a", on="disk=ssd,zone=1"))

    assert {"x/a": "b"} == nodes_of(of)


@pytest.mark.parametrize(
    "label",
    [
        "kubernetes.io/hostname=b",
        "kubernetes.io/os=linux",
        "kubernetes.io/arch=amd64",
        "beta.kubernetes.io/os=linux",
        "beta.kubernetes.io/arch=amd64",
    ],
)
def test_labels_that_every_node_has(label: str) -> None:
    """A node has the labels that every kubelet sets: hostname, operating system and architecture."""
    of = cluster(TWO, pod("x/a", node="b", on=label))

    assert {"x/a": "b"} == nodes_of(of)


def test_kept_pods_stay() -> None:
    """Pods that run stay on their nodes. New pods go to the nodes with the fewest pods."""
    keep = {"x/a": Placement("b"), "x/b": Placement("b")}
    of = cluster(TWO, pod("x/a"), pod("x/b"), pod("x/c"), pod("x/d"), keep=keep)

    assert {"x/a": "b", "x/b": "b", "x/c": "a", "x/d": "a"} == nodes_of(of)


@pytest.mark.parametrize(
    ("moved", "before", "after"),
    [
        pytest.param({"node": "a"}, "b", "a", id="nodeName now names another"),
        pytest.param({"on": "kubernetes.io/hostname=a"}, "b", "a", id="nodeSelector no longer admits it"),
        pytest.param({}, "gone", "a", id="the node is gone"),
    ],
)
def test_kept_pods_move_when_they_must(moved: dict[str, str], before: str, after: str) -> None:
    """A pod gets another node if the input no longer allows its node."""
    of = cluster(TWO, pod("x/a", **moved), keep={"x/a": Placement(before)})  # type: ignore[arg-type]

    assert {"x/a": after} == nodes_of(of)


SELECTORS = {
    "kubernetes.io/os=linux": False,
    "beta.kubernetes.io/os=linux": False,
    "beta.kubernetes.io/arch=amd64,kubernetes.io/arch=amd64": False,
    "kubernetes.io/hostname=node-1": False,
    "pool=big": True,
    "kubernetes.io/arch=arm64": True,
    "kubernetes.io/hostname=other": True,
    "node-role.kubernetes.io/control-plane=": True,
}


@pytest.mark.parametrize(("selector", "told"), SELECTORS.items())
def test_a_made_up_node_satisfies_every_node_selector(selector: str, told: bool) -> None:
    """If the input states no nodes, every nodeSelector is satisfied. A warning names labels that netlab assumes."""
    found, problems = try_resolve(
        objects(
            workload("Deployment", "x/w", 2, on=selector),
            workload("Deployment", "x/v", 1, on=selector),
            pod("x/bound", on=selector, node="node-1", phase="Running"),
        ),
        warn=True,
    )

    assert {"x/w-0": "node-1", "x/w-1": "node-1", "x/v-0": "node-1", "x/bound": "node-1"} == nodes_of(found)
    assert [("Deployment x/v", "spec.template.spec.nodeSelector", "warning")] * told == [
        (p.object, p.path, p.severity) for p in problems
    ]
    assert all("Deployment x/w" in p.message for p in problems)


@pytest.mark.parametrize(
    ("selector", "nodes"),
    [
        ("", ["a", "b"]),
        ("pool=big", ["a", "b"]),
        ("kubernetes.io/os=linux", ["a", "b"]),
        ("kubernetes.io/hostname=b", ["b"]),
        ("kubernetes.io/os=windows", []),
        ("beta.kubernetes.io/arch=arm64", []),
    ],
)
def test_a_daemon_set_on_made_up_nodes(selector: str, nodes: list[str]) -> None:
    """It has a pod on every node that may have the labels. Labels that kubelets set are known."""
    of = cluster(pod("x/a", node="a"), pod("x/b", node="b"), workload("DaemonSet", "x/d", on=selector))

    assert nodes == [p.node for p in of.pods if p.workload]


def test_made_up_nodes_differ_in_their_known_labels() -> None:
    """A node that has the hostname has precedence over nodes that are assumed to have labels."""
    of = cluster(pod("x/a", node="a"), pod("x/b", node="b"), pod("x/c", on="kubernetes.io/hostname=b,pool=big"))

    assert "b" == nodes_of(of)["x/c"]


def test_a_bound_pod_stays_on_its_node() -> None:
    """The node of a bound pod need not have the labels of its nodeSelector: they may have changed since."""
    of = cluster(TWO, pod("x/a", node="b", on="pool=big", phase="Running"))

    assert {"x/a": "b"} == nodes_of(of)


def test_pods_of_one_host_port_go_to_different_nodes() -> None:
    """As with the scheduler, whatever number of pods a node has."""
    of = cluster(
        TWO,
        pod("x/a", node="b"),
        pod("x/b", node="b"),
        pod("x/c", node="b", ports=["80:80"]),
        pod("x/d", node="a", ports=["81:80"]),
        pod("x/e", ports=["80:80"]),
        pod("x/f", ports=["81:80"]),
    )

    assert "a" == nodes_of(of)["x/e"]
    assert "b" == nodes_of(of)["x/f"]


def test_a_running_pod_leaves_its_node_for_a_host_port_only() -> None:
    """If a pod with that nodeName takes the port."""
    keep = {"x/a": Placement("a"), "x/b": Placement("a")}
    of = cluster(TWO, pod("x/a", ports=["80:80"]), pod("x/b"), pod("x/c", node="a", ports=["80:80"]), keep=keep)

    assert {"x/a": "b", "x/b": "a", "x/c": "a"} == nodes_of(of)


UNPLACEABLE = [
    pytest.param(
        pod("x/a", node="c", source=source(1, spec__nodeName=4)),
        "test.yaml:4: Pod x/a: spec.nodeName: no node 'c' in the lab, which has a, b",
        id="unknown nodeName",
    ),
    pytest.param(
        pod("x/a", on="zone=1,disk=ssd", source=source(1, spec__nodeSelector=5)),
        "test.yaml:5: Pod x/a: spec.nodeSelector: no node has the labels disk=ssd,zone=1",
        id="nodeSelector that no node satisfies",
    ),
    pytest.param(
        pod("x/a", node="a", on="zone=1", source=source(1)),
        "test.yaml:1: Pod x/a: spec.nodeSelector: node 'a', which nodeName names, does not have the labels zone=1",
        id="nodeName against nodeSelector",
    ),
    pytest.param(
        workload("Deployment", "x/web", 3, node="c", source=source(1, spec__template__spec__nodeName=9)),
        "test.yaml:9: Deployment x/web: spec.template.spec.nodeName: no node 'c' in the lab, which has a, b",
        id="once for all replicas",
    ),
    pytest.param(
        workload("DaemonSet", "x/log", node="a", on="zone=1", source=source(1)),
        "test.yaml:1: DaemonSet x/log: spec.template.spec.nodeSelector: "
        "node 'a', which nodeName names, does not have the labels zone=1",
        id="DaemonSet whose nodeName its selector does not admit",
    ),
]


@pytest.mark.parametrize(("thing", "message"), UNPLACEABLE)
def test_pods_that_fit_nowhere(thing: object, message: str) -> None:
    """A pod that fits on no node is an error at the field that excludes the nodes."""
    with pytest.raises(InputError) as caught:
        cluster(TWO, thing)

    assert [message] == [str(p) for p in caught.value.problems]


@settings(max_examples=samples(50), deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 4))
def test_spread_is_even(replicas: list[int], nodes: int) -> None:
    """The numbers of pods without constraints on any two nodes differ by at most one."""
    lab = topology([f"n{i}" for i in range(nodes)])
    of = cluster(lab, *(workload("Deployment", f"x/w{i}", n) for i, n in enumerate(replicas)))
    load = Counter({f"n{i}": 0 for i in range(nodes)})
    load.update(p.node for p in of.pods)

    assert max(load.values()) - min(load.values()) <= 1


@settings(max_examples=samples(50), deadline=None)
@given(st.permutations([pod(f"x/p{i}") for i in range(5)]))
def test_order_of_input_does_not_matter(pods: list[object]) -> None:
    """The same pods in another order get the same nodes and addresses."""
    assert cluster(TWO, *(pod(f"x/p{i}") for i in range(5))) == cluster(TWO, *pods)
