"""Documents that netlab writes about stopped nodes and pods of workloads; a file of a stranger may have them too."""

from __future__ import annotations

from typing import Any

import pytest
from failing import Data, document, topology, workload

from netlab.cluster import resolve
from netlab.objects import decode


def about(kind: str, **fields: Any) -> Data:
    owners = [{"kind": kind, "name": "web", "controller": True}]
    metadata = {"namespace": "x", "name": f"{kind.lower()}.web", "ownerReferences": owners}
    return {"apiVersion": "netlab/v1alpha1", "kind": "WorkloadPods", "metadata": metadata, **fields}


def errors(*data: Data) -> list[str]:
    return [
        f"{one.path}: {one.message}" for one in decode([document(one) for one in data])[1] if one.severity == "error"
    ]


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("Deployment", {"pods": ["../../x"]}, 'pods[0]: Invalid value: "../../x": must be a number'),
        ("Deployment", {"missing": ["a"]}, 'missing[0]: Invalid value: "a": must be a number'),
        ("Deployment", {"unready": ["1 2"]}, 'unready[0]: Invalid value: "1 2": must be a number'),
        ("Deployment", {"replaced": ["9" * 5000]}, "replaced[0]: Invalid value: "),
        ("Deployment", {"replaced": ["\u0663"]}, "replaced[0]: Invalid value: "),
        ("Deployment", {"start": -1}, "start: Invalid value: -1"),
        ("Deployment", {"start": 10**20}, "start: Invalid value: "),
        ("Deployment", {"previous": {"pods": ["/"]}}, 'previous.pods[0]: Invalid value: "/": must be a number'),
        ("DaemonSet", {"missing": ["../n"]}, 'missing[0]: Invalid value: "../n": a lowercase RFC 1123 subdomain'),
        ("Deployment", {"previous": {"object": {"kind": "Scenario"}}}, "previous.object: Invalid value: "),
        ("Deployment", {"previous": {"object": 7}}, "previous.object: "),
        (
            "Deployment",
            {"previous": {"object": workload("Deployment", "other", 1)}},
            'previous.object: Invalid value: "Deployment": must be Deployment web in namespace x',
        ),
        ("Deployment", {"more": 1}, "more: unknown field"),
    ],
)
def test_a_wrong_document_is_refused(kind: str, fields: Data, error: str) -> None:
    """The ends of names become parts of the names of pods, and so of network namespaces."""
    (found,) = errors(about(kind, **fields))

    assert found.startswith(error)


def test_pods_that_a_workload_cannot_have_are_left_out() -> None:
    """Ordinals that a StatefulSet does not have, and nodes that the lab does not have."""
    data = [
        topology("n1"),
        workload("StatefulSet", "web", 2),
        about(
            "StatefulSet", pods=["1", "7"], previous={"object": workload("StatefulSet", "web", 9), "pods": ["0", "8"]}
        ),
    ]
    objects, problems = decode([document(one) for one in data])

    assert [] == problems
    assert ["web-0", "web-1"] == [one.name for one in resolve(objects).pods]


def test_a_document_about_a_node_or_workload_that_is_not_there_has_no_effect() -> None:
    """As after an apply of another Topology."""
    stopped = {"apiVersion": "netlab/v1alpha1", "kind": "StoppedNode", "metadata": {"name": "n9"}}
    objects, problems = decode([document(one) for one in (topology("n1"), stopped, about("Job", start=3))])

    assert [] == problems
    assert [("n1", False)] == [(one.name, one.stopped) for one in resolve(objects).nodes]
