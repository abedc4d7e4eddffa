"""Services and their endpoints as values: Service, EndpointSlice and Endpoints.

Source: the Kubernetes API reference (core/v1, discovery.k8s.io/v1). Names are those of the API in snake case. The
classes have the fields that netlab reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.types import Address, Meta, Prefix, Protocol, Source

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
TrafficPolicy = Literal["Cluster", "Local"]
SessionAffinity = Literal["None", "ClientIP"]
IpMode = Literal["VIP", "Proxy"]
FamilyPolicy = Literal["", "SingleStack", "PreferDualStack", "RequireDualStack"]


@frozen
class ServicePort:
    """One port of a Service.

    ``target_port`` is a number, a container port's name, or 0 for the same as ``port``. ``node_port`` is 0 if there is
    none, or if none is allocated yet. ``path`` is the port's place in the object.
    """

    port: int
    target_port: int | str = 0
    protocol: Protocol = "TCP"
    name: str = ""
    node_port: int = 0
    app_protocol: str = ""
    path: str = field(default="", compare=False)


@frozen
class LoadBalancerIngress:
    """One item of ``status.loadBalancer.ingress``: an address or a hostname.

    ``ip_mode`` Proxy: nodes do not translate the address, as the load balancer itself ends connections.
    """

    address: Address | None = None
    hostname: str = ""
    ip_mode: IpMode = "VIP"


@frozen
class Service:
    """A Service. In a ``Cluster`` it has the addresses and node ports that the API server would allocate.

    - ``selector``: empty if the Service has none. Its endpoints are then in the input.
    - ``cluster_ips``: at most one per IP family, the primary one first; in the input, those that are written.
    - ``headless``: ``clusterIP: None``. DNS answers with the endpoints, and nodes translate nothing.
    - ``ip_families``: 4 or 6, the primary family first; in the input, those that are written.
    - ``load_balancer``: the addresses and hostnames of the status; in a cluster, also those that netlab allocates.
    - ``load_balancer_ip``: the address of the load balancer that the Service asks for.
    - ``affinity_timeout``: seconds.
    - ``source_ranges``: ``loadBalancerSourceRanges``; if empty, all sources are allowed.
    - ``system``: netlab added the Service.
    """

    meta: Meta
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    cluster_ips: tuple[Address, ...] = ()
    type: ServiceType = "ClusterIP"
    source: Source = field(default_factory=Source, compare=False)
    headless: bool = False
    ip_families: tuple[int, ...] = ()
    ip_family_policy: FamilyPolicy = ""
    external_name: str = ""
    external_ips: tuple[Address, ...] = ()
    load_balancer: tuple[LoadBalancerIngress, ...] = ()
    load_balancer_class: str = ""
    source_ranges: tuple[Prefix, ...] = ()
    allocate_node_ports: bool = True
    session_affinity: SessionAffinity = "None"
    affinity_timeout: int = 10800
    internal_traffic_policy: TrafficPolicy = "Cluster"
    external_traffic_policy: TrafficPolicy = "Cluster"
    health_check_node_port: int = 0
    publish_not_ready: bool = False
    traffic_distribution: str = ""
    system: bool = False
    load_balancer_ip: Address | None = None

    @property
    def cluster_ip(self) -> str:
        """The primary cluster IP as text: "None" if the Service is headless, "" if it has no address."""
        return "None" if self.headless else str(self.cluster_ips[0]) if self.cluster_ips else ""


@frozen
class SliceEndpoint:
    """One endpoint of an EndpointSlice.

    ``pod`` is ``NAMESPACE/NAME`` of the pod that ``targetRef`` names, else "". Hints are names of zones and nodes.
    """

    addresses: tuple[Address, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    node: str = ""
    zone: str = ""
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()
    pod: str = ""


@frozen
class SlicePort:
    """One port of an EndpointSlice; ``port`` is 0 if none is written, which means all ports."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""
    app_protocol: str = ""


@frozen
class EndpointSlice:
    """An EndpointSlice; ``service`` is the value of its label ``kubernetes.io/service-name``, "" without one.

    ``family`` is 4 or 6; 0 for ``addressType: FQDN``.
    """

    meta: Meta
    family: int
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()
    service: str = ""
    source: Source = field(default_factory=Source, compare=False)

    @property
    def service_key(self) -> str:
        """``NAMESPACE/NAME`` of the Service that the label names."""
        return f"{self.meta.namespace}/{self.service}"


@frozen
class EndpointsSubset:
    """One subset of an Endpoints object."""

    addresses: tuple[SliceEndpoint, ...] = ()
    not_ready: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()


@frozen
class Endpoints:
    """An Endpoints object: the endpoints of the Service of the same name, if that has no selector."""

    meta: Meta
    subsets: tuple[EndpointsSubset, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
