"""System objects, which netlab adds: cluster DNS, the Service ``default/kubernetes`` and an ingress controller.

They exist if the input has a Service or an Ingress, or if a document of the kind SystemObjects asks for them. They are
placed and addressed after everything else, so they change nothing else. If the input has such an object itself, netlab
does not add it.

Source: Kubernetes, DNS for Services and Pods; the manifests of CoreDNS and of ingress-nginx.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.all_objects import Objects
from netlab.objects.ingresses import Ingress, IngressClass
from netlab.objects.meta import INGRESS_CLASS
from netlab.objects.services import Service, ServicePort
from netlab.objects.topology import Topology
from netlab.objects.types import Address, ContainerPort, Meta, Namespace, PodSpec, Protocol, Source

DNS = "kube-system/kube-dns"
KUBERNETES = "default/kubernetes"
INGRESS = "ingress-nginx/controller"
DNS_LABELS = {"k8s-app": "kube-dns"}
INGRESS_LABELS = {"app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "ingress-nginx"}
INGRESS_CONTROLLER = "k8s.io/ingress-nginx"
"""The ``spec.controller`` of IngressClasses that the controller serves."""

_FILE = "<netlab>"
_DNS_PORTS: tuple[tuple[str, Protocol, int], ...] = (("dns", "UDP", 53), ("dns-tcp", "TCP", 53))
_INGRESS_PORTS: tuple[tuple[str, Protocol, int], ...] = (("http", "TCP", 80), ("https", "TCP", 443))
SYSTEM_NAMESPACES = frozenset({"kube-system", "ingress-nginx"})
"""The namespaces of the pods that netlab adds."""


@frozen
class SystemParts:
    """What netlab adds to the objects of an input; ``services`` have no addresses yet."""

    pods: tuple[PodDraft, ...] = ()
    services: tuple[Service, ...] = ()
    ingress_classes: tuple[IngressClass, ...] = ()


_NONE = SystemParts()


def system_parts(objects: Objects, drafts: Iterable[PodDraft]) -> SystemParts:
    """Return what netlab adds to the objects; ``drafts`` are the running pods of the input."""
    if not objects.wants_system:
        return _NONE
    written = {one.meta.key: one for one in objects.services}
    inside = [draft for draft in drafts if draft.meta.namespace in SYSTEM_NAMESPACES]
    pods: list[PodDraft] = []
    services: list[Service] = []
    classes: list[IngressClass] = []
    if KUBERNETES not in written:
        services.append(_service(KUBERNETES, {}, (("https", "TCP", 443),)))
    if (objects.topology or Topology()).dns:
        # Clients of both families reach the server in a dual-stack lab.
        service = replace(_service(DNS, DNS_LABELS, _DNS_PORTS), ip_family_policy="PreferDualStack")
        pods += _server(DNS, written.get(DNS, service), DNS_LABELS, _DNS_PORTS, inside)
        services += [] if DNS in written else [service]
    if objects.ingresses and not _has(inside, "ingress-nginx", INGRESS_LABELS):
        service = replace(
            _service(INGRESS, INGRESS_LABELS, _INGRESS_PORTS), type="LoadBalancer", ip_family_policy="PreferDualStack"
        )
        pods += _server(INGRESS, written.get(INGRESS, service), INGRESS_LABELS, _INGRESS_PORTS, inside)
        services += [] if INGRESS in written else [service]
    if objects.ingresses and not any(one.controller == INGRESS_CONTROLLER for one in objects.ingress_classes):
        # If the input has no class at all, the added class is the default.
        name = "nginx" if not any(one.meta.name == "nginx" for one in objects.ingress_classes) else "netlab-nginx"
        default = not objects.ingress_classes
        classes.append(IngressClass(Meta(name), INGRESS_CONTROLLER, default, Source(_FILE)))
    return SystemParts(tuple(pods), tuple(services), tuple(classes))


def system_objects_change(old: Objects, new: Objects, changed: Iterable[object]) -> bool:
    """Say whether system objects may differ between two inputs; ``changed`` has the objects that differ."""
    # System objects come with the first Service and go with the last one.
    if _reasons(old) != _reasons(new):
        return True
    if not new.wants_system:
        return False
    metas = (meta for item in changed if isinstance(meta := getattr(item, "meta", None), Meta))
    return any(meta.namespace in SYSTEM_NAMESPACES or meta.key == KUBERNETES for meta in metas)


def _reasons(objects: Objects) -> tuple[bool, bool, bool]:
    return objects.wants_system, objects.system, bool(objects.ingresses)


def namespaces_with(
    labels: Mapping[str, Mapping[str, str]],
    undeclared: frozenset[str],
    declared: Iterable[Namespace],
    pods: Iterable[str],
) -> tuple[dict[str, Mapping[str, str]], frozenset[str]]:
    """Return the labels of namespaces, and the undeclared namespaces, with those of system pods.

    ``labels`` and ``undeclared`` are those of the input, ``declared`` its Namespaces, ``pods`` the namespaces of the
    system pods.
    """
    from netlab.objects.core_v1 import NAMESPACE_LABEL

    missing = {name for name in pods if name not in labels}
    known = {one.meta.name for one in declared if one.declared}
    found = {**labels, **{name: {NAMESPACE_LABEL: name} for name in missing}}
    return {name: found[name] for name in sorted(found)}, undeclared | frozenset(missing - known)


def serves(cluster: Cluster, ingress: Ingress) -> bool:
    """Say whether the ingress controller serves an Ingress: by its class or by the annotation that names one."""
    name = ingress.class_name or ingress.meta.annotations.get(INGRESS_CLASS, "")
    return any(one.meta.name == name and one.controller == INGRESS_CONTROLLER for one in cluster.ingress_classes)


def ingress_addresses(cluster: Cluster, ingress: Ingress) -> tuple[Address, ...]:
    """Return the addresses in the status of an Ingress; none if no controller serves it.

    They are the addresses of the LoadBalancer Services in the controller's namespace that select the controller.
    """
    if not serves(cluster, ingress):
        return ()
    labels = _controller_labels(cluster)
    return tuple(
        status.address
        for service in cluster.services
        if service.type == "LoadBalancer"
        and service.meta.namespace == INGRESS.partition("/")[0]
        and service.selector
        and service.selector.items() <= labels.items()
        for status in service.load_balancer
        if status.address is not None
    )


def _controller_labels(cluster: Cluster) -> Mapping[str, str]:
    """Return the labels of the first pod of the ingress controller."""
    namespace = INGRESS.partition("/")[0]
    inside = (pod.labels for pod in cluster.pods if pod.namespace == namespace)
    return next((labels for labels in inside if INGRESS_LABELS.items() <= labels.items()), {})


def _has(drafts: Iterable[PodDraft], namespace: str, labels: Mapping[str, str]) -> bool:
    return any(one.meta.namespace == namespace and labels.items() <= one.meta.labels.items() for one in drafts)


def _server(
    key: str,
    service: Service,
    labels: Mapping[str, str],
    ports: Iterable[tuple[str, Protocol, int]],
    drafts: list[PodDraft],
) -> list[PodDraft]:
    """Return the pod that netlab adds for a Service, none if the Service selects pods of the input."""
    namespace, name = key.split("/")
    selector = {**labels, **service.selector} if service.system or service.selector else {}
    if not selector or _has(drafts, namespace, service.selector or labels):
        return []
    taken = {one.meta.name for one in drafts if one.meta.namespace == namespace}
    while name in taken:
        name = f"netlab-{name}"
    meta = Meta(name, namespace, selector)
    spec = PodSpec(ports=tuple(ContainerPort(port, protocol, text) for text, protocol, port in ports))
    source = Source(_FILE)
    return [PodDraft(meta, spec, f"Pod {meta.key}", (namespace, name, 0, ""), source=source, system=True, moves=True)]


def _service(key: str, selector: Mapping[str, str], ports: Iterable[tuple[str, Protocol, int]]) -> Service:
    namespace, name = key.split("/")
    service_ports = tuple(
        ServicePort(port, text if selector else 0, protocol, text, path=f"spec.ports[{at}]")
        for at, (text, protocol, port) in enumerate(ports)
    )
    labels = {"kubernetes.io/name": "CoreDNS", **selector} if key == DNS else dict(selector)
    return Service(Meta(name, namespace, labels), dict(selector), service_ports, source=Source(_FILE), system=True)
