"""What controllers do when pods end and nodes fail: the states of a lab's documents, one after the other.

netlab's controllers act at once. On a cluster, a pod is replaced within a second of its deletion. The pods of a node
without a heartbeat are replaced after 40 seconds and the time that they tolerate it, by default 300 seconds.

- Deployment, ReplicaSet, ReplicationController, Job, CronJob: the new pod has a new name, and the scheduler chooses its
  node. Pods of a stopped node are replaced if another node admits them; else they wait for their node.
- StatefulSet: the new pod has the same name. A pod of a stopped node is not replaced, as it may still run: "the
  StatefulSet controller must not create a replacement Pod until the original is known to be gone". To kill the pod says
  that it is gone.
- DaemonSet: the new pod is on the same node. A pod of a stopped node stays: it tolerates the node's taints.
- A pod without a controller is not replaced. It stays on a stopped node.

Source: Kubernetes, Nodes (node status, node controller), Taints and Tolerations, DaemonSet (taints and tolerations),
Force Delete StatefulSet Pods, Non-Graceful Node Shutdown, Jobs (podReplacementPolicy).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from netlab.cluster.exported_pods import OF_STATIC_PODS, replacement_of, unready
from netlab.cluster.host_ports import HostPorts
from netlab.cluster.nodes import node_drafts
from netlab.cluster.placement import AdmittingNodes
from netlab.cluster.pods import PodDraft, nodes_of, pod_drafts
from netlab.cluster.stored_pods import read, with_new_numbers, with_new_template
from netlab.cluster.types import Cluster, Pod
from netlab.errors import UsageError
from netlab.frozen import NamedTuple
from netlab.objects import stopped_nodes
from netlab.objects.all_objects import Objects
from netlab.objects.document_changes import POD_LABELS
from netlab.objects.kind import NETLAB_VERSION, template_of
from netlab.objects.meta import Key, key_of
from netlab.objects.pod_names import ends_of, ends_of_previous, keeps_names
from netlab.objects.types import Document, Workload
from netlab.objects.workload_pods import fields_about, with_ended, with_fields


class LabState(NamedTuple):
    """A lab's documents, and the objects and the cluster that follow from them."""

    documents: Sequence[Document]
    objects: Objects
    cluster: Cluster


def kill(state: LabState, refs: Iterable[str]) -> list[list[Document]]:
    """Return the documents without pods, then those in which controllers have replaced them.

    Raises:
      UsageError: for a pod that does not exist, or that netlab added.
    """
    from netlab.cluster.find import find

    wrong: list[str] = []
    pods: dict[str, Pod] = {}
    for ref in refs:
        try:
            found = find(state.cluster, ref)
        except UsageError as error:
            wrong.append(str(error))
            continue
        if not isinstance(found, Pod):
            wrong.append(f"{ref} is not a pod")
        elif found.system:
            wrong.append(f"pod {found.ref} is netlab's own: it ends with the lab")
        else:
            pods[found.ref] = found
    if wrong:
        raise UsageError(*wrong)
    return _Ending(state).states([*pods])


def stop(state: LabState, node: str) -> list[list[Document]]:
    """Return the documents in which a node is stopped, then those in which controllers have replaced its pods.

    There is no state if the node is stopped already.

    Raises:
      UsageError: for a node that does not exist.
    """
    _check_node(state.cluster, node)
    if node in state.cluster.stopped_nodes:
        return []
    stopped = stopped_nodes.stop(state.documents, node)
    return [stopped, *_replaced(state._replace(documents=stopped), {*state.cluster.stopped_nodes, node})]


def start(state: LabState, node: str) -> list[list[Document]]:
    """Return the documents in which a node has its links, those in which its pods are ready, and those of new pods.

    New pods are in place of those that no other node admitted. No pod moves back. There is no state if the node runs
    already.

    Raises:
      UsageError: for a node that does not exist.
    """
    _check_node(state.cluster, node)
    if node not in state.cluster.stopped_nodes:
        return []
    started = stopped_nodes.start(state.documents, node)
    linked = [stopped_nodes.starting(state.documents, node)] if state.objects.services else []
    return [*linked, started, *_replaced(state._replace(documents=started), state.cluster.stopped_nodes - {node})]


def cut_off(state: LabState, node: str) -> list[list[Document]]:
    """Return the documents in which a node is stopped, for a lab whose control plane replaces pods.

    There is no state if the node is stopped already. Raises UsageError for a node that does not exist.
    """
    _check_node(state.cluster, node)
    if node in state.cluster.stopped_nodes:
        return []
    return [stopped_nodes.stop(state.documents, node, control_plane=True)]


def join_again(state: LabState, node: str) -> list[list[Document]]:
    """Return the documents in which a node runs again, for a lab with a control plane.

    There is no state if the node runs already. Raises UsageError for a node that does not exist.
    """
    _check_node(state.cluster, node)
    return [stopped_nodes.start(state.documents, node)] if node in state.cluster.stopped_nodes else []


def _replaced(state: LabState, stopped: Collection[str]) -> list[list[Document]]:
    """Return the documents in which the pods of stopped nodes are replaced that another node admits, if there are any.

    ``state`` has the documents with these nodes stopped, and the objects and the cluster from before.
    """
    ending = _Ending(state)
    leaving = ending.leaving(stopped)
    # The pods are gone with their nodes, so there is no step without them.
    return ending.states(leaving)[1:] if leaving else []


def _check_node(cluster: Cluster, node: str) -> None:
    known = [one.name for one in cluster.nodes]
    if node not in known:
        raise UsageError(f"no node {node!r} in the lab, which has {', '.join(known)}")


