"""The wiring of a lab: nodes, bridges, tunnels, pods and outside hosts, with addresses and MTU.

It is read from the wanted state, which is what ``up`` builds. So it shows no link that a lab would not have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from textwrap import wrap
from typing import Literal

from netlab.cluster.types import Cluster, Host, Node, Pod
from netlab.dataplane import names
from netlab.dataplane.wanted import wanted
from netlab.errors import printable
from netlab.pictures.merged import MergedArrow, MergedBox, bounded, name_range, one_line
from netlab.pictures.model import BoxKind, Frame, Picture
from netlab.pictures.texts import MOST, in_numbers, workload_name
from netlab.pictures.wires import Interface, Wires
from netlab.pictures.wiring_text import (
    Unit,
    addresses_of,
    box_names,
    impaired_pairs,
    network_line,
    plugins_of,
    tunnel_facts,
    tunnel_lines,
)

Alike = Literal["no", "same pods", "same wiring"]

MOST_BOXES = 30
"""The most boxes before pods and nodes are grouped further."""
FEW_NODES = 3
"""The most nodes that are drawn one by one, however alike they are."""

# From the finest picture to the coarsest one: what a box of pods stands for, and which nodes share a frame.
_LEVELS: tuple[tuple[Unit, Alike], ...] = (
    ("workload", "no"),
    ("workload", "same pods"),
    ("workload", "same wiring"),
    ("namespace", "no"),
    ("namespace", "same wiring"),
    ("namespaces alike", "same wiring"),
    ("network", "same wiring"),
)
_UNDERLAY = "underlay"
_MOST_PAIRS = 20


def topology_picture(cluster: Cluster) -> Picture:
    """Return the picture of what netlab builds for a cluster.

    Raises:
      UsageError: for a lab whose namespaces cannot have their names.
    """
    wires = Wires(wanted(cluster))
    drawing = _Drawing(cluster, wires, *_LEVELS[0])
    for unit, alike in _LEVELS:
        drawing = _Drawing(cluster, wires, unit, alike)
        if len(drawing.boxes) <= MOST_BOXES:
            break
    return drawing.picture()


class _Drawing:
    """The boxes and arrows of a cluster for one level of grouping."""

    def __init__(self, cluster: Cluster, wires: Wires, unit: Unit, alike: Alike) -> None:
        self._cluster, self._wires, self._unit = cluster, wires, unit
        self.boxes: dict[str, MergedBox] = {}
        self._arrows: dict[Hashable, MergedArrow] = {}
        self._pods: dict[str, list[Pod]] = defaultdict(list)
        for pod in cluster.pods:
            self._pods[pod.node].append(pod)
        self._box_names = box_names(cluster, unit)
        self._pairs = impaired_pairs(cluster, wires)
        # The first node of each node's frame, by name. It names the frame and its boxes.
        self._first: dict[str, str] = {}
        self.frames: list[Frame] = []
        self._draw_underlay()
        for nodes in self._folded(alike):
            self._draw_nodes(nodes)
        self._draw_pairs()

    # --- machines ----------------------------------------------------------------------------------------------------

    def _draw_underlay(self) -> None:
        for host in self._cluster.hosts:
            self._draw_machine(host, "outside", f"host:{host.name}", host.name, "")
        place = names.underlay_namespace(self._cluster.name)
        for bridge in self._wires.of(place):
            if bridge.link.kind == "bridge":
                box = MergedBox(_UNDERLAY, "network", _UNDERLAY, facts=(f"bridge {bridge.name}, {bridge.size}",))
                box.add((), f"bridge {bridge.name} in namespace {place}")
                self.boxes[_UNDERLAY] = box
                box.facts = (*map(str, self._cluster.underlay_cidrs), *box.facts)

    def _draw_machine(self, machine: Node | Host, kind: BoxKind, ident: str, name: str, frame: str) -> None:
        """Add a machine's interface on the underlay to the box of its kind, and its link to the arrow."""
        place = names.endpoint_namespace(self._cluster.name, machine)
        for interface in self._wires.of(place):
            port = self._wires.peer(interface)
            if port is None or port.end[0] != names.underlay_namespace(self._cluster.name):
                continue
            box = self._box(ident, kind, name, frame, (f"{interface.name}, {interface.size}",))
            box.add(interface.addresses, f"{machine.ref}: {interface.name} {addresses_of(interface)}")
            ends = (ident, _UNDERLAY) if kind == "outside" else (_UNDERLAY, ident)
            self._join(*ends, "veth", port, interface, port.name)

    def _folded(self, alike: Alike) -> list[list[Node]]:
        """Return the nodes of each frame."""
        nodes = sorted(self._cluster.nodes, key=lambda node: in_numbers(node.name))
        if alike == "no" or len(nodes) <= FEW_NODES:
            return [[node] for node in nodes]
        found: dict[Hashable, list[Node]] = defaultdict(list)
        for node in nodes:
            key: tuple[Hashable, ...] = (self._wiring_of(node),)
            if alike == "same pods":
                key += (tuple(sorted(map(self._pod_key, self._pods[node.name]), key=str)),)
            found[key].append(node)
        return list(found.values())

    def _wiring_of(self, node: Node) -> Hashable:
        """Return what two nodes have in common if they are wired alike, whatever their pods are."""
        place = names.node_namespace(self._cluster.name, node.name)
        links = tuple(
            (one.name, one.link.kind, one.size, one.link.master, one.netem, tunnel_facts(one))
            for one in self._wires.of(place)
            if not self._is_port(one)
        )
        impaired = [text for one, other, text in self._pairs if node.ref in (one, other)]
        return links, (node.ref if impaired and len(self._pairs) <= _MOST_PAIRS else "")

    def _is_port(self, interface: Interface) -> bool:
        """Return whether a node's interface is a pod's."""
        peer = self._wires.peer(interface)
        return peer is not None and peer.end[0] != names.underlay_namespace(self._cluster.name)

    def _draw_nodes(self, nodes: list[Node]) -> None:
        ident = f"node:{nodes[0].name}"
        label = one_line(name_range([node.name for node in nodes]))
        frame = f"frame:{nodes[0].name}"
        self.frames.append(Frame(frame, "node", label, note=bounded(node.ref for node in nodes)))
        for node in nodes:
            self._first[node.name] = nodes[0].name
            self._draw_machine(node, "node", ident, label, frame)
            place = names.node_namespace(self._cluster.name, node.name)
            for one in self._wires.of(place):
                if one.link.kind == "bridge":
                    box = self._box(f"{ident}/{one.name}", "bridge", one.name, frame, (f"bridge, {one.size}",))
                    box.add(one.addresses, f"{node.ref}: {one.name} {addresses_of(one)}")
                    self._join(ident, box.ident, "routes", one, None, "")
                elif one.link.kind in ("vxlan", "ipip"):
                    self._draw_tunnel(node, ident, frame, one)
            for pod in self._pods[node.name]:
                self._draw_pod(pod, ident, frame)

    def _draw_tunnel(self, node: Node, ident: str, frame: str, one: Interface) -> None:
        box = self._box(f"{ident}/{one.name}", "tunnel", one.name, frame, (*tunnel_facts(one), one.size))
        local = one.link.options.get("local") or one.link.options.get("local6")
        box.add(one.addresses, f"{node.ref}: {one.name} {addresses_of(one)} from {local}")
        self._join(ident, box.ident, "encapsulates", one, None, "")
        if one.link.master:
            self._join(box.ident, f"{ident}/{one.link.master}", "port", one, None, "")

    # --- pods --------------------------------------------------------------------------------------------------------

    def _pod_key(self, pod: Pod) -> tuple[str, str, str]:
        """Return what pods of one box have in common but their links: the name, the count's unit, and the network."""
        if self._unit == "workload":
            name = pod.workload.split(" ", 1)[1] if pod.workload else pod.ref
        else:
            name = self._box_names.get(pod.namespace, "")
        return name, pod.attachment, pod.network

    def _draw_pod(self, pod: Pod, node: str, frame: str) -> None:
        key = self._pod_key(pod)
        if pod.host_network:
            box = self._pod_box(pod, key, frame, ("host network",))
            box.add((), f"{pod.ref}: in the network namespace of node {pod.node}")
            self._arrow(node, box.ident, "host network")
            return
        found = self._wires.of(names.pod_namespace(self._cluster.name, pod))
        if not found:
            self._draw_without_link(pod, key, frame, node)
        for one in found:
            port = self._wires.peer(one)
            joined, kind = node, one.link.kind
            if port is not None and port.link.master:
                joined = f"{node}/{port.link.master}"
            netem = one.netem or (port.netem if port is not None else "")
            box = self._pod_box(pod, (*key, joined, kind, one.size, netem), frame, (f"{one.name}, {one.size}",))
            name = port.name if port is not None else f"of {one.link.parent[1]}" if one.link.parent else ""
            link = f"{name} - {one.name}" if port is not None else f"{one.name} {kind} {name}"
            box.add(one.addresses, f"{pod.ref}: {link} {addresses_of(one)}")
            self._join(joined, box.ident, kind, one, port, name)

    def _draw_without_link(self, pod: Pod, key: tuple[str, ...], frame: str, node: str) -> None:
        """Draw a pod that has a loopback only, or whose link plugins make."""
        if not pod.traits.attachment.by_plugins:
            box = self._pod_box(pod, key, frame, ("no network: loopback only",))
            box.add((), f"{pod.ref}: loopback only")
            return
        network = self._cluster.network(pod.network)
        box = self._pod_box(pod, key, frame, ("link made by plugins",))
        addresses = ", ".join(map(str, pod.addresses)) or "an address that plugins choose"
        box.add((), f"{pod.ref}: {addresses}")
        self._arrow(node, box.ident, plugins_of(network))

    def _pod_box(self, pod: Pod, key: tuple[str, ...], frame: str, facts: tuple[str, ...]) -> MergedBox:
        name = key[0] or (f"network {pod.network}" if pod.network else "without a pod network")
        ident = "/".join((frame, *key))
        box = self.boxes.get(ident)
        if box is None:
            place = pod.source.place() if self._unit == "workload" else ""
            counted: Literal["×", "pods"] = "×" if self._unit == "workload" else "pods"
            box = self.boxes[ident] = MergedBox(ident, "pods", name, frame, facts, place=place, counted=counted)
        if self._unit == "network":
            box.parts[pod.namespace] += 1
        elif self._unit != "workload":
            box.parts[workload_name(pod)] += 1
        return box

    # --- impairments -------------------------------------------------------------------------------------------------

    def _draw_pairs(self) -> None:
        """Write each impaired link between two machines at the boxes of both; too many are a line below the picture."""
        if len(self._pairs) > _MOST_PAIRS:
            return
        for one, other, text in self._pairs:
            for here, there in ((one, other), (other, one)):
                kind, _, name = here.partition(":")
                ident = f"node:{self._first[name]}" if kind == "node" else here
                box = self.boxes[ident]
                box.facts = (*box.facts, *wrap(f"to {there.removeprefix('node:')}: {text}", MOST))

    # --- the picture -------------------------------------------------------------------------------------------------

    def _box(self, ident: str, kind: BoxKind, name: str, frame: str, facts: tuple[str, ...]) -> MergedBox:
        return self.boxes.setdefault(ident, MergedBox(ident, kind, name, frame, facts))

    def _arrow(self, source: str, target: str, what: str, after: str = "") -> MergedArrow:
        return self._arrows.setdefault((source, target, what, after), MergedArrow(source, target, what, after))

    def _join(self, source: str, target: str, what: str, one: Interface, other: Interface | None, name: str) -> None:
        """Add a link to the arrow between two boxes: its name, and what happens to packets on it."""
        netem = one.netem or (other.netem if other is not None else "")
        arrow = self._arrow(source, target, what, netem)
        if name:
            arrow.names.append(name)
        ends = f"{one.end[0]} {one.name}" + (f" - {other.end[0]} {other.name}" if other is not None else "")
        arrow.notes.append(f"{ends}, {one.size}" + (f", {netem}" if netem else ""))

    def picture(self) -> Picture:
        """Return the picture."""
        boxes = [box.box() for box in self.boxes.values()]
        first = {"outside": 0, "network": 1}
        boxes.sort(key=lambda box: first.get(box.kind, len(first)))
        arrows = tuple(arrow.arrow() for arrow in self._arrows.values())
        below = tuple(map(printable, self._below()))
        return Picture(f"{self._cluster.name}: wiring", tuple(boxes), tuple(self.frames), arrows, below, self._unit)

    def _below(self) -> Iterator[str]:
        for network in self._cluster.networks:
            yield network_line(network)
        if self._cluster.policy.enforcement != "all":
            yield "nothing enforces policies"
        yield from tunnel_lines(self._cluster, self._wires)
        for cidr in self._cluster.service_cidrs if self._cluster.services else ():
            yield f"Services {cidr}: no interface has these addresses; nodes translate them"
        if len(self._pairs) > _MOST_PAIRS:
            yield f"{len(self._pairs)} impaired links between machines are left out"
        if self._unit != "workload":
            whole = {"namespace": "a namespace", "network": "a network"}.get(
                self._unit, "namespaces with equal workloads"
            )
            yield f"a box has all pods of {whole} that are wired alike"
