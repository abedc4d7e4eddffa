"""One input under several profiles keeps its addresses; what a lab records of a reading is all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netlab.cluster import Cluster, resolve
from netlab.cluster.readings import Reading, readings, recorded, written_wiring
from netlab.cluster.types import Placement
from netlab.conformance.shorthand import document, parse_yaml, pod
from netlab.objects import Objects, decode
from netlab.objects.types import Document

EIGHT = ("docker", "flannel", "calico", "canal", "cilium", "kube-router", "romana", "weave")


def objects(*documents: Document) -> Objects:
    found, problems = decode(documents)
    assert [] == [one for one in problems if one.severity == "error"]
    return found


def addresses(of: Cluster) -> dict[str, list[str]]:
    return {end.ref: [str(address) for address in end.addresses] for end in of.by_ref.values()}


def clusters(found: list[Reading]) -> dict[str, Cluster]:
    return {one.name: one.cluster for one in found if one.cluster is not None}


def shop(topology: dict[str, object]) -> Objects:
    service = document("Service", "shop/a", {"selector": {"app": "a"}, "ports": [{"port": 80}]})
    plain = parse_yaml("{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: shop}, spec: {nodeName: n2}}")
    of = [pod("shop/a", "app=a", "10.7.0.10", node="n1"), pod("shop/b", "app=b", "10.7.1.10", node="n2")]
    return objects(
        document("Topology", "t", {"nodes": [{"name": "n1"}, {"name": "n2"}], **topology}), *of, *plain, service
    )


@pytest.mark.parametrize("written", [{}, {"networks": [{"name": "default", "podCIDRs": ["10.7.0.0/16"]}]}])
def test_each_profile_has_the_addresses_of_the_input_without_a_profile(written: dict[str, object]) -> None:
    """Stated addresses, ranges that are written, and those that are chosen: for pods, nodes and Services."""
    base, found = readings(shop(written), EIGHT)

    assert dict.fromkeys(EIGHT, addresses(base)) == {name: addresses(of) for name, of in clusters(found).items()}
    assert {base.services[0].cluster_ips} == {of.services[0].cluster_ips for of in clusters(found).values()}
    assert [()] * 8 == [one.notes for one in found]


def test_each_reading_has_the_settings_of_its_profile() -> None:
    """The Topology's own settings win; ``kubernetes`` is no profile."""
    _, found = readings(shop({"policy": {"icmp": "allow"}}), ("kubernetes", "cilium", "kube-router"))
    of = clusters(found)

    assert {None, "cilium", "kube-router"} == {one.profile and one.profile.name for one in of.values()}
    assert ["match", "ignore"] == [of[name].policy.ip_block_pods for name in ("kubernetes", "cilium")]
    assert {"allow"} == {one.policy.icmp for one in of.values()}


def test_an_input_that_does_not_fit_a_profile_has_no_cluster_there() -> None:
    """An IPv6-only lab and a profile with IPv4 only; the other readings are made."""
    _, (weave, flannel) = readings(
        objects(document("Topology", "t", {"networks": [{"name": "default", "podCIDRs": ["fd00:10:244::/56"]}]})),
        ("weave", "flannel"),
    )

    assert weave.cluster is None
    assert "weave" in str(weave.problems[0])
    assert flannel.cluster is not None


def test_a_mode_that_the_topology_writes_is_named() -> None:
    """Each profile then has this wiring."""
    networks = [{"name": "default", "mode": "routed"}]

    assert ("default",) == written_wiring(shop({"networks": networks}))
    assert () == written_wiring(shop({}))


@pytest.mark.parametrize("name", EIGHT)
def test_what_is_recorded_gives_the_same_cluster(name: str) -> None:
    """From its documents alone, with the placement that a record has."""
    _, (one,) = readings(shop({}), (name,))
    assert one.cluster is not None
    again = objects(*recorded(one).documents)
    placement = {pod.ref: Placement(pod.node, pod.addresses) for pod in one.cluster.pods}
    services = {service.meta.key: service for service in one.cluster.services}

    assert one.cluster == replace(resolve(again, placement, services=services), profile=one.cluster.profile)
