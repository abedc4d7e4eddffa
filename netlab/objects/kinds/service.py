"""Service: the fields that netlab reads."""

from __future__ import annotations

from typing import get_args

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.core_v1 import PROTOCOLS, addresses, prefixes
from netlab.objects.field_types import Choice, Flag, Part, Parts, Raw, Root, Text, TextMap, Texts, Whole, int_or_text
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.services import (
    FamilyPolicy,
    LoadBalancerIngress,
    Service,
    ServicePort,
    ServiceType,
    SessionAffinity,
    TrafficPolicy,
)
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Protocol


class _Port(Shape):
    """A port of a Service."""

    port = Whole("port", "The Service's port.", low=1, high=65535, required=True)
    target_port = Raw(
        "targetPort", "The port of the pods, a number or the name of a container port.", type=int_or_text(1, 65535)
    )
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    name = Text("name", "The port's name.")
    node_port = Whole("nodePort", "The port of every node that leads to the Service.")
    app_protocol = Text("appProtocol", "The application's protocol, which nodes do not look at.")


_TARGET_NUMBER = Whole(_Port.target_port.name, _Port.target_port.about, low=1, high=65535)


class _ClientIp(Shape):
    """The settings of session affinity by client address."""

    timeout = Whole("timeoutSeconds", "How long a client keeps its endpoint, in seconds.", default=10800)


class _AffinityConfig(Shape):
    """The settings of session affinity."""

    client_ip = Part("clientIP", "Settings for `ClientIP`.", shape=_ClientIp)


class _Spec(Shape):
    """The spec of a Service."""

    selector = TextMap("selector", "Labels of the pods behind the Service.")
    ports = Parts("ports", "The Service's ports.", shape=_Port)
    cluster_ip = Text("clusterIP", "The Service's primary address; `None` makes it headless.")
    cluster_ips = Texts("clusterIPs", "The Service's addresses, at most one per IP family.")
    type = Choice[ServiceType]("type", "The type of the Service.", values=get_args(ServiceType), default="ClusterIP")
    families = Texts("ipFamilies", "The Service's IP families, the primary one first.")
    family_policy = Choice[FamilyPolicy](
        "ipFamilyPolicy", "How many IP families the Service has.", values=get_args(FamilyPolicy)[1:], default=""
    )
    external_name = Text("externalName", "The name that DNS answers for the type ExternalName.")
    external_ips = Texts("externalIPs", "Addresses at which every node translates.")
    source_ranges = Texts("loadBalancerSourceRanges", "The sources that may use the load balancer's address.")
    class_name = Text("loadBalancerClass", "The class of the load balancer.")
    allocate = Flag("allocateLoadBalancerNodePorts", "`false`: a LoadBalancer gets no node ports.")
    affinity = Choice[SessionAffinity](
        "sessionAffinity",
        "`ClientIP`: all connections of a client go to one endpoint.",
        values=get_args(SessionAffinity),
        default="None",
    )
    affinity_config = Part("sessionAffinityConfig", "Settings of session affinity.", shape=_AffinityConfig)
    internal = Choice[TrafficPolicy](
        "internalTrafficPolicy",
        "`Local`: the cluster IP leads to endpoints of the client's node only.",
        values=get_args(TrafficPolicy),
        default="Cluster",
    )
    external = Choice[TrafficPolicy](
        "externalTrafficPolicy",
        "`Local`: traffic from outside goes to endpoints of the node that it comes to, and keeps its source.",
        values=get_args(TrafficPolicy),
        default="Cluster",
    )
    health = Whole("healthCheckNodePort", "The port at which a node says whether it has an endpoint.")
    publish = Flag("publishNotReadyAddresses", "Whether endpoints count as ready always.")
    distribution = Text("trafficDistribution", "Which endpoints a client prefers.")


class _Ingress(Shape):
    """One address or hostname of a load balancer."""

    ip = Text("ip", "The address.")
    hostname = Text("hostname", "The hostname.")
    mode = Text("ipMode", "`Proxy`: nodes do not translate the address.")


