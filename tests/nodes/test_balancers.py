"""The addresses of load balancers that netlab writes in the status of Services."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.cluster import resolve
from netlab.control_plane.nodes.balancers import Balancers
from netlab.objects import Document, decode
from netlab.objects.types import Source

TOPOLOGY = {
    "apiVersion": "netlab/v1alpha1",
    "kind": "Topology",
    "metadata": {"name": "t"},
    "spec": {"nodes": [{"name": "n1"}], "loadBalancerCIDRs": ["198.18.0.0/24"]},
}


def service(kind: str = "LoadBalancer", *ingress: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {"type": kind, "ports": [{"port": 80}], "selector": {"app": "web"}, **spec},
        "status": {"loadBalancer": {"ingress": list(ingress)} if ingress else {}},
    }


def written(*states: dict[str, Any], fail: bool = False) -> list[Any]:
    """Return the ingress that is written for each state of a Service, one state after the other."""
    found: list[Any] = []
    balancers = Balancers(lambda one, ingress: found.append([each["ip"] for each in ingress]))
    for state in states:
        plain = {name: value for name, value in state.items() if name != "status"}
        objects, _ = decode([Document(one, Source("test")) for one in (TOPOLOGY, plain)])
        balancers.say(resolve(objects), [state])
        if fail:
            balancers.again("u")
    return found


def test_a_service_gets_the_address_that_the_lab_gave_it():
    """`kubectl get service` shows it as the external address."""
    assert [["198.18.0.50"]] == written(service())


def test_an_address_is_written_once():
    """The watch brings it back a moment later."""
    assert [["198.18.0.50"]] == written(service(), service(), service("LoadBalancer", {"ip": "198.18.0.50"}))


def test_a_write_that_failed_is_done_again():
    """The API server may have been away."""
    assert [["198.18.0.50"], ["198.18.0.50"]] == written(service(), service(), fail=True)


def test_a_service_of_another_type_loses_its_address():
    """As a cloud removes its load balancer."""
    assert [[]] == written(service("ClusterIP", {"ip": "198.18.0.50"}))


@pytest.mark.parametrize(
    "foreign",
    [
        service(loadBalancerClass="example.com/lb"),
        service("LoadBalancer", {"ip": "203.0.113.7"}),
        service("LoadBalancer", {"hostname": "lb.example.com"}),
    ],
    ids=["a class", "an address", "a hostname"],
)
def test_what_another_controller_does_stays(foreign):
    """netlab is the controller of the lab's own ranges only."""
    assert [] == written(foreign)
