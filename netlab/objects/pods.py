"""The pod spec of Pods and of pod templates: the fields that the network depends on."""

from __future__ import annotations

from netlab.objects import names
from netlab.objects.core_v1 import PROTOCOLS
from netlab.objects.field_types import Choice, Flag, OneOf, Part, Parts, Text, Whole
from netlab.objects.fields import PORT_RANGE, Fields, duplicate, invalid, required
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import TemplateMeta
from netlab.objects.pod_dns import PodDnsShape, pod_dns
from netlab.objects.shapes import Shape
from netlab.objects.types import LAST_PORT, ContainerPort, PodSpec, Protocol


class _Port(Shape):
    """A port of a container."""

    name = Text("name", "The port's name, which policies and Services may use.", check=names.port_name)
    container_port = Whole("containerPort", "The port's number.", low=1, high=65535, required=True)
    host_port = Whole("hostPort", "The port of the node that leads to it; 0 for none.")
    protocol = Choice[Protocol]("protocol", "The port's protocol.", values=PROTOCOLS, default="TCP", blank=True)
    host_ip = Text("hostIP", "The node's address at which the host port is open; by default all.")


class _Container(Shape):
    """A container."""

    image = Text("image", "The image. netlab runs none; another image is another template for a rolling update.")
    ports = Parts("ports", "The ports that the container declares.", shape=_Port)


class _InitContainer(_Container):
    """A container that runs before the others, or, if it restarts always, beside them."""

    restart_policy = OneOf(
        "restartPolicy",
        "`Always` makes it a sidecar, whose ports count.",
        values=("Always", "Never", "OnFailure"),
    )


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


def pod_spec(fields: Fields, *, of_pod: bool = False, named: bool = True) -> PodSpec:
    """Decode the ``spec`` of a pod (``of_pod``) or of a pod template.

    Without ``named``, the controller overwrites hostname and subdomain.
    """
    node_name = PodSpecShape.node_name.read(fields)
    node_selector = PodSpecShape.node_selector.read(fields)
    host_network = PodSpecShape.host_network.read(fields)
    # An init container with restartPolicy Always is a sidecar: it runs as long as the pod, so its ports count.
    inits = PodSpecShape.init_containers.read(fields)
    containers = PodSpecShape.containers.read(fields)
    images = tuple(_Container.image.read(container) for container in (*inits, *containers))
    taken: set[str] = set()
    own_ports = of_pod and host_network
    ports = [port for one in containers for port in _ports(one, host_network, taken, own_ports)]
    for one in inits:
        # Init containers run one by one, so only their own host ports can collide.
        own = _ports(one, False, set(), own_ports)
        ports += own if _InitContainer.restart_policy.read(one) == "Always" else ()
    return PodSpec(node_name, node_selector, host_network, tuple(ports), *pod_dns(fields, named=named), images)


def _ports(container: Fields, host_network: bool, taken: set[str], own: bool) -> list[ContainerPort]:
    """Decode the ports of a container.

    ``taken`` has the host ports of those before it. ``own``: a port without a host port has its own number as that, as
    the API server writes it in a Pod with the network of its node.
    """
    named: set[str] = set()
    return [_container_port(item, host_network, named, taken, own) for item in _Container.ports.read(container)]


def _container_port(fields: Fields, host_network: bool, named: set[str], taken: set[str], own: bool) -> ContainerPort:
    name = _Port.name.read(fields)
    if name and not names.port_name(name):
        if name in named:
            _Port.name.error(fields, duplicate(name))
        named.add(name)
    port, written = 0, _Port.container_port.written(fields)
    if written in (None, 0):
        _Port.container_port.error(fields, required())
    else:
        port = _Port.container_port.read(fields) or 0
    host_port, host_ip = _Port.host_port.read(fields) or 0, _Port.host_ip.read(fields)
    protocol = _Port.protocol.read(fields)
    if host_network and host_port and host_port != (written or 0):
        message = "must match `containerPort` when `hostNetwork` is true"
        _Port.host_port.error(fields, invalid(host_port, message))
    checked = host_port or (written if own and isinstance(written, int) else 0)
    if checked:
        key = f"{_Port.protocol.written(fields) or protocol}/{host_ip}/{checked}"
        if key in taken:
            _Port.host_port.error(fields, duplicate(key))
        taken.add(key)
    if checked and not 1 <= checked <= LAST_PORT:
        _Port.host_port.error(fields, invalid(checked, PORT_RANGE))
        host_port = 0
    return ContainerPort(port, protocol, name, host_port, host_ip, fields.path)
