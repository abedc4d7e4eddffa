"""The kinds of core/v1 that stand for no workload: Namespace, Node and Service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import ADDRESS_RULE, CIDR_RULE, parse_address, parse_cidr
from netlab.objects.fields import Fields, invalid, quoted, required
from netlab.objects.meta import object_meta, open_document
from netlab.objects.types import (
    Address,
    Document,
    Meta,
    Namespace,
    Node,
    Prefix,
    Protocol,
    Service,
    ServicePort,
    Source,
)

# In the order in which the API server names them for containers and Services; a NetworkPolicy has its own.
PROTOCOLS: tuple[Protocol, ...] = ("SCTP", "TCP", "UDP")
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def namespace(document: Document) -> tuple[Namespace, list[Problem]]:
    """Decode a Namespace; as on a cluster it has the label with its name, whatever is written."""
    root = open_document(document)
    meta = object_meta(root, names.dns_label, namespaced=False)
    written = meta.labels.get(NAMESPACE_LABEL, meta.name)
    if written != meta.name:
        path = f"metadata.labels.{NAMESPACE_LABEL}"
        message = f"the API server sets it to the namespace's name: read as {quoted(meta.name)}"
        root.report.warn(path, message, "namespace-label-overwritten")
    found = Namespace(_named(meta, meta.labels), document.source)
    return found, root.report.problems


def undeclared_namespace(name: str, source: Source) -> Namespace:
    """Return the namespace that an object uses and nothing declares; ``source`` is that object's."""
    where = Source(source.file, {"": source.line("metadata.namespace")})
    return Namespace(_named(Meta(name), {}), where, declared=False)


def _named(meta: Meta, labels: Mapping[str, str]) -> Meta:
    return Meta(meta.name, "", {**labels, NAMESPACE_LABEL: meta.name}, meta.annotations)


def node(document: Document) -> tuple[Node, list[Problem]]:
    """Decode a Node: labels, podCIDRs (or podCIDR) and, of an exported one, its InternalIP addresses."""
    root = open_document(document)
    meta = object_meta(root, namespaced=False)
    spec = root.sub("spec")
    written = spec.strings("podCIDRs") or [(spec.at("podCIDR"), c) for c in [spec.string("podCIDR")] if c]
    internal = [a for a in root.sub("status").mappings("addresses") if a.string("type") == "InternalIP"]
    found = Node(
        meta,
        tuple(cidr for _, cidr in prefixes(spec, written)),
        tuple(a for _, a in addresses(root, ((i.at("address"), i.string("address")) for i in internal))),
        document.source,
    )
    return found, root.report.problems


def prefixes(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Prefix]]:
    """Return the CIDRs of a list of (path, text), each with its path; those that are none are reported."""
    found = []
    for path, text in written:
        prefix = parse_cidr(text)
        if prefix is None:
            fields.report.error(path, invalid(text, CIDR_RULE))
        else:
            found.append((path, prefix))
    return found


def addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return the addresses of a list of (path, text), each with its path; those that are none are reported."""
    found = []
    for path, text in written:
        address = parse_address(text)
        if address is None:
            fields.report.error(path, invalid(text, ADDRESS_RULE))
        else:
            found.append((path, address))
    return found


def service(document: Document) -> tuple[Service, list[Problem]]:
    """Decode a Service."""
    root = open_document(document)
    meta = object_meta(root, names.dns1035_label)
    spec = root.sub("spec")
    found = Service(
        meta,
        spec.string_map("selector"),
        tuple(_service_port(item) for item in spec.mappings("ports")),
        spec.string("clusterIP"),
        spec.string("type", "ClusterIP"),
        document.source,
    )
    return found, root.report.problems


def _service_port(fields: Fields) -> ServicePort:
    if not fields.has("port"):
        fields.error("port", required())
    port = fields.ranged("port", 1, 65535) or 0
    target = fields.data.get("targetPort")
    if isinstance(target, str):
        for message in names.port_name(target):
            fields.error("targetPort", invalid(target, message))
    elif target is not None:
        target = fields.ranged("targetPort", 1, 65535)
    return ServicePort(port, target or 0, fields.choice("protocol", PROTOCOLS, "TCP"), fields.string("name"))
