"""What commands change in a lab: its objects, its links, its nodes and its pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from netlab.cluster import Cluster
from netlab.cluster.find import pod_of
from netlab.lab.outcome import Changes
from netlab.lab.state import described
from netlab.lab.steps import Steps
from netlab.objects import Document
from netlab.objects import apply as apply_documents
from netlab.objects import delete as delete_documents
from netlab.objects import relabel as relabel_documents
from netlab.objects.scenarios import LabelChange, ObjectRef


class Changing(Steps):
    """The methods of ``Lab`` that change what a lab is, or that return what it would be."""

    def apply(self, documents: Sequence[Document]) -> Changes:
        """Add or replace objects; all or nothing, in force on return."""
        return self.edit(lambda now: apply_documents(now, documents))

    def delete(self, refs: Sequence[ObjectRef]) -> Changes:
        """Remove objects; all or nothing, in force on return; raises UsageError for an object that does not exist."""
        return self.edit(lambda now: delete_documents(now, refs))

    def label(self, relabelled: Sequence[LabelChange]) -> Changes:
        """Change labels of pods and namespaces; all or nothing, in force on return."""

        def relabel(now: Sequence[Document]) -> Sequence[Document]:
            for change in relabelled:
                now = relabel_documents(now, change, lambda ref: pod_of(self._lab.cluster, ref))
            return now

        return self.edit(relabel)

    def impair(self, between: Sequence[str], values: Mapping[str, str]) -> Changes:
        """Delay, lose or limit packets between two machines, or those of one; in force on return.

        Args:
          between: the names of the two machines, or of one machine or pod, as in ``spec.links`` of a Topology.
          values: what to do by the names of the fields of a link (``delay``: ``20ms``); empty ends what is done.

        Raises:
          UsageError: for an unknown name, or when nothing is done to the link that ``values`` ends.
          InputError: for values that are not valid, or that do not go together with other links.
        """
        from netlab.lab import impairments

        return impairments.impair(self._lab, between, values)

    def clear_links(self) -> Changes:
        """End all that is done to packets on links of the lab; in force on return."""
        from netlab.lab import impairments

        return impairments.clear(self._lab)

    def stop_node(self, node: str) -> Changes:
        """Cut a node and its pods off, and replace its pods on other nodes; in force on return.

        First the links are cut and endpoints leave their Services, then pods are replaced as their controllers would.
        In a lab with a control plane the links are cut, and the real controllers notice and do the rest.

        Raises:
          UsageError: for a node that does not exist.
        """
        from netlab.lab import failures

        return failures.stop_node(self._lab, node)

    def start_node(self, node: str) -> Changes:
        """Bring a stopped node back; in force on return. Pods that were replaced do not move back.

        Raises:
          UsageError: for a node that does not exist.
        """
        from netlab.lab import failures

        return failures.start_node(self._lab, node)

    def kill(self, refs: Sequence[str]) -> Changes:
        """End pods, by names as for ``find``, and then replace them as their controllers would; in force on return.

        Raises:
          UsageError: for a pod that does not exist, or that netlab added; and in a lab with a control plane.
          InputError: before the first step, if the pods in their place do not go together with the lab.
        """
        from netlab.lab import failures

        return failures.kill(self._lab, refs)

    def rollout(self, documents: Sequence[Document]) -> Changes:
        """Add or replace objects; pods of workloads with another template are replaced step by step.

        Each step is in force before the next one begins. If one fails, it is undone, and the steps before it stay. A
        second call goes on.

        Raises:
          InputError: before the first step, if the objects do not go together.
        """
        from netlab.lab import failures

        return failures.rollout(self._lab, documents)

    def add_system(self) -> None:
        """Give the lab its system objects if it has none, as the first program of a lab does; in force on return."""
        from netlab.objects.system_objects import system_document

        with self.held():
            missing = not self._has_system
        if missing:
            self.apply([system_document()])

    @property
    def _has_system(self) -> bool:
        from netlab.objects.system_objects import SYSTEM_OBJECTS

        asked = any(document.kind == SYSTEM_OBJECTS for document in self._lab.documents)
        return asked or any(one.system for one in self._lab.cluster.services)

    def cluster_with_system(self) -> Cluster:
        """Return the cluster that ``add_system`` would make; the lab stays as it is."""
        from netlab.objects.system_objects import system_document

        if self._has_system:
            return self._lab.cluster
        record = self._now.record
        return described(replace(record, documents=(*record.documents, system_document())))[1]

    def cluster_as(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, system: bool = False) -> Cluster:
        """Return the cluster that the lab would be with other documents; the lab stays as it is.

        Running pods keep node and addresses where they can. With ``system`` it has system objects. Raises InputError.
        """
        from netlab.objects.system_objects import system_document

        documents = [*edit(self._lab.documents), *([system_document()] if system else [])]
        return self._now.state.after(documents).cluster
