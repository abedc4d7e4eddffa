"""Objects to a cluster."""

from __future__ import annotations

import pytest
from builders import cluster, namespace, node, objects, pod, policy, source, topology, workload

from netlab.cluster import resolve
from netlab.errors import InputError


def test_no_objects_make_the_default_lab() -> None:
    """Without objects the lab is ``default``: one node, one bridge network."""
    of = resolve(objects())

    assert "default" == of.name
    assert [("default", "bridge", "10.244.0.0/16")] == [(n.name, n.mode, str(n.pod_cidrs[0])) for n in of.networks]
    assert () == of.pods


def test_namespaces_declared_and_used() -> None:
    """A namespace that is used and not declared is made. Each has the label with its name."""
    of = cluster(namespace("x", "team=a"), pod("y/a"), policy("z/p", ingress=[]), workload("Job", "w/j", 1))

    assert {
        "w": {"kubernetes.io/metadata.name": "w"},
        "x": {"kubernetes.io/metadata.name": "x", "team": "a"},
        "y": {"kubernetes.io/metadata.name": "y"},
        "z": {"kubernetes.io/metadata.name": "z"},
    } == of.namespaces


def test_everything_is_sorted() -> None:
    """Pods, policies, nodes and hosts are sorted by name, whatever the order of the input."""
    of = cluster(
        topology(["b", "a"], hosts={"z": ["192.0.2.1"], "y": ["192.0.2.2"]}),
        pod("x/b"),
        pod("x/a"),
        pod("a/z"),
        policy("x/b", ingress=[]),
        policy("a/c", ingress=[]),
    )

    assert ["a/z", "x/a", "x/b"] == [p.ref for p in of.pods]
    assert ["a/c", "x/b"] == [p.meta.key for p in of.policies]
    assert ["a", "b"] == [n.name for n in of.nodes]
    assert ["y", "z"] == [h.name for h in of.hosts]


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_attachment_is_the_mode_of_the_network(mode: str) -> None:
    """A pod has the attachment of its network's mode."""
    of = cluster(topology(mode=mode), pod("x/a"))

    assert [(mode, "default")] == [(p.attachment, p.network) for p in of.pods]


def test_annotation_names_the_network() -> None:
    """The annotation names the network, the default is the first one. hostNetwork has precedence."""
    of = cluster(
        topology(networks={"one": ("bridge", "10.1.0.0/16"), "two": ("routed", "10.2.0.0/16")}),
        pod("x/a"),
        pod("x/b", network="two"),
        pod("x/c", network="two", host=True),
    )

    assert [("bridge", "one"), ("routed", "two"), ("host", "")] == [(p.attachment, p.network) for p in of.pods]


def test_unknown_network() -> None:
    """An annotation with an unknown network is an error at the annotation, once for all replicas."""
    path = "spec.template.metadata.annotations.netlab/network"

    with pytest.raises(InputError) as caught:
        cluster(workload("Deployment", "x/w", 2, network="lan", source=source(1, **{path.replace(".", "__"): 12})))

    assert [f"test.yaml:12: Deployment x/w: {path}: no network 'lan' in the lab, which has default"] == [
        str(p) for p in caught.value.problems
    ]


def test_all_problems_at_once() -> None:
    """All problems are reported, not only the first one."""
    with pytest.raises(InputError) as caught:
        cluster(
            topology(["a"], mode="overlay", hosts={"h": ["100.64.0.9"]}),
            node("a", pod_cidrs=["10.9.0.0/24"], addresses=["100.64.0.9"]),
            pod("x/a", node="b"),
            pod("x/b", network="lan"),
            pod("x/w-0"),
            workload("StatefulSet", "x/w", 1),
            pod("x/c", on="zone=1"),
        )

    assert [
        "Node a: status.addresses",
        "Node a: spec.podCIDRs[0]",
        "StatefulSet x/w: metadata.name",
        "Pod x/a: spec.nodeName",
        "Pod x/c: spec.nodeSelector",
        "Pod x/b: metadata.annotations.netlab/network",
    ] == [f"{p.object}: {p.path}" for p in caught.value.problems]


def test_by_address() -> None:
    """An address stands for one machine: a node's address for the node, not for its host-network pods."""
    of = cluster(topology(hosts={"h": ["192.0.2.1"]}), pod("x/a"), pod("x/b", host=True))

    assert {"10.244.0.2": "x/a", "192.0.2.1": "host:h", "100.64.0.1": "node:node-1"} == {
        str(a): e.ref for a, e in of.by_address.items()
    }
