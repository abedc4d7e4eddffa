"""Which node every pod runs on."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import cluster, node, pod, source, topology, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.cluster import Cluster, Placement
from netlab.errors import InputError

TWO = topology(["a", "b"])


def nodes_of(of: Cluster) -> dict[str, str]:
    return {p.ref: p.node for p in of.pods}


def test_replicas_spread() -> None:
    """Four replicas on two nodes are two and two, the first on the first node."""
    of = cluster(TWO, workload("Deployment", "shop/web", 4))

    assert {"shop/web-0": "a", "shop/web-1": "b", "shop/web-2": "a", "shop/web-3": "b"} == nodes_of(of)


def test_ordinals_count_as_numbers() -> None:
    """Ordinal 10 comes after ordinal 9: with as many nodes as replicas each has the node of its number."""
    of = cluster(topology([f"n{i}" for i in range(12)]), workload("StatefulSet", "shop/db", 12))

    assert {f"shop/db-{i}": f"n{i}" for i in range(12)} == nodes_of(of)


def test_pinned_pods_count_first() -> None:
    """Pods with a nodeName are there before any other is placed, wherever they stand in the input."""
    of = cluster(TWO, pod("x/a"), pod("x/b"), pod("x/y", node="a"), pod("x/z", node="a"))

    assert {"x/a": "b", "x/b": "b", "x/y": "a", "x/z": "a"} == nodes_of(of)


def test_node_selector_narrows() -> None:
    """A pod with a nodeSelector runs on a node that has all of its labels."""
    of = cluster(node("a"), node("b", "disk=ssd,zone=1"), node("c", "disk=ssd"), pod("x/a", on="disk=ssd,zone=1"))

    assert {"x/a": "b"} == nodes_of(of)


@pytest.mark.parametrize("label", ["kubernetes.io/hostname=b", "kubernetes.io/os=linux"])
def test_labels_that_every_node_has(label: str) -> None:
    """A node has the labels that every kubelet sets: its hostname and its operating system."""
    of = cluster(TWO, pod("x/a", node="b", on=label))

    assert {"x/a": "b"} == nodes_of(of)


def test_kept_pods_stay() -> None:
    """Pods that run already stay where they are, and new ones fill in."""
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
    """A pod leaves its node where the input no longer allows it there."""
    of = cluster(TWO, pod("x/a", **moved), keep={"x/a": Placement(before)})

    assert {"x/a": after} == nodes_of(of)


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
        "test.yaml:1: Pod x/a: spec.nodeSelector: node 'a', which nodeName names, has not the labels zone=1",
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
        "node 'a', which nodeName names, has not the labels zone=1",
        id="DaemonSet whose nodeName its selector does not admit",
    ),
]


@pytest.mark.parametrize(("thing", "message"), UNPLACEABLE)
def test_pods_that_fit_nowhere(thing: object, message: str) -> None:
    """A pod that fits on no node is an error at the field that keeps it from them."""
    with pytest.raises(InputError) as caught:
        cluster(TWO, thing)

    assert [message] == [str(p) for p in caught.value.problems]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 4))
def test_spread_is_even(replicas: list[int], nodes: int) -> None:
    """Pods that may run anywhere differ by at most one between any two nodes."""
    lab = topology([f"n{i}" for i in range(nodes)])
    of = cluster(lab, *(workload("Deployment", f"x/w{i}", n) for i, n in enumerate(replicas)))
    load = Counter({f"n{i}": 0 for i in range(nodes)})
    load.update(p.node for p in of.pods)

    assert max(load.values()) - min(load.values()) <= 1


@settings(max_examples=50, deadline=None)
@given(st.permutations([pod(f"x/p{i}") for i in range(5)]))
def test_order_of_input_does_not_matter(pods: list[object]) -> None:
    """The same pods in another order are placed and addressed the same."""
    assert cluster(TWO, *(pod(f"x/p{i}") for i in range(5))) == cluster(TWO, *pods)
