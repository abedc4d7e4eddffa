"""A lab is brought to the objects of an API server; what it refuses is left out."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from builders import verdict
from nodes.test_objects import complete, pod

from netlab.cluster import resolve
from netlab.control_plane.nodes import lab_objects
from netlab.control_plane.nodes.lab_objects import LabObjects
from netlab.control_plane.nodes.objects import Known
from netlab.control_plane.watch import Change
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.documents import parse
from netlab.testing import FakeKernel

TOPOLOGY = "{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: fake}, spec: {nodes: [{name: n1}]}}"


@pytest.fixture
def objects(tmp_path: Path) -> LabObjects:
    """Return the objects of a lab in memory that has one node."""
    documents, _ = parse(TOPOLOGY, "topology.yaml")
    base, _ = decode(documents)
    return LabObjects(Lab.up(base, machine=FakeKernel(tmp_path), cluster=resolve(base)))


def host_port(name: str, number: int = 8080) -> dict[str, Any]:
    """Return a pod that publishes a port on its node."""
    container = {"name": "c", "image": "x", "ports": [{"containerPort": 80, "hostPort": number}]}
    return pod(name, spec={"nodeName": "n1", "containers": [container]})


def names(objects: LabObjects) -> list[str]:
    return [one.name for one in objects.lab.cluster.pods]


def test_the_lab_gets_the_pods_and_keeps_its_topology(objects):
    """Its own objects are not those of the API server."""
    known = complete(pod("a"), pod("b"))

    assert {} == objects.bring(known.documents()).refused
    assert ["a", "b"] == names(objects)
    assert "Topology" in {one.kind for one in objects.lab.documents}


def test_nothing_is_done_where_nothing_changed(objects):
    """So heartbeats and statuses cost the lab nothing."""
    known = complete(pod("a"))
    objects.bring(known.documents())

    assert objects.bring(known.documents()) is None


def test_a_pod_in_the_place_of_one_that_is_gone_is_another_pod(objects):
    """Python gives the memory of a value that is gone to a later one: its `id` may be the same."""
    # The lab keeps a document only if it reads all fields of it.
    unread = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    documents = complete(pod("a"), pod("b", metadata=unread)).documents()
    objects.bring(documents)
    (later,) = complete(pod("c", metadata=unread)).documents()
    gone, others = id(documents.pop()), list[Document]()
    gc.collect()
    while id(found := Document(later.data, later.source)) != gone and len(others) < 10_000:
        others.append(found)
    documents.append(found)

    assert objects.bring(documents) is not None
    assert ["a", "c"] == names(objects)


def test_an_object_that_the_lab_refuses_is_left_out_with_the_reason(objects):
    """All others are in force; of two pods with one host port the second one is refused."""
    outcome = objects.bring(complete(host_port("a"), host_port("b"), pod("c")).documents())

    assert [("Pod", ("shop", "b"))] == list(outcome.refused)
    assert "8080" in next(iter(outcome.refused.values()))
    assert ["a", "c"] == names(objects)


def test_a_refused_object_that_changes_is_tried_again(objects):
    """Its user has corrected it."""
    known = complete(host_port("a"), host_port("b"))
    objects.bring(known.documents())
    known.take(Change("Pod", "set", (host_port("b", 9090),)))

    assert {} == objects.bring(known.documents()).refused
    assert ["a", "b"] == names(objects)


def test_a_refused_object_is_tried_again_after_a_while(objects, monkeypatch):
    """What it conflicted with may be gone."""
    known = complete(host_port("a"), host_port("b"))
    objects.bring(known.documents())
    known.take(Change("Pod", "gone", (host_port("a"),)))
    assert ["b"] != names(objects)
    monkeypatch.setattr(lab_objects, "_AGAIN", -1.0)

    assert {} == objects.bring(known.documents()).refused
    assert ["b"] == names(objects)


def test_pods_keep_their_addresses_when_others_come_and_go(objects):
    """Their namespaces stay."""
    known = complete(pod("a"), pod("b"))
    objects.bring(known.documents())
    before = objects.lab.cluster.by_ref["shop/b"].addresses
    known.take(Change("Pod", "gone", (pod("a"),)))
    objects.bring(known.documents())

    assert before == objects.lab.cluster.by_ref["shop/b"].addresses


def policy(name: str, **spec: Any) -> dict[str, Any]:
    """Return a NetworkPolicy."""
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def with_policy(one: dict[str, Any]) -> Known:
    """Return two pods, and a policy about the first one."""
    known = complete(pod("a", metadata={"labels": {"app": "a"}}), pod("b"))
    known.take(Change(one["kind"], "set", (one,)))
    return known


BAD = {"from": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}


@pytest.mark.parametrize(
    ("spec", "verdicts"),
    [
        ({"ingress": [BAD]}, ("allow", "deny")),
        ({"ingress": [BAD], "policyTypes": ["Ingress", "Egress"]}, ("deny", "deny")),
        ({"egress": [{"to": BAD["from"]}]}, ("deny", "deny")),
        ({"egress": [{"to": BAD["from"]}], "policyTypes": ["Egress"]}, ("deny", "allow")),
        ({"ingress": [BAD], "podSelector": {}}, ("deny", "deny")),
        ({"ingress": [BAD], "podSelector": {"matchLabels": {"app": "-"}}}, ("allow", "allow")),
    ],
    ids=["ingress", "both", "by-rules", "egress", "all-pods", "no-selector"],
)
def test_a_policy_that_the_lab_refuses_isolates_the_pods_that_it_selects(objects, spec, verdicts):
    """kubectl shows the policy, so nothing may pass that it would stop; the reason says so.

    If not even its selector can be read, it is left out, and the reason does not say so.
    """
    known = with_policy(policy("p", **{"podSelector": {"matchLabels": {"app": "a"}}, **spec}))
    outcome = objects.bring(known.documents())

    cluster = objects.lab.cluster
    assert verdicts == (verdict(cluster, "shop/a", "shop/b"), verdict(cluster, "shop/b", "shop/a"))
    text = outcome.refused["NetworkPolicy", ("shop", "p")]
    assert ("isolated" in text) == ("deny" in verdicts)
    assert objects.bring(known.documents()) is None


def test_a_refused_policy_of_the_cluster_denies_its_pods_everything(objects):
    """In both directions; the tier and the priority are its own."""
    subject = {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "a"}}}}
    rule = {"action": "Accept", "from": [{"networks": ["10.0.0.0/99"]}]}
    spec = {"tier": "Admin", "priority": 7, "subject": subject, "ingress": [rule]}
    known = with_policy(
        {
            "apiVersion": "policy.networking.k8s.io/v1alpha2",
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": "p"},
            "spec": spec,
        }
    )
    outcome = objects.bring(known.documents())

    cluster = objects.lab.cluster
    assert "isolated" in outcome.refused["ClusterNetworkPolicy", ("", "p")]
    assert ("deny", "deny") == (verdict(cluster, "shop/a", "shop/b"), verdict(cluster, "shop/b", "shop/a"))


def test_a_refused_policy_that_is_corrected_is_in_force_again(objects):
    """What stood in for it is gone."""
    known = with_policy(policy("p", podSelector={"matchLabels": {"app": "a"}}, ingress=[BAD]))
    objects.bring(known.documents())
    known.take(Change("NetworkPolicy", "set", (policy("p", podSelector={}, ingress=[{}]),)))

    assert {} == objects.bring(known.documents()).refused
    assert "allow" == verdict(objects.lab.cluster, "shop/b", "shop/a")


def recorded(objects: LabObjects) -> list[list[tuple[str, bool]]]:
    """Return a list that gets the pods after each step of a change, and whether each is ready."""
    steps: list[list[tuple[str, bool]]] = []
    objects.lab.after_step = lambda: steps.append([(one.name, one.ready) for one in objects.lab.cluster.pods])
    return steps


def with_service(known: Known) -> Known:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    known.take(Change("Service", "set", ({**service, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},)))
    return known


def test_a_new_pod_has_its_links_before_it_is_an_endpoint(objects):
    """So no connection to a Service goes to a pod that is not there yet. Without a Service there is one step."""
    steps = recorded(objects)
    objects.bring(complete(pod("a")).documents())
    objects.bring(with_service(complete(pod("a"), pod("b"))).documents())

    own = [[one for one in step if one[0] in ("a", "b")] for step in steps]
    assert [[("a", True)], [("a", True), ("b", False)], [("a", True), ("b", True)]] == own


def test_a_pod_under_the_name_of_another_has_another_namespace(objects):
    """The programs of the first one end with its namespace."""
    known = complete(pod("a"), pod("b"))
    objects.bring(known.documents(), known.ended())
    steps = recorded(objects)
    known.take(Change("Pod", "set", (pod("a", metadata={"uid": "second"}),)))
    objects.bring(known.documents(), known.ended())

    assert [[("b", True)], [("a", True), ("b", True)]] == steps
