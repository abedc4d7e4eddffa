"""The pod spec of Pods and of pod templates: the fields that the network depends on."""

from __future__ import annotations

from netlab.objects import names
from netlab.objects.core_v1 import PROTOCOLS
from netlab.objects.field_types import Choice, Flag, Part, Parts, Text, Whole
from netlab.objects.fields import Fields, duplicate, invalid, required
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import TemplateMeta
from netlab.objects.pod_dns import PodDnsShape, pod_dns
from netlab.objects.shapes import Shape
from netlab.objects.types import ContainerPort, PodSpec, Protocol


class _Port(Shape):
    """A port of a container."""

    name = Text("name", "The port's name, which policies and Services may use.", check=names.port_name)
    container_port = Whole("containerPort", "The port's number.", low=1, high=65535, required=True)
    host_port = Whole("hostPort", "The port of the node that leads to it; 0 for none.", low=0, high=65535)
    protocol = Choice[Protocol]("protocol", "The port's protocol.", values=PROTOCOLS, default="TCP")
    host_ip = Text("hostIP", "The node's address at which the host port is open; by default all.")


class _Container(Shape):
    """A container."""

    image = Text("image", "The image. netlab runs none; another image is another template for a rolling update.")
    ports = Parts("ports", "The ports that the container declares.", shape=_Port)


class _InitContainer(_Container):
    """A container that runs before the others, or, if it restarts always, beside them."""

    restart_policy = Text("restartPolicy", "`Always` makes it a sidecar, whose ports count.")


class PodSpecShape(PodDnsShape):
    """The part of a pod's spec that the network depends on."""

    node_name = Text("nodeName", "The node that the pod runs on.", check=names.dns_subdomain)
    node_selector = labels_of("nodeSelector", "Labels of the nodes that the pod may run on.")
    host_network = Flag("hostNetwork", "Whether the pod uses its node's own network namespace.")
    init_containers = Parts("initContainers", "Containers that run first.", shape=_InitContainer)
    containers = Parts("containers", "The pod's containers.", shape=_Container)


class PodTemplate(Shape):
    """The template of a workload's pods."""

    metadata = Part("metadata", "The pods' labels and annotations.", shape=TemplateMeta)
    spec = Part("spec", "The pods' spec.", shape=PodSpecShape)


def pod_spec(fields: Fields) -> PodSpec:
    """Decode the ``spec`` of a pod or of a pod template."""
    node_name = PodSpecShape.node_name.read(fields)
    node_selector = PodSpecShape.node_selector.read(fields)
    host_network = PodSpecShape.host_network.read(fields)
    # An init container with restartPolicy Always is a sidecar: it runs as long as the pod, so its ports count.
    inits = PodSpecShape.init_containers.read(fields)
    sidecars = [c for c in inits if _InitContainer.restart_policy.read(c) == "Always"]
    ports: list[ContainerPort] = []
    containers = PodSpecShape.containers.read(fields)
    images = tuple(_Container.image.read(container) for container in (*inits, *containers))
    for container in (*containers, *sidecars):
        taken: set[str] = set()
        ports += [_container_port(item, host_network, taken) for item in _Container.ports.read(container)]
    return PodSpec(node_name, node_selector, host_network, tuple(ports), *pod_dns(fields), images)


def _container_port(fields: Fields, host_network: bool, taken: set[str]) -> ContainerPort:
    name = _Port.name.read(fields)
    if name:
        if name in taken:
            _Port.name.error(fields, duplicate(name))
        taken.add(name)
    port = 0
    if fields.data.get(_Port.container_port.name) in (None, 0):
        _Port.container_port.error(fields, required())
    else:
        port = _Port.container_port.read(fields) or 0
    host_port = _Port.host_port.read(fields) or 0
    if host_network and host_port and port and host_port != port:
        message = "must match `containerPort` when `hostNetwork` is true"
        _Port.host_port.error(fields, invalid(host_port, message))
    return ContainerPort(port, _Port.protocol.read(fields), name, host_port, _Port.host_ip.read(fields), fields.path)
