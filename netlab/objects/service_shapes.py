"""The fields of a Service that netlab reads, as declarations."""

from __future__ import annotations

from typing import get_args

from netlab.objects import names
from netlab.objects.core_v1 import PROTOCOLS
from netlab.objects.field_types import Choice, Flag, Part, Parts, Raw, Root, Text, Texts, Whole, int_or_text
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import METADATA
from netlab.objects.services import FamilyPolicy, IpMode, ServiceType, SessionAffinity, TrafficPolicy
from netlab.objects.shapes import Shape
from netlab.objects.types import Protocol

FAMILIES = {"IPv4": 4, "IPv6": 6}


class PortShape(Shape):
    """A port of a Service."""

    port = Whole("port", "The Service's port.", low=1, high=65535, required=True)
    target_port = Raw(
        "targetPort", "The port of the pods, a number or the name of a container port.", type=int_or_text(1, 65535)
    )
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP", blank=True)
    name = Text("name", "The port's name.", check=names.dns_label)
    node_port = Whole("nodePort", "The port of every node that leads to the Service.")
    app_protocol = Text(
        "appProtocol",
        "The application's protocol, which nodes do not look at.",
        check=names.label_key,
        checks_blank=True,
    )


TARGET_NUMBER = Whole(PortShape.target_port.name, PortShape.target_port.about, low=1, high=65535)


class ClientIpShape(Shape):
    """The settings of session affinity by client address."""

    timeout = Whole("timeoutSeconds", "How long a client keeps its endpoint, in seconds.", default=10800)


class AffinityShape(Shape):
    """The settings of session affinity."""

    client_ip = Part("clientIP", "Settings for `ClientIP`.", shape=ClientIpShape)


class SpecShape(Shape):
    """The spec of a Service."""

    selector = labels_of("selector", "Labels of the pods behind the Service.")
    ports = Parts("ports", "The Service's ports.", shape=PortShape)
    cluster_ip = Text("clusterIP", "The Service's primary address; `None` makes it headless.")
    cluster_ips = Texts("clusterIPs", "The Service's addresses, at most one per IP family.")
    type = Choice[ServiceType](
        "type", "The type of the Service.", values=sorted(get_args(ServiceType)), default="ClusterIP", blank=True
    )
    families = Texts("ipFamilies", "The Service's IP families, the primary one first.", values=tuple(FAMILIES))
    family_policy = Choice[FamilyPolicy](
        "ipFamilyPolicy", "How many IP families the Service has.", values=sorted(get_args(FamilyPolicy)[1:]), default=""
    )
    external_name = Text("externalName", "The name that DNS answers for the type ExternalName.")
    external_ips = Texts("externalIPs", "Further addresses that nodes translate to the endpoints.")
    source_ranges = Texts("loadBalancerSourceRanges", "The sources that may use the load balancer's address.")
    balancer_ip = Text("loadBalancerIP", "The address of the load balancer, one of `loadBalancerCIDRs`.")
    class_name = Text("loadBalancerClass", "The class of the load balancer.")
    allocate = Flag("allocateLoadBalancerNodePorts", "`false`: a LoadBalancer gets no node ports.")
    affinity = Choice[SessionAffinity](
        "sessionAffinity",
        "`ClientIP`: all connections of a client go to one endpoint.",
        values=sorted(get_args(SessionAffinity)),
        default="None",
        blank=True,
    )
    affinity_config = Part("sessionAffinityConfig", "Settings of session affinity.", shape=AffinityShape)
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
        blank=True,
    )
    health = Whole(
        "healthCheckNodePort", "The nodes' port for health checks; netlab allocates it, and nothing answers."
    )
    publish = Flag("publishNotReadyAddresses", "Whether all endpoints count as ready.")
    distribution = Choice(
        "trafficDistribution",
        "Which endpoints a client prefers.",
        values=("PreferClose", "PreferSameZone", "PreferSameNode"),
        default="",
    )


class IngressShape(Shape):
    """One address or hostname of a load balancer."""

    ip = Text("ip", "The address.")
    hostname = Text("hostname", "The hostname.", check=names.dns_subdomain)
    mode = Choice[IpMode](
        "ipMode", "`Proxy`: nodes do not translate the address.", values=sorted(get_args(IpMode)), default="VIP"
    )


class BalancerShape(Shape):
    """The status of the load balancer."""

    ingress = Parts("ingress", "The load balancer's addresses.", shape=IngressShape)


class StatusShape(Shape):
    """The status of a Service that a cluster exported."""

    load_balancer = Part("loadBalancer", "The load balancer.", shape=BalancerShape)


class ServiceRoot(Root):
    """The fields of a Service that netlab reads."""

    metadata = METADATA
    spec = Part("spec", "Which pods are behind the Service, and its ports.", shape=SpecShape)
    status = Part("status", "The status in an export of a cluster.", shape=StatusShape)