class _Ending:
    """The pods of a lab, to be ended and replaced."""

    def __init__(self, state: LabState) -> None:
        self._state = state
        self._nodes = node_drafts(state.objects)
        self._drafts = {draft.ref: draft for draft in pod_drafts(state.objects, self._nodes)[0]}
        self._documents = {key_of(one): one for one in state.documents if one.kind == "Pod"}
        self._workloads = {f"{one.kind} {one.meta.key}": one for one in state.objects.workloads}

    def states(self, refs: Sequence[str]) -> list[list[Document]]:
        """Return the documents after pods ended, those with their replacements, and those in which these are ready.

        A new pod has its links before it is ready, so no packet to a Service goes to a pod that is not there yet.
        """
        gone, begun, after = (list(self._state.documents) for _ in range(3))
        of_workload: dict[str, list[PodDraft]] = defaultdict(list)
        for ref in refs:
            draft = self._drafts[ref]
            key = Key("v1", "Pod", draft.meta.namespace, draft.meta.name)
            if (written := self._documents.get(key)) is None:
                of_workload[draft.workload].append(draft)
                continue
            gone = self._without_made_pods(_without(gone, key), draft)
            begun, after = _without(begun, key), _without(after, key)
            if draft.meta.owner:
                new = replacement_of(written, draft, {*self._documents})
                begun.append(unready(new))
                after.append(new)
        for name, drafts in of_workload.items():
            workload = self._workloads[name]
            key, of_steps = _key(workload), self._fields_after(workload, [draft.order[3] for draft in drafts])
            gone, begun, after = (
                with_fields(documents, key, fields)
                for documents, fields in zip((gone, begun, after), of_steps, strict=True)
            )
            for draft in drafts:
                labels = Key(NETLAB_VERSION, POD_LABELS, draft.meta.namespace, draft.meta.name)
                gone, begun, after = (_without(documents, labels) for documents in (gone, begun, after))
        steps = [gone, begun, after] if self._state.objects.services else [gone, after]
        return [one for place, one in enumerate(steps) if place + 1 == len(steps) or not _same(one, steps[place + 1])]

    def _without_made_pods(self, documents: list[Document], draft: PodDraft) -> list[Document]:
        """Return the documents; the workload of an exported pod, whose last Pod may be gone, makes no pods itself."""
        workload = self._workloads.get(draft.workload)
        return documents if workload is None else with_fields(documents, _key(workload), {"pods": []})

    def _fields_after(self, workload: Workload, ends: Sequence[str]) -> tuple[dict[str, Any], ...]:
        """Return what is stored about a workload after pods ended, after they were replaced, and then for good."""
        key = _key(workload)
        fields: Mapping[str, Any] = fields_about(self._state.documents, key)
        before = self._ends(workload, fields)
        if keeps_names(workload):
            after = {**fields, "missing": [], "unready": []}
            if "previous" in fields:
                after = with_new_template(workload, after, ends)
            return {**after, "missing": sorted(ends)}, {**after, "unready": sorted(ends)}, after
        after = {**with_ended(fields, [int(end) for end in ends]), "missing": [], "unready": []}
        if "previous" in fields:
            after = with_new_numbers(workload, after, ends)
        new = [end for end in self._ends(workload, after) if end not in before]
        return {**after, "missing": new}, {**after, "unready": new}, after

    def _ends(self, workload: Workload, fields: Mapping[str, Any]) -> list[str]:
        """Return the ends of the names of all pods of a workload, of which something is stored."""
        own = read(workload, fields)
        on = partial(nodes_of, self._nodes)
        return [*ends_of(workload, own, on), *(ends_of_previous(workload, own, on) if own.previous_pods else ())]

    def leaving(self, stopped: Collection[str]) -> list[str]:
        """Return the pods of stopped nodes that controllers replace on other nodes."""
        admitting, ports = AdmittingNodes(self._nodes), HostPorts()
        here: list[PodDraft] = []
        for pod in self._state.cluster.pods:
            draft = self._drafts.get(pod.ref)
            if draft is not None and pod.node in stopped:
                here.append(draft)
            elif draft is not None:
                ports.add(pod.node, draft)
        found: list[str] = []
        for draft in here:
            # Pods of an indexed Job keep their names, so placement moves them.
            if not self._is_replaced_elsewhere(draft) or draft.moves:
                continue
            room = (one for one in admitting.of(draft) if one not in stopped and ports.free(one, draft))
            if (free := next(room, None)) is not None:
                ports.add(free, draft)
                found.append(draft.ref)
        return found

    def _is_replaced_elsewhere(self, draft: PodDraft) -> bool:
        key = Key("v1", "Pod", draft.meta.namespace, draft.meta.name)
        if key in self._documents:
            # On a cluster, the scheduler wrote the nodeName of an exported pod.
            return bool(draft.meta.owner) and not _stays(draft.meta.owner)
        return not _stays(draft.workload) and not draft.spec.node_name


def _stays(owner: str) -> bool:
    """Say whether a pod of an owner (``KIND NAME``) stays on a stopped node."""
    kind = owner.split(" ")[0]
    return kind == OF_STATIC_PODS or template_of(kind).stays


def _key(workload: Workload) -> Key:
    return Key("", workload.kind, workload.meta.namespace, workload.meta.name)


def _same(one: Sequence[Document], other: Sequence[Document]) -> bool:
    return [document.data for document in one] == [document.data for document in other]


def _without(documents: Iterable[Document], key: Key) -> list[Document]:
    return [one for one in documents if key_of(one) != key]
