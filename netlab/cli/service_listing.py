"""Services, EndpointSlices, Ingresses and IngressClasses of a lab, as kubectl prints them: functions of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.cluster import Cluster
from netlab.cluster.services.made_slices import made_slices
from netlab.cluster.services.system import ingress_addresses
from netlab.objects.ingresses import Ingress, IngressClass
from netlab.objects.services import EndpointSlice, LoadBalancerIngress, Service, ServicePort, SliceEndpoint, SlicePort
from netlab.objects.types import Meta
from netlab.report.listings import Item, Listing

_NONE, _UNSET, _PENDING = "<none>", "<unset>", "<pending>"
_MOST = 3
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"

Written = Mapping[tuple[str, str], Mapping[str, Any]]
"""The documents of the lab's record, by namespace and name."""


def services(cluster: Cluster) -> Listing:
    """List Services with their addresses, ports and node ports; the wide table has endpoints and traffic policies."""
    endpoints = {one.meta.key: "" for one in cluster.services}
    for one in made_slices(cluster):
        key = f"{one.meta.namespace}/{one.service}"
        endpoints[key] = ",".join(filter(None, (endpoints.get(key, ""), _sockets(one))))

    def item(one: Service) -> Item:
        meta = one.meta
        cluster_ips = "None" if one.headless else _listed(one.cluster_ips)
        cells = (meta.namespace, meta.name, one.type, cluster_ips, _external(one), _listed(map(_port, one.ports)))
        selector = ",".join(f"{key}={value}" for key, value in sorted(one.selector.items())) or _NONE
        outside = one.type in ("NodePort", "LoadBalancer") or bool(one.external_ips)
        external = one.external_traffic_policy if outside else _NONE
        internal = one.internal_traffic_policy if one.cluster_ips else _NONE
        wide = (selector, endpoints[meta.key] or _NONE, internal, external)
        return Item(meta.namespace, meta.name, service_object(one), cells, wide)

    header = ("NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)")
    wide = ("SELECTOR", "ENDPOINTS", "INTERNAL-POLICY", "EXTERNAL-POLICY")
    return Listing(header, wide, [item(one) for one in cluster.services])


def endpointslices(cluster: Cluster) -> Listing:
    """List the EndpointSlices that Kubernetes' controllers would make, and those of the input that are used."""

    def item(one: EndpointSlice) -> Item:
        meta = one.meta
        ports = _few([str(port.port) for port in one.ports]) or _UNSET
        addresses = _few([str(a) for e in one.endpoints for a in e.addresses]) or _UNSET
        cells = (meta.namespace, meta.name, f"IPv{one.family}", ports, addresses)
        return Item(meta.namespace, meta.name, slice_object(one), cells, ())

    found = sorted(made_slices(cluster), key=lambda one: (one.meta.namespace, one.meta.name))
    return Listing(("NAMESPACE", "NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS"), (), [item(one) for one in found])


def endpoints(cluster: Cluster, written: Listing) -> Listing:
    """List the Endpoints that the controllers would make, and those of the input for Services without a selector."""
    made: dict[tuple[str, str], list[EndpointSlice]] = {}
    for one in made_slices(cluster):
        made.setdefault((one.meta.namespace, one.service), []).append(one)

    def item(service: Service) -> Item:
        meta = service.meta
        # An Endpoints object has the addresses of one family only.
        family = service.ip_families[0] if service.ip_families else cluster.families[0]
        slices = [one for one in made.get((meta.namespace, meta.name), ()) if one.family == family]
        data = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": meta.name, "namespace": meta.namespace},
            "subsets": [_subset_object(one) for one in slices if one.endpoints],
        }
        shown = ",".join(filter(None, map(_sockets, slices))) or _NONE
        return Item(meta.namespace, meta.name, data, (meta.namespace, meta.name, shown), ())

    selecting = [one for one in cluster.services if one.selector and one.type != "ExternalName"]
    found = {(one.meta.namespace, one.meta.name): item(one) for one in selecting}
    items = {(one.namespace, one.name): one for one in written.items} | found
    return Listing(written.header, (), [one for _, one in sorted(items.items())])