class _LoadBalancer(Shape):
    """The status of the load balancer."""

    ingress = Parts("ingress", "The load balancer's addresses.", shape=_Ingress)


class _Status(Shape):
    """The status of a Service that a cluster exported."""

    load_balancer = Part("loadBalancer", "The load balancer.", shape=_LoadBalancer)


class _Root(Root):
    """The fields of a Service that netlab reads."""

    metadata = METADATA
    spec = Part("spec", "Which pods are behind the Service, and its ports.", shape=_Spec)
    status = Part("status", "The status in an export of a cluster.", shape=_Status)


def service(document: Document) -> tuple[Service, list[Problem]]:
    """Decode a Service."""
    root = open_document(document)
    meta = object_meta(root, names.dns1035_label)
    spec = _Root.spec.read(root)
    written = _Spec.cluster_ip.read(spec)
    texts = _Spec.cluster_ips.read(spec)
    if written and not texts:
        texts = [(_Spec.cluster_ip.at(spec), written)]
    headless = any(text == "None" for _, text in texts)
    affinity = _ClientIp.timeout.read(_AffinityConfig.client_ip.read(_Spec.affinity_config.read(spec)))
    found = Service(
        meta,
        _Spec.selector.read(spec),
        tuple(_service_port(item) for item in _Spec.ports.read(spec)),
        () if headless else tuple(address for _, address in addresses(root, texts)),
        _Spec.type.read(spec),
        document.source,
        headless,
        tuple(4 if text == "IPv4" else 6 for _, text in _Spec.families.read(spec)),
        _Spec.family_policy.read(spec),
        _Spec.external_name.read(spec),
        tuple(address for _, address in addresses(root, _Spec.external_ips.read(spec))),
        tuple(_ingress(root, item) for item in _ingresses(root)),
        _Spec.class_name.read(spec),
        tuple(cidr for _, cidr in prefixes(root, _Spec.source_ranges.read(spec))),
        _Spec.allocate.read(spec) or not _Spec.allocate.has(spec),
        _Spec.affinity.read(spec),
        affinity or 10800,
        _Spec.internal.read(spec),
        _Spec.external.read(spec),
        _Spec.health.read(spec) or 0,
        _Spec.publish.read(spec),
        _Spec.distribution.read(spec),
    )
    return found, root.report.problems


def _ingresses(root: Fields) -> list[Fields]:
    return _LoadBalancer.ingress.read(_Status.load_balancer.read(_Root.status.read(root)))


def _ingress(root: Fields, item: Fields) -> LoadBalancerIngress:
    ip = _Ingress.ip.read(item)
    found = addresses(root, [(_Ingress.ip.at(item), ip)] if ip else [])
    address = found[0][1] if found else None
    return LoadBalancerIngress(address, _Ingress.hostname.read(item), _Ingress.mode.read(item) == "Proxy")


def _service_port(fields: Fields) -> ServicePort:
    if not _Port.port.has(fields):
        _Port.port.error(fields, required())
    port = _Port.port.read(fields) or 0
    target = _Port.target_port.read(fields)
    if isinstance(target, str):
        for message in names.port_name(target):
            _Port.target_port.error(fields, invalid(target, message))
    elif target is not None:
        target = _TARGET_NUMBER.read(fields)
    return ServicePort(
        port,
        target or 0,
        _Port.protocol.read(fields),
        _Port.name.read(fields),
        _Port.node_port.read(fields) or 0,
        _Port.app_protocol.read(fields),
        fields.path,
    )


def _ports(service: Service) -> str:
    return ",".join(f"{port.port}/{port.protocol}" for port in service.ports)


def _selector(service: Service) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))


KIND = Kind(
    "Service",
    "v1",
    Service,
    service,
    plural="services",
    short=("svc",),
    columns=(
        Column("TYPE", lambda service: service.type),
        Column("CLUSTER-IP", lambda service: service.cluster_ip),
        Column("PORT(S)", _ports),
        Column("SELECTOR", _selector, wide=True),
    ),
    shape=_Root,
)
