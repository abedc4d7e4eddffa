"""The node of every pod. The same pods and nodes always give the same placement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.host_ports import HostPorts
from netlab.cluster.nodes import NodeDraft
from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Cluster, Placement
from netlab.errors import Problem
from netlab.objects.types import Workload


def place(
    pods: Sequence[PodDraft],
    nodes: Sequence[NodeDraft],
    keep: Mapping[str, Placement],
    others: Mapping[str, int] | None = None,
    stopped: Collection[str] = (),
) -> tuple[dict[str, str], list[Problem]]:
    """Return the node of every pod by its reference, and a problem for each pod that fits on no node.

    A pod with a nodeName is on that node. A pod in ``keep`` stays on its node if the node still admits it. Every other
    pod gets the node that admits it and has the fewest pods, and of equal ones the first. Nodes with a free hostPort
    have precedence. ``others`` has the number of further pods by node. ``stopped`` has the names of stopped nodes: a
    new pod gets one only if no other node admits it, and pods that move leave it.
    """
    admitting = AdmittingNodes(nodes)
    host_ports = HostPorts()
    by_name = {node.name: node for node in nodes}
    load = {**dict.fromkeys(by_name, 0), **(others or {})}
    placed: dict[str, str] = {}
    problems: list[Problem] = []

    def assign(pod: PodDraft, node: str) -> None:
        placed[pod.ref] = node
        load[node] += 1
        host_ports.add(node, pod)

    rest: list[PodDraft] = []
    for pod in pods:
        if not pod.spec.node_name:
            rest.append(pod)
            continue
        problem = _node_name_problem(pod, by_name)
        if problem is None:
            assign(pod, pod.spec.node_name)
        else:
            problems.append(problem)

    new: list[PodDraft] = []
    for pod in rest:
        before = keep.get(pod.ref)
        leaves = pod.moves and before is not None and before.node in stopped
        if before is not None and not leaves and before.node in admitting.of(pod) and host_ports.free(before.node, pod):
            assign(pod, before.node)
        else:
            new.append(pod)

    for pod in new:
        admissible = admitting.of(pod)
        if stopped:
            admissible = [name for name in admissible if name not in stopped] or admissible
        if admissible:
            free = [name for name in admissible if host_ports.free(name, pod)] if pod.publishes else ()
            assign(pod, min(free or admissible, key=load.__getitem__))
        else:
            message = f"no node has the labels {_label_text(pod.spec.node_selector)}"
            problems.append(pod.problem(f"{pod.spec_path}.nodeSelector", message))
    return placed, problems


class AdmittingNodes:
    """The nodes that admit a pod, by its nodeSelector."""

    def __init__(self, nodes: Sequence[NodeDraft]) -> None:
        self._nodes = nodes
        self._known: dict[tuple[tuple[str, str], ...], dict[str, None]] = {}

    def of(self, pod: PodDraft) -> Collection[str]:
        """Return the nodes that have the labels, else made-up nodes that may have them, else all made-up nodes."""
        selector = pod.spec.node_selector
        key = tuple(sorted(selector.items()))
        if key not in self._known:
            choices = (
                [n.name for n in self._nodes if n.satisfies(selector)],
                [n.name for n in self._nodes if n.may_satisfy(selector)],
                [n.name for n in self._nodes if n.made_up],
            )
            self._known[key] = dict.fromkeys(next((names for names in choices if names), []))
        return self._known[key]


def made_up_label_warnings(
    pods: Iterable[PodDraft], nodes: Sequence[NodeDraft], node_of: Mapping[str, str]
) -> list[Problem]:
    """Return one warning about all pods whose nodeSelector asks for labels that netlab assumes of made-up nodes.

    A pod that a cluster bound to a node is not among them: its node is a fact.
    """
    by_name = {node.name: node for node in nodes}
    found = {
        pod.object: pod
        for pod in pods
        if pod.spec.node_selector
        and not pod.bound
        and pod.ref in node_of
        and not by_name[node_of[pod.ref]].satisfies(pod.spec.node_selector)
    }
    if not found:
        return []
    first = next(iter(found.values()))
    more = f"; likewise for {', '.join([*found][1:4])}" if len(found) > 1 else ""
    more += f" and {len(found) - 4} more" if len(found) > 4 else ""
    labels = _label_text(first.spec.node_selector)
    message = f"the input states no nodes; netlab assumes that its nodes have the labels {labels}{more}"
    problem = first.problem(f"{first.spec_path}.nodeSelector", message)
    return [replace(problem, severity="warning", rule="labels-of-made-up-nodes")]


def empty_daemonset_warnings(cluster: Cluster, workloads: Iterable[Workload]) -> list[Problem]:
    """Return a warning for every DaemonSet without pods, if no node has the labels that its nodeSelector asks for."""
    found: list[Problem] = []
    for one in workloads:
        selector = one.template.node_selector
        if one.replicas is not None or one.meta.key in cluster.by_workload:
            continue
        if not any(NodeDraft(node.name, node.labels).satisfies(selector) for node in cluster.nodes):
            path, name = f"{one.template_path}.spec.nodeSelector", f"{one.kind} {one.meta.key}"
            message = f"no node has the labels {_label_text(selector)}: it has no pods"
            line = one.source.line(path)
            found.append(Problem(one.source.file, line, path, name, message, "warning", "daemonset-without-pods"))
    return found


def _node_name_problem(pod: PodDraft, nodes: Mapping[str, NodeDraft]) -> Problem | None:
    """Return why a pod cannot run on the node that its nodeName names, None if it can."""
    name, wanted = pod.spec.node_name, pod.spec.node_selector
    if name not in nodes:
        message = f"no node {name!r} in the lab, which has {', '.join(nodes)}"
        return pod.problem(f"{pod.spec_path}.nodeName", message)
    if not nodes[name].satisfies(wanted) and not nodes[name].made_up and not pod.bound:
        # A nodeName bypasses the scheduler, but the kubelet refuses such a pod (reason NodeAffinity).
        message = f"node {name!r}, which nodeName names, does not have the labels {_label_text(wanted)}"
        return pod.problem(f"{pod.spec_path}.nodeSelector", message)
    return None


def _label_text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