def ingresses(cluster: Cluster, written: Written) -> Listing:
    """List Ingresses with their class, and the addresses of the controller that serves them."""

    def item(one: Ingress) -> Item:
        meta = one.meta
        hosts = _few([rule.host for rule in one.rules if rule.host]) or "*"
        addresses = [*map(str, ingress_addresses(cluster, one))]
        cells = (meta.namespace, meta.name, one.class_name or _NONE, hosts, ",".join(addresses))
        data = dict(written.get((meta.namespace, meta.name), {}))
        data["spec"] = {**data.get("spec", {}), **({"ingressClassName": one.class_name} if one.class_name else {})}
        data["status"] = {"loadBalancer": {"ingress": [{"ip": a} for a in addresses]} if addresses else {}}
        return Item(meta.namespace, meta.name, data, (*cells, "80, 443" if one.tls else "80"), ())

    found = sorted(cluster.ingresses, key=lambda one: (one.meta.namespace, one.meta.name))
    return Listing(("NAMESPACE", "NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS"), (), [item(one) for one in found])


def ingressclasses(cluster: Cluster) -> Listing:
    """List IngressClasses, with the one that netlab adds."""

    def item(one: IngressClass) -> Item:
        metadata = _metadata(one.meta)
        if one.default:
            metadata["annotations"] = {**metadata.get("annotations", {}), _DEFAULT_CLASS: "true"}
        data = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": metadata,
            "spec": {"controller": one.controller},
        }
        return Item("", one.meta.name, data, (one.meta.name, one.controller, _NONE), ())

    found = sorted(cluster.ingress_classes, key=lambda one: one.meta.name)
    return Listing(("NAME", "CONTROLLER", "PARAMETERS"), (), [item(one) for one in found])


def service_object(one: Service) -> dict[str, Any]:
    """Return a Service as Kubernetes stores it, with allocated addresses and ports."""
    texts = ["None"] if one.headless else [*map(str, one.cluster_ips)]
    families = [f"IPv{family}" for family in one.ip_families]
    outside = one.type in ("NodePort", "LoadBalancer") or one.external_ips
    balanced = one.type == "LoadBalancer"
    affinity = one.session_affinity == "ClientIP"
    spec: dict[str, Any] = {
        "type": one.type,
        "clusterIP": texts[0] if texts else None,
        "clusterIPs": texts,
        "ipFamilies": families,
        "ipFamilyPolicy": one.ip_family_policy,
        "externalName": one.external_name,
        "externalIPs": [*map(str, one.external_ips)],
        "selector": dict(one.selector),
        "ports": [_port_object(port) for port in one.ports],
        "sessionAffinity": one.session_affinity,
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": one.affinity_timeout}} if affinity else None,
        "internalTrafficPolicy": one.internal_traffic_policy if one.type != "ExternalName" else None,
        "externalTrafficPolicy": one.external_traffic_policy if outside else None,
        "healthCheckNodePort": one.health_check_node_port,
        "loadBalancerClass": one.load_balancer_class,
        "loadBalancerSourceRanges": [*map(str, one.source_ranges)],
        "publishNotReadyAddresses": one.publish_not_ready,
        "trafficDistribution": one.traffic_distribution,
    }
    spec = {key: value for key, value in spec.items() if value}
    if balanced:
        spec["allocateLoadBalancerNodePorts"] = one.allocate_node_ports
    status = {"ingress": [_ingress_object(item) for item in one.load_balancer]} if balanced else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(one.meta),
        "spec": spec,
        "status": {"loadBalancer": status},
    }


