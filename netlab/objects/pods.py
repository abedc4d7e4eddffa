"""What Pods and the pod templates of workloads share: the part of a spec that the network depends on."""

from __future__ import annotations

from netlab.objects import names
from netlab.objects.core import PROTOCOLS
from netlab.objects.fields import Fields, duplicate, invalid, required
from netlab.objects.label_selectors import check_labels
from netlab.objects.types import ContainerPort, PodSpec


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
