"""Which node every pod runs on. A pure function: the same pods and nodes always give the same placement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
) -> tuple[dict[str, str], list[Problem]]:
    """Return the node of every pod by its reference; pods that fit on no node are left out, with a problem each.

    Pods with a nodeName come first, then those that ``keep`` has on a node that still admits them, then the rest in
    order, each to the admissible node with the fewest pods; the earlier node wins a tie. ``others`` counts the pods
    that are on the nodes besides.
    """
    by_name = {node.name: node for node in nodes}
    load = {**dict.fromkeys(by_name, 0), **(others or {})}
    placed: dict[str, str] = {}
    problems: list[Problem] = []

    def settle(pod: PodDraft, node: str) -> None:
        placed[pod.ref] = node
        load[node] += 1

    rest: list[PodDraft] = []
    for pod in pods:
        if not pod.spec.node_name:
            rest.append(pod)
            continue
        problem = _misfit(pod, by_name)
        if problem is None:
            settle(pod, pod.spec.node_name)
        else:
            problems.append(problem)

    new: list[PodDraft] = []
    for pod in rest:
        before = keep.get(pod.ref)
        if before is not None and before.node in by_name and by_name[before.node].satisfies(pod.spec.node_selector):
            settle(pod, before.node)
        else:
            new.append(pod)

    for pod in new:
        admissible = [node.name for node in nodes if node.satisfies(pod.spec.node_selector)]
        if admissible:
            settle(pod, min(admissible, key=load.__getitem__))
        else:
            message = f"no node has the labels {_pairs(pod.spec.node_selector)}"
            problems.append(pod.problem(f"{pod.spec_path}.nodeSelector", message))
    return placed, problems


def idle(cluster: Cluster, workloads: Iterable[Workload]) -> list[Problem]:
    """Return a warning for every DaemonSet that has no pods because no node has the labels that it selects."""
    found: list[Problem] = []
    for one in workloads:
        selector = one.template.node_selector
        if one.replicas is not None or one.meta.key in cluster.by_workload:
            continue
        if not any(all(node.labels.get(k) == v for k, v in selector.items()) for node in cluster.nodes):
            path, name = f"{one.template_path}.spec.nodeSelector", f"{one.kind} {one.meta.key}"
            message = f"no node has the labels {_pairs(selector)}: it has no pods"
            found.append(Problem(one.source.file, one.source.line(path), path, name, message, "warning"))
    return found


def _misfit(pod: PodDraft, nodes: Mapping[str, NodeDraft]) -> Problem | None:
    """Return what keeps a pod from the node that it names, None when nothing does."""
    name, wanted = pod.spec.node_name, pod.spec.node_selector
    if name not in nodes:
        message = f"no node {name!r} in the lab, which has {', '.join(nodes)}"
        return pod.problem(f"{pod.spec_path}.nodeName", message)
    if not nodes[name].satisfies(wanted):
        # The scheduler is passed by, but the kubelet still refuses such a pod (reason NodeAffinity).
        message = f"node {name!r}, which nodeName names, has not the labels {_pairs(wanted)}"
        return pod.problem(f"{pod.spec_path}.nodeSelector", message)
    return None


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