def slice_object(one: EndpointSlice) -> dict[str, Any]:
    """Return an EndpointSlice as Kubernetes stores it."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(one.meta),
        "addressType": f"IPv{one.family}",
        "endpoints": [_endpoint_object(endpoint) for endpoint in one.endpoints],
        "ports": [_slice_port_object(port) for port in one.ports],
    }


def _endpoint_object(one: SliceEndpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "addresses": [*map(str, one.addresses)],
        "conditions": {"ready": one.ready, "serving": one.serving, "terminating": one.terminating},
    }
    found |= {key: value for key, value in (("hostname", one.hostname), ("nodeName", one.node)) if value}
    if one.zone:
        found["zone"] = one.zone
    hints = (("forZones", one.zone_hints), ("forNodes", one.node_hints))
    if one.zone_hints or one.node_hints:
        found["hints"] = {key: [{"name": name} for name in names] for key, names in hints if names}
    if one.pod:
        namespace, _, name = one.pod.partition("/")
        found["targetRef"] = {"kind": "Pod", "namespace": namespace, "name": name}
    return found


def _subset_object(one: EndpointSlice) -> dict[str, Any]:
    sides: dict[str, list[dict[str, Any]]] = {"addresses": [], "notReadyAddresses": []}
    for endpoint in one.endpoints:
        data = _endpoint_object(endpoint)
        kept = {key: value for key, value in data.items() if key in ("hostname", "nodeName", "targetRef")}
        sides["addresses" if endpoint.ready else "notReadyAddresses"].append({"ip": str(endpoint.addresses[0]), **kept})
    return {**{key: value for key, value in sides.items() if value}, "ports": [*map(_slice_port_object, one.ports)]}


def _slice_port_object(port: SlicePort) -> dict[str, Any]:
    found: dict[str, Any] = {"name": port.name, "protocol": port.protocol, "port": port.port}
    return {**found, **({"appProtocol": port.app_protocol} if port.app_protocol else {})}


def _port_object(port: ServicePort) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": port.name,
        "protocol": port.protocol,
        "port": port.port,
        "targetPort": port.target_port or port.port,
        "nodePort": port.node_port,
        "appProtocol": port.app_protocol,
    }
    return {key: value for key, value in found.items() if value}


def _ingress_object(one: LoadBalancerIngress) -> dict[str, Any]:
    if one.address is None:
        return {"hostname": one.hostname}
    return {"ip": str(one.address), "ipMode": "Proxy" if one.proxy else "VIP"}


def _metadata(meta: Meta) -> dict[str, Any]:
    found: dict[str, Any] = {"name": meta.name}
    if meta.namespace:
        found["namespace"] = meta.namespace
    pairs = (("labels", meta.labels), ("annotations", meta.annotations))
    return found | {key: dict(value) for key, value in pairs if value}


def _external(one: Service) -> str:
    if one.type == "ExternalName":
        return one.external_name or _NONE
    balancers = [str(item.address or item.hostname) for item in one.load_balancer]
    found = ",".join(dict.fromkeys((*balancers, *map(str, one.external_ips))))
    return found or (_PENDING if one.type == "LoadBalancer" else _NONE)


def _port(port: ServicePort) -> str:
    return f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"


def _sockets(one: EndpointSlice) -> str:
    """Return the first addresses and ports of a slice's ready endpoints."""
    numbers = [port.port for port in one.ports] or [0]
    found = [
        (f"[{address}]" if address.version == 6 else str(address)) + (f":{number}" if number else "")
        for endpoint in one.endpoints
        if endpoint.ready
        for address in endpoint.addresses[:1]
        for number in numbers
    ]
    return _few(found)


def _listed(items: Iterable[object]) -> str:
    return ",".join(map(str, items)) or _NONE


def _few(items: Sequence[str]) -> str:
    """Return the first items and how many more there are, as kubectl does."""
    more = f" + {len(items) - _MOST} more..." if len(items) > _MOST else ""
    return ",".join(items[:_MOST]) + more
