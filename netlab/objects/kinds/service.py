"""Service: decoding with defaults; ``objects.service_rules`` has the API server's rules."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import CIDR_RULE, UNUSUAL_ADDRESS, address_warnings, parse_address, parse_cidr
from netlab.objects.core_v1 import addresses, check_cidr_form, checked_addresses, endpoint_addresses, report_unusual
from netlab.objects.fields import PORT_RANGE, Fields, forbidden, invalid
from netlab.objects.kind import Kind
from netlab.objects.meta import object_meta, open_document
from netlab.objects.service_rules import check_service, cluster_ips, reachable, source_ranges_path
from netlab.objects.service_shapes import (
    FAMILIES,
    TARGET_NUMBER,
    AffinityShape,
    BalancerShape,
    ClientIpShape,
    IngressShape,
    PortShape,
    ServiceRoot,
    SpecShape,
    StatusShape,
)
from netlab.objects.service_updates import service_update
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.types import Address, Document, Prefix
from netlab.objects.versions import RELAXED_SERVICE_NAMES

_DAY = 86400


def service(document: Document) -> tuple[Service, list[Problem]]:
    """Decode a Service. The value must not be used if a problem is an error."""
    root = open_document(document)
    meta = object_meta(root, names.dns_label, older=(RELAXED_SERVICE_NAMES - 1, names.dns1035_label))
    spec = ServiceRoot.spec.read(root)
    kind = SpecShape.type.read(spec)
    texts = cluster_ips(spec, external_name=kind == "ExternalName")
    headless = bool(texts) and texts[0][1] == "None"
    affinity = SpecShape.affinity.read(spec)
    found = Service(
        meta,
        SpecShape.selector.read(spec),
        tuple(_service_port(item) for item in SpecShape.ports.read(spec)),
        tuple(address for _, address in checked_addresses(root, texts[1:] if headless else texts)),
        kind,
        document.source,
        headless,
        tuple(FAMILIES[text] for _, text in SpecShape.families.read(spec) if text in FAMILIES),
        SpecShape.family_policy.read(spec) if kind != "ExternalName" else "",
        SpecShape.external_name.read(spec),
        _external_ips(spec),
        tuple(_ingress(root, item) for item in _ingresses(root)),
        SpecShape.class_name.read(spec),
        _source_ranges(spec),
        SpecShape.allocate.read(spec) or not SpecShape.allocate.has(spec),
        affinity,
        _affinity_timeout(spec, affinity),
        SpecShape.internal.read(spec),
        SpecShape.external.read(spec) if reachable(kind, spec) else "Cluster",
        SpecShape.health.read(spec) or 0,
        SpecShape.publish.read(spec),
        SpecShape.distribution.read(spec),
        load_balancer_ip=_balancer_ip(spec, kind, headless=headless),
    )
    check_service(found, spec)
    return found, root.report.problems


def _external_ips(spec: Fields) -> tuple[Address, ...]:
    return tuple(address for _, address in endpoint_addresses(spec, SpecShape.external_ips.read(spec)))


def _balancer_ip(spec: Fields, kind: str, *, headless: bool) -> Address | None:
    """Return ``loadBalancerIP``; None with a warning if it has no effect. The API server refuses no value of it."""
    field = SpecShape.balancer_ip
    text = field.read(spec)
    if not text:
        return None
    if headless or kind != "LoadBalancer":
        why = "for headless services" if headless else 'when spec.type is not "LoadBalancer"'
        spec.report.warn(field.at(spec), f"is ignored {why}", "field-without-effect")
        return None
    if parse_address(text) is None:
        spec.report.warn(field.at(spec), f"is ignored: {text!r} is no IP address", "field-without-effect")
        return None
    report_unusual(spec.report, field.at(spec), text, "", address_warnings(text), UNUSUAL_ADDRESS)
    return parse_address(text)


def _source_ranges(spec: Fields) -> tuple[Prefix, ...]:
    # The API server removes spaces around each range.
    written = [(path, text.strip()) for path, text in SpecShape.source_ranges.read(spec)]
    for path, text in written:
        if parse_cidr(text) is None:
            spec.report.error(source_ranges_path(path), invalid(text, CIDR_RULE), at=path)
        else:
            check_cidr_form(spec.report, source_ranges_path(path), text, line_of=path)
    return tuple(cidr for _, text in written if (cidr := parse_cidr(text)) is not None)


def _affinity_timeout(spec: Fields, affinity: str) -> int:
    """Return the timeout of session affinity in seconds; the default if there is no affinity, as on the API server."""
    config = SpecShape.affinity_config.read(spec)
    client = AffinityShape.client_ip.read(config)
    field = ClientIpShape.timeout
    timeout = field.read(client)
    default = field.default or 0
    if affinity == "None":
        if SpecShape.affinity_config.has(spec):
            message = "has no effect: sessionAffinity is None"
            spec.report.warn(SpecShape.affinity_config.at(spec), message, "field-without-effect")
        return default
    if timeout is not None and not 0 < timeout <= _DAY:
        field.error(client, invalid(timeout, f"must be greater than 0 and less than {_DAY}"))
        return default
    return timeout or default


def _ingresses(root: Fields) -> list[Fields]:
    return BalancerShape.ingress.read(StatusShape.load_balancer.read(ServiceRoot.status.read(root)))


def _ingress(root: Fields, item: Fields) -> LoadBalancerIngress:
    ip, hostname = IngressShape.ip.read(item), IngressShape.hostname.read(item)
    found = addresses(root, [(IngressShape.ip.at(item), ip)] if ip else [])
    mode = IngressShape.mode.read(item)
    if IngressShape.mode.has(item) and not ip:
        IngressShape.mode.error(item, forbidden("may not be set when `ip` is not set"))
    if hostname and parse_address(hostname) is not None:
        IngressShape.hostname.error(item, invalid(hostname, "must be a DNS name, not an IP address"))
    return LoadBalancerIngress(found[0][1] if found else None, hostname, mode)


def _service_port(fields: Fields) -> ServicePort:
    port = PortShape.port.read(fields) or 0
    if not PortShape.port.has(fields):
        PortShape.port.error(fields, invalid(0, PORT_RANGE))
    target = PortShape.target_port.read(fields)
    if isinstance(target, str):
        for message in names.port_name(target) if target else ():
            PortShape.target_port.error(fields, invalid(target, message))
    elif isinstance(target, bool | float | list | dict):
        PortShape.target_port.error(fields, invalid(target, "must be an integer or a string"))
        target = 0
    elif target:
        target = TARGET_NUMBER.read(fields)
    else:
        # The API server reads 0 as an absent field, and takes the Service's port.
        written = PortShape.port.written(fields)
        if not port and (written is None or isinstance(written, int)):
            PortShape.target_port.error(fields, invalid(written or 0, PORT_RANGE))
    return ServicePort(
        port,
        target or 0,
        PortShape.protocol.read(fields),
        PortShape.name.read(fields),
        PortShape.node_port.read(fields) or 0,
        PortShape.app_protocol.read(fields),
        fields.path,
    )


KIND = Kind(
    "Service",
    "v1",
    Service,
    service,
    plural="services",
    short=("svc",),
    columns=(),
    shape=ServiceRoot,
    update=service_update,
)
