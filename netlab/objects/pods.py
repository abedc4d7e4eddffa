"""Pods, and the pod templates of workloads: the part of them that the network depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.core import PROTOCOLS, addresses
from netlab.objects.fields import Fields, duplicate, invalid, required
from netlab.objects.label_selectors import changed_labels, check_labels
from netlab.objects.meta import object_meta, open_document
from netlab.objects.types import ContainerPort, Document, Meta, Pod, PodSpec


def pod(document: Document) -> tuple[Pod, list[Problem]]:
    """Decode a Pod; of an exported one's status the phase and the addresses, its node's too, count."""
    root = open_document(document)
    meta = object_meta(root)
    status = root.sub("status")
    written = [(item.at("ip"), item.string("ip")) for item in status.mappings("podIPs")]
    written = written or [(status.at("podIP"), status.string("podIP"))]
    hosts = [(item.at("ip"), item.string("ip")) for item in status.mappings("hostIPs")]
    hosts = hosts or [(status.at("hostIP"), status.string("hostIP"))]
    found = Pod(
        meta,
        pod_spec(root.sub("spec")),
        status.string("phase"),
        tuple(address for _, address in addresses(root, (item for item in written if item[1]))),
        document.source,
        tuple(address for _, address in addresses(root, (item for item in hosts if item[1]))),
    )
    return found, root.report.problems


def pod_spec(fields: Fields) -> PodSpec:
    """Decode the ``spec`` of a pod or of a pod template."""
    node_name = fields.string("nodeName")
    for message in names.dns_subdomain(node_name) if node_name else ():
        fields.error("nodeName", invalid(node_name, message))
    node_selector = fields.string_map("nodeSelector")
    check_labels(fields, "nodeSelector", node_selector)
    host_network = fields.boolean("hostNetwork")
    # A restartable init container is a sidecar: it runs, and listens, beside the containers for the pod's whole life.
    sidecars = [c for c in fields.mappings("initContainers") if c.string("restartPolicy") == "Always"]
    ports: list[ContainerPort] = []
    for container in (*fields.mappings("containers"), *sidecars):
        taken: set[str] = set()
        ports += [_container_port(item, host_network, taken) for item in container.mappings("ports")]
    return PodSpec(node_name, node_selector, host_network, tuple(ports))


def _container_port(fields: Fields, host_network: bool, taken: set[str]) -> ContainerPort:
    name = fields.string("name")
    if name:
        messages = names.port_name(name)
        for message in messages:
            fields.error("name", invalid(name, message))
        if name in taken:
            fields.error("name", duplicate(name))
        taken.add(name)
    port = 0
    if fields.data.get("containerPort") in (None, 0):
        fields.error("containerPort", required())
    else:
        port = fields.ranged("containerPort", 1, 65535) or 0
    host_port = fields.ranged("hostPort", 0, 65535) or 0
    if host_network and host_port and port and host_port != port:
        fields.error("hostPort", invalid(host_port, "must match `containerPort` when `hostNetwork` is true"))
    protocol = fields.choice("protocol", PROTOCOLS, "TCP")
    return ContainerPort(port, protocol, name, host_port, fields.string("hostIP"), fields.path)


@dataclass(frozen=True, slots=True)
class PodLabels:
    """Labels that were changed on one pod of a workload, whose template knows nothing of it; None removes one."""

    meta: Meta
    labels: Mapping[str, str | None]


def pod_labels(document: Document) -> tuple[PodLabels, list[Problem]]:
    """Decode the kind in which a running lab keeps what ``netlab label pod`` changed."""
    root = open_document(document, strict=True)
    root.only("apiVersion", "kind", "metadata", "labels")
    found = PodLabels(object_meta(root, strict=True), changed_labels(root))
    return found, root.report.problems
