"""System objects: cluster DNS, ``default/kubernetes`` and the ingress controller, which netlab adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import cluster, meta, node, objects, pod, topology

from netlab.cluster import Cluster, resolve, try_resolve
from netlab.cluster.flows import every_pair
from netlab.cluster.services.system import system_parts
from netlab.objects.ingresses import Ingress, IngressBackend, IngressClass
from netlab.objects.services import Service, ServicePort
from netlab.objects.system_objects import SystemObjects

SERVICE = Service(meta("x/web"), {"app": "web"}, (ServicePort(80),))
INGRESS = Ingress(meta("x/web"), default_backend=IngressBackend("web", 80))
DNS = Service(meta("kube-system/kube-dns"), {"k8s-app": "kube-dns"}, (ServicePort(53, 53, "UDP", "dns"),))


def names(of: Cluster) -> tuple[list[str], list[str]]:
    """Return the references of system pods and Services."""
    return [p.ref for p in of.pods if p.system], [s.meta.key for s in of.services if s.system]


def with_kinds(*things: Any, **more: Any) -> Cluster:
    return resolve(objects(*things, **more))


def test_a_cluster_without_services_has_no_system_objects() -> None:
    """A lab that uses no Service is not changed by them."""
    assert ([], []) == names(cluster(pod("x/a")))


def test_a_service_brings_dns_and_the_service_kubernetes() -> None:
    """Their addresses are the tenth and the first one of the service range."""
    of = cluster(pod("x/a"), SERVICE)

    assert (["kube-system/kube-dns"], ["default/kubernetes", "kube-system/kube-dns"]) == names(of)
    by_name = {one.meta.key: one for one in of.services}
    assert "10.96.0.1" == str(by_name["default/kubernetes"].cluster_ip)
    assert "10.96.0.10" == str(by_name["kube-system/kube-dns"].cluster_ip)
    assert [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")] == [
        (p.name, p.port, p.protocol) for p in by_name["kube-system/kube-dns"].ports
    ]


def test_dns_has_both_families_in_a_dual_stack_cluster() -> None:
    """The Service of the input has the family of the first podCIDR."""
    of = cluster(topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"]), pod("x/a"), SERVICE)

    assert {"x/web": (4,), "kube-system/kube-dns": (4, 6), "default/kubernetes": (4,)} == {
        one.meta.key: one.ip_families for one in of.services
    }
    (dns,) = (one for one in of.pods if one.system)
    assert 2 == len(dns.addresses)


def test_dns_can_be_switched_off() -> None:
    """``spec.dns: false`` of the Topology."""
    of = cluster(replace(topology(), dns=False), pod("x/a"), SERVICE)

    assert ([], ["default/kubernetes"]) == names(of)


def test_a_document_asks_for_system_objects() -> None:
    """Commands add it."""
    asking = objects(pod("x/a"))
    of = resolve(replace(asking, found={**asking.found, SystemObjects: (SystemObjects(),)}))

    assert (["kube-system/kube-dns"], ["default/kubernetes", "kube-system/kube-dns"]) == names(of)


def test_no_other_pod_moves() -> None:
    """System pods get their nodes and addresses last."""
    pods = [pod(f"z/{name}") for name in "abcde"]
    nodes = [node("n1"), node("n2")]
    without, having = cluster(*nodes, *pods), cluster(*nodes, *pods, SERVICE)

    assert list(without.pods) == [one for one in having.pods if not one.system]


def test_pods_of_dns_in_the_input_count() -> None:
    """netlab adds no pod then, with or without the Service."""
    own = pod("kube-system/coredns-0", "k8s-app=kube-dns")

    assert ([], ["default/kubernetes"]) == names(cluster(own, DNS))
    assert ([], ["default/kubernetes", "kube-system/kube-dns"]) == names(cluster(own, SERVICE))


def test_a_dns_service_without_pods_gets_one() -> None:
    """Its labels are those that the Service selects."""
    of = cluster(pod("x/a"), replace(DNS, selector={"app": "dns"}))

    (added,) = (one for one in of.pods if one.system)
    assert {"app": "dns", "k8s-app": "kube-dns"} == added.labels


def test_a_pod_of_that_name_keeps_it() -> None:
    """The system pod then has another name."""
    of = cluster(pod("kube-system/kube-dns", "app=other"), SERVICE)

    assert ["kube-system/netlab-kube-dns"] == names(of)[0]


def test_an_ingress_brings_a_controller() -> None:
    """A pod and a LoadBalancer Service in namespace ``ingress-nginx``, and a class."""
    of = with_kinds(pod("x/a"), ingresses=[INGRESS])

    assert ["ingress-nginx/controller", "kube-system/kube-dns"] == names(of)[0]
    (service,) = (one for one in of.services if one.meta.key == "ingress-nginx/controller")
    (door,) = service.load_balancer
    assert ("LoadBalancer", True) == (service.type, door.address in of.load_balancer_cidrs[0])
    assert ["nginx"] == [one.class_name for one in of.ingresses]


def test_a_controller_of_the_input_counts() -> None:
    """It is a pod in namespace ``ingress-nginx`` with the labels of the controller."""
    own = pod("ingress-nginx/mine", "app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller")

    assert ["kube-system/kube-dns"] == names(with_kinds(own, ingresses=[INGRESS]))[0]


def test_no_matrix_has_system_pods() -> None:
    """With ``system`` they are asked about too."""
    of = cluster(pod("x/a"), pod("x/b"), SERVICE)

    assert 2 == len(list(every_pair(of)))
    assert 8 == len(list(every_pair(of, system=True)))


def test_the_default_class_is_filled_in() -> None:
    """An Ingress with the annotation keeps it. Without a default class there is none."""
    old = Ingress(meta("x/old", annotations={"kubernetes.io/ingress.class": "other"}))
    classes = [IngressClass(meta("mine"), "a.io/b", default=True), IngressClass(meta("other"), "a.io/c")]

    of = with_kinds(pod("x/a"), ingresses=[INGRESS, old], ingress_classes=classes)
    assert ["mine", ""] == [one.class_name for one in of.ingresses]
    of = with_kinds(pod("x/a"), ingresses=[INGRESS], ingress_classes=classes[1:])
    assert [""] == [one.class_name for one in of.ingresses]


def test_two_default_classes_are_refused() -> None:
    """The message is that of the admission plugin."""
    classes = [IngressClass(meta(name), "a.io/b", default=True) for name in ("one", "two")]

    _, problems = try_resolve(objects(pod("x/a"), ingresses=[INGRESS], ingress_classes=classes))
    assert ["Forbidden: 2 default IngressClasses were found, only 1 allowed"] == [p.message for p in problems]


def test_objects_without_services_have_no_parts() -> None:
    """No pod, Service or class is added."""
    assert () == system_parts(objects(pod("x/a")), ()).pods
