"""The API server's rules between the fields of a Service, with its messages.

Source: kubernetes pkg/apis/core/validation (``ValidateService``, ``ValidateServiceClusterIPsRelatedFields``),
pkg/api/service/warnings.go, and ``initIPFamilyFields`` of pkg/registry/core/service/storage. Rules that depend on the
cluster's ranges are in ``cluster.services.allocation``.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.objects.fields import Fields, duplicate, forbidden, invalid, required, unsupported
from netlab.objects.meta import TOPOLOGY_MODES
from netlab.objects.names import dns_subdomain, label_key
from netlab.objects.service_shapes import FAMILIES, PortShape, SpecShape
from netlab.objects.services import Service
from netlab.objects.shapes import Field

MOST_PORTS = 1_000
"""The most ports of a Service in a lab. Kubernetes has no such limit."""

_KUBELET = 10250
_LOAD_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
_NO_EFFECT = "field-without-effect"
_DEPRECATED = "deprecated-field"
_Texts = Sequence[tuple[str, str]]


def cluster_ips(spec: Fields, *, external_name: bool) -> list[tuple[str, str]]:
    """Return ``clusterIPs`` with their paths, or ``clusterIP`` alone; report values that contradict each other.

    A Service of type ExternalName may have no value.
    """
    single, field = SpecShape.cluster_ip.read(spec), SpecShape.cluster_ips
    several = field.read(spec)
    texts = [text for _, text in several]
    if external_name:
        if several or single:
            field.error(spec, forbidden("may not be set for ExternalName services"))
        return []
    if single and not several:
        # The API server fills the list in first, so its messages have the list's path.
        return [(f"{field.at(spec)}[0]", single)]
    if several and not single:
        field.error(spec, invalid(texts, "must be empty when `clusterIP` is not specified"))
    elif several and texts[0] != single:
        field.error(spec, invalid(texts, "first value must match `clusterIP`"))
    if texts[:1] == ["None"] and len(texts) > 1:
        field.error(spec, invalid(texts, "'None' must be the first and only value"))
        return several
    if len(several) > 2:
        field.error(spec, invalid(texts, "may only hold up to 2 values"))
    return several


def reachable(kind: str, spec: Fields) -> bool:
    """Say whether a Service of a type can be reached from outside of the cluster."""
    typed = kind in ("NodePort", "LoadBalancer")
    return typed or (kind == "ClusterIP" and SpecShape.type.known(spec) and not SpecShape.external_ips.empty(spec))


def external_policy(spec: Fields) -> str:
    """Return ``externalTrafficPolicy`` as it is written, "" if it is absent or no string."""
    return SpecShape.external.typed(spec) or ""


def check_service(service: Service, spec: Fields) -> None:
    """Report what the API server refuses in a decoded Service, and warn of what it warns of."""
    external = service.type in ("NodePort", "LoadBalancer")
    if not service.ports and not service.headless and service.type != "ExternalName":
        SpecShape.ports.error(spec, required())
    if service.headless and external:
        message = f"may not be set to 'None' for {service.type} services"
        spec.report.error(f"{SpecShape.cluster_ips.at(spec)}[0]", invalid("None", message))
    if service.type == "ExternalName":
        _check_external_name(service, spec)
    else:
        _check_families(service, spec)
    _check_ports(service, spec)
    _check_balancer(service, spec)
    _check_external_policy(service, spec, external_policy(spec), reachable=reachable(service.type, spec))
    _warn(service, spec)


def _check_external_name(service: Service, spec: Fields) -> None:
    for field, written in (
        (SpecShape.families, not SpecShape.families.empty(spec)),
        (SpecShape.family_policy, SpecShape.family_policy.has(spec)),
    ):
        if written:
            field.error(spec, forbidden("may not be set for ExternalName services"))
    name = service.external_name.removesuffix(".")
    if not name:
        SpecShape.external_name.error(spec, required())
    for message in dns_subdomain(name) if name else ():
        SpecShape.external_name.error(spec, invalid(name, message))


def _check_families(service: Service, spec: Fields) -> None:
    seen: set[str] = set()
    for path, text in SpecShape.families.read(spec):
        if text not in FAMILIES:
            spec.report.error(path, unsupported(text, tuple(FAMILIES)))
        if text in seen:
            spec.report.error(path, duplicate(text))
        seen.add(text)
    ips, families = service.cluster_ips, service.ip_families
    if len(ips) == 2 and ips[0].version == ips[1].version:
        message = "may specify no more than one IP for each IP family"
        texts = [text for _, text in SpecShape.cluster_ips.read(spec)]
        SpecShape.cluster_ips.error(spec, invalid(texts, message))
    else:
        for index, (ip, family) in enumerate(zip(ips, families, strict=False)):
            if ip.version != family:
                message = f"expected an IPv{family} value as indicated by `ipFamilies[{index}]`"
                spec.report.error(f"{SpecShape.cluster_ips.at(spec)}[{index}]", invalid(str(ip), message))
    # Without a policy the API server takes SingleStack, but RequireDualStack for headless Services without a selector.
    policy = service.ip_family_policy or ("" if service.headless and not service.selector else "SingleStack")
    if policy == "SingleStack":
        for what, several in (("cluster IPs", ips), ("IP families", families)):
            if len(several) == 2:
                message = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                SpecShape.family_policy.error(spec, invalid(policy, message))


def _check_ports(service: Service, spec: Fields) -> None:
    if len(service.ports) > MOST_PORTS:
        message = f"Too many: {len(service.ports)}: a Service of a lab has at most {MOST_PORTS} ports"
        SpecShape.ports.error(spec, message)
        return
    names: set[str] = set()
    ports: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for fields, port in zip(SpecShape.ports.read(spec), service.ports, strict=True):
        if not port.name:
            if len(service.ports) > 1 and PortShape.name.missing(fields):
                PortShape.name.error(fields, required())
        elif port.name in names:
            PortShape.name.error(fields, duplicate(port.name))
        names.add(port.name)
        # As written, as a wrong protocol is not the default.
        number, protocol = PortShape.port.written(fields) or 0, str(PortShape.protocol.written(fields) or "TCP")
        if isinstance(number, int):
            if (protocol, number) in ports:
                spec.report.error(port.path, duplicate(_as_key(protocol, number)))
            ports.add((protocol, number))
        if port.node_port and service.type == "ClusterIP" and SpecShape.type.known(spec):
            PortShape.node_port.error(fields, forbidden("may not be used when `type` is 'ClusterIP'"))
        elif port.node_port and (protocol, port.node_port) in node_ports:
            PortShape.node_port.error(fields, duplicate(port.node_port))
        node_ports.add((protocol, port.node_port))
        if service.type == "LoadBalancer" and port.port == _KUBELET:
            message = f"may not expose port {_KUBELET} externally since it is used by kubelet"
            spec.report.error(port.path, invalid(_KUBELET, message))


def _as_key(protocol: str, number: int) -> dict[str, object]:
    """Return a port as the API server prints one that is there twice."""
    key = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
    return {**key, "TargetPort": 0, "NodePort": 0}


def source_ranges_path(path: str) -> str:
    """Return a path of loadBalancerSourceRanges as the API server prints it: with a capital letter."""
    return path.replace("loadBalancerSourceRanges", "LoadBalancerSourceRanges")


def _check_balancer(service: Service, spec: Fields) -> None:
    if service.type == "LoadBalancer":
        for message in label_key(service.load_balancer_class) if SpecShape.class_name.has(spec) else ():
            SpecShape.class_name.error(spec, invalid(service.load_balancer_class, message))
        return
    fields: tuple[Field[object], ...] = (SpecShape.allocate, SpecShape.class_name)  # type: ignore[assignment]
    for field in fields:
        if field.has(spec):
            field.error(spec, forbidden(_LOAD_BALANCER_ONLY))
    if not SpecShape.source_ranges.empty(spec):
        path = SpecShape.source_ranges.at(spec)
        spec.report.error(source_ranges_path(path), forbidden(_LOAD_BALANCER_ONLY), at=path)


def _check_external_policy(service: Service, spec: Fields, written: str, *, reachable: bool) -> None:
    if written and not reachable:
        message = "may only be set for externally-accessible services"
        SpecShape.external.error(spec, invalid(written, message))
    port = service.health_check_node_port
    if not port:
        return
    if service.type != "LoadBalancer" or service.external_traffic_policy != "Local":
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        SpecShape.health.error(spec, invalid(port, message))
    elif not 1 <= port <= 65535:
        SpecShape.health.error(spec, invalid(port, "must be between 1 and 65535, inclusive"))


def _warn(service: Service, spec: Fields) -> None:
    report = spec.report
    external_ips = SpecShape.external_ips.at(spec)
    named = service.type == "ExternalName"
    if service.external_ips and (service.headless or named):
        why = 'when spec.type is "ExternalName"' if named else "for headless services"
        report.warn(external_ips, f"is ignored {why}", _NO_EFFECT)
    elif service.external_ips:
        report.warn(external_ips, "is deprecated and may no longer be implemented in some clusters", _DEPRECATED)
    if service.headless and service.session_affinity != "None":
        report.warn(SpecShape.affinity.at(spec), "is ignored for headless services", _NO_EFFECT)
    if service.external_name and not named:
        message = 'is ignored when spec.type is not "ExternalName"'
        report.warn(SpecShape.external_name.at(spec), message, _NO_EFFECT)
    if service.traffic_distribution == "PreferClose":
        message = '"PreferClose" is deprecated; use "PreferSameZone"'
        report.warn(SpecShape.distribution.at(spec), message, _DEPRECATED)
    mode, hints = TOPOLOGY_MODES
    if hints in service.meta.annotations:
        message = f"annotation {hints} is deprecated, please use {mode} instead"
        report.warn(f"metadata.annotations.{hints}", message, _DEPRECATED)
