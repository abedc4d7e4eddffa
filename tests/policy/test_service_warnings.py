"""Warnings about Services that lead nowhere."""

from __future__ import annotations

from typing import Any

from builders import cluster, meta, pod, source

from netlab.errors import Problem
from netlab.objects.services import Service, ServicePort
from netlab.policy.warnings import warnings

WEB = pod("x/web", "app=web,tier=front", ports=["http=80", "dns=53/UDP"])
OPS = pod("ops/x", "app=x")
PORT = ServicePort(80, path="spec.ports[0]")


def warned(*things: Any) -> list[Problem]:
    return [p for p in warnings(cluster(*things)) if p.rule in ("service-without-pods", "service-port-name")]


def messages(*things: Any) -> list[str]:
    return [f"{p.path}: {p.message}" for p in warned(*things)]


def test_a_selector_that_no_pod_has() -> None:
    """The warning has the line of the selector, what follows from it, and the nearest pod."""
    service = Service(meta("x/web"), {"app": "wbe"}, (PORT,), source=source(3, **{"spec.selector": 7}))

    assert [
        "test.yaml:7: Service x/web: spec.selector: app=wbe matches no pod of namespace 'x', so it has no endpoints, "
        "and every connection is refused; x/web almost matches: app=wbe, found app=web"
    ] == [str(problem) for problem in warned(WEB, service)]
    assert ["warning"] == [problem.severity for problem in warned(WEB, service)]


def test_pods_of_another_namespace() -> None:
    """A Service selects pods of its own namespace."""
    assert [
        "spec.selector: app=x matches no pod of namespace 'x', so it has no endpoints, and every connection is "
        "refused; ops/x has it, and a Service selects pods of its own namespace only"
    ] == messages(WEB, OPS, Service(meta("x/web"), {"app": "x"}, (PORT,)))


def test_a_headless_service_without_pods() -> None:
    """DNS has no address for it."""
    found = messages(WEB, Service(meta("x/web"), {"app": "none"}, (PORT,), headless=True))

    assert ["spec.selector: app=none matches no pod of namespace 'x', so its name has no address"] == found


def test_a_namespace_without_pods_is_one_line() -> None:
    """Commands that print few lines print one for each namespace."""
    services = [Service(meta(f"y/{name}"), {"app": name}, (PORT,)) for name in ("a", "b")]
    found = warned(WEB, *services)

    assert ["y", "y"] == [problem.together for problem in found]
    assert found[0].message.startswith("namespace 'y' has no pods in the input, so it has no endpoints")


def test_a_target_port_that_no_pod_names() -> None:
    """The warning lists the named ports of the pods; a name of another protocol does not count."""
    ports = (
        ServicePort(80, "http", name="a", path="spec.ports[0]"),
        ServicePort(81, "web", name="b", path="spec.ports[1]"),
        ServicePort(53, "dns", name="c", path="spec.ports[2]"),
    )

    assert [
        "spec.ports[1].targetPort: x/web has no TCP port named 'web', but dns=53/UDP, http=80/TCP, so the port has no "
        "endpoints; name one so, or write a number",
        "spec.ports[2].targetPort: x/web has no TCP port named 'dns', but dns=53/UDP, http=80/TCP, so the port has no "
        "endpoints; name one so, or write a number",
    ] == messages(WEB, Service(meta("x/web"), {"app": "web"}, ports))


def test_a_name_that_one_of_the_pods_has() -> None:
    """Then the port has endpoints."""
    service = Service(meta("x/web"), {"app": "web"}, (ServicePort(80, "http", path="spec.ports[0]"),))
    assert [] == messages(WEB, pod("x/old", "app=web"), service)
    assert [
        "spec.ports[0].targetPort: none of x/new, x/old has a TCP port named 'http', so the port has no endpoints; "
        "name one so, or write a number"
    ] == messages(pod("x/new", "app=web"), pod("x/old", "app=web"), service)


def test_services_that_need_no_pods() -> None:
    """Those without a selector, of type ExternalName, and the cluster's own DNS."""
    dns = Service(meta("kube-system/coredns"), {"k8s-app": "kube-dns"}, (PORT,))
    name = Service(meta("x/name"), {"app": "none"}, (), type="ExternalName", external_name="example.com")

    assert [] == messages(WEB, Service(meta("x/none"), {}, (PORT,)), dns, name)
