"""The addresses of load balancers that netlab writes in the status of Services."""

from __future__ import annotations

import itertools
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


FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
GIVEN = {"ip": "198.18.0.50"}


def service(kind: str = "LoadBalancer", *ingress: dict[str, Any], kept: bool = False, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "finalizers": ["example.com/other", *([FINALIZER] if kept else [])],
        },
        "spec": {"type": kind, "ports": [{"port": 80}], "selector": {"app": "web"}, **spec},
        "status": {"loadBalancer": {"ingress": list(ingress)} if ingress else {}},
    }


def at(version: int, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "resourceVersion": str(version)}}


def deleted(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}


def written(*states: dict[str, Any], fail: bool = False, late: bool = False) -> list[Any]:
    """Return what is written for each state of a Service, two seconds apart: addresses, and the finalizer.

    ``late``: the states come at once, and the last write is late.
    """
    found: list[Any] = []
    clock = itertools.repeat(0.0) if late else itertools.count(0.0, 2.0)
    balancers = Balancers(
        lambda one, wanted: found.append(([each["ip"] for each in wanted.ingress], wanted.kept)), lambda: next(clock)
    )
    for state in states:
        metadata = {name: value for name, value in state["metadata"].items() if name != "finalizers"}
        plain = {**{name: value for name, value in state.items() if name != "status"}, "metadata": metadata}
        objects, _ = decode([Document(one, Source("test")) for one in (TOPOLOGY, plain)])
        balancers.say(resolve(objects), [state])
        if fail:
            balancers.again("u")
        assert fail or late or not balancers.behind
    assert (fail or late) == balancers.behind
    return found


def test_a_service_gets_the_address_that_the_lab_gave_it():
    """`kubectl get service` shows it as the external address. The finalizer comes with it."""
    assert [(["198.18.0.50"], True)] == written(service())


def test_an_address_is_written_once():
    """The watch brings it back a moment later."""
    assert [(["198.18.0.50"], True)] == written(service(), service(), service("LoadBalancer", GIVEN, kept=True))


def test_a_service_that_has_its_address_gets_the_finalizer_too():
    """Its address may be older than the finalizer."""
    assert [(["198.18.0.50"], True)] == written(service("LoadBalancer", GIVEN))


@pytest.mark.parametrize("between", [[at(2, service("LoadBalancer", GIVEN, kept=True))], []], ids=["seen", "missed"])
def test_what_another_writer_removed_is_written_again(between):
    """Its write may come by the watch in the same moment as the address."""
    assert [(["198.18.0.50"], True)] * 2 == written(at(1, service()), *between, at(3, service()))


def test_another_writer_that_goes_on_is_not_answered_at_once():
    """Else the two would keep the API server busy. The write is late, and not forgotten."""
    assert [(["198.18.0.50"], True)] == written(at(1, service()), at(2, service()), late=True)


def test_a_write_that_failed_is_done_again():
    """The API server may have been away."""
    assert [(["198.18.0.50"], True)] * 2 == written(service(), service(), fail=True)


def test_a_write_that_fails_while_others_are_said_is_done_again():
    """It fails in another thread, at any moment."""
    objects, _ = decode([Document(TOPOLOGY, Source("test"))])
    cluster, one, found = resolve(objects), deleted(service("LoadBalancer", GIVEN, kept=True)), []
    balancers = Balancers(lambda service, wanted: found.append(wanted.kept))
    balancers.say(cluster, [one])

    def services():
        balancers.again("u")
        yield one

    balancers.say(cluster, services())
    assert balancers.behind
    balancers.say(cluster, [one])

    assert [False, False] == found
    assert not balancers.behind


def test_a_service_of_another_type_loses_its_address_and_its_finalizer():
    """As a cloud removes its load balancer."""
    assert [([], False)] == written(service("ClusterIP", GIVEN, kept=True))
    assert [([], False)] == written(service("ClusterIP", kept=True))
    assert [] == written(service("ClusterIP"))


def test_a_deleted_service_loses_its_finalizer():
    """Then the API server removes it, and the lab removes the load balancer."""
    assert [(["198.18.0.50"], False)] == written(deleted(service("LoadBalancer", GIVEN, kept=True)))
    assert [] == written(deleted(service("LoadBalancer", GIVEN)))


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


def test_a_deleted_service_loses_its_finalizer_also_when_others_wrote_an_address():
    """Whoever may write statuses would otherwise keep it, and its namespace, for ever."""
    other = {"ip": "10.0.0.1"}

    assert [(["10.0.0.1"], False)] == written(deleted(service("LoadBalancer", other, kept=True)))
    assert [] == written(service("LoadBalancer", other, kept=True), deleted(service("LoadBalancer", other)))
