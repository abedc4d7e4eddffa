"""What a mirror tells its user while it follows; each thing once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from netlab.cluster import Cluster
from netlab.errors import Problem
from netlab.objects.decoders import object_of
from netlab.objects.types import Document, Pod
from netlab.quantity import few

if TYPE_CHECKING:
    from netlab.cluster import Pod as ClusterPod
    from netlab.lab.outcome import Changes

MOST_NAMED = 5


class Output(Protocol):
    """What a mirror tells its user."""

    def line(self, text: str) -> None:
        """Take a line about the cluster or the lab."""

    def changes(self, lab: str, changes: Changes) -> None:
        """Take a change that is in force."""


class Messages:
    """The messages of a mirror, for an output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said: set[str] = set()
        self._moved: tuple[str, ...] = ()
        self._pods: tuple[ClusterPod, ...] = ()

    def line(self, text: str) -> None:
        """Say a line."""
        self._output.line(text)

    def once(self, text: str) -> None:
        """Say a line that was not said since the last change."""
        if text not in self._said:
            self._said.add(text)
            self._output.line(text)

    def known(self, problems: Iterable[Problem]) -> None:
        """Take problems that the user knows."""
        self._said = {str(one) for one in problems}

    def problems(self, problems: Iterable[Problem]) -> None:
        """Say the problems that were not there at the last change."""
        now = {str(one) for one in problems}
        for text in sorted(now - self._said):
            self._output.line(f"Warning: {text}")
        self._said = now

    def unread(self, cluster: Cluster, before: Collection[tuple[str, str]]) -> None:
        """Say which policies came that netlab does not read; ``before`` has kinds and names."""
        new = [one for one in cluster.unread if (one.kind, one.meta.key) not in before]
        if new:
            from netlab.objects.unread import warning

            for policy in new[:MOST_NAMED]:
                self._output.line(f"Warning: {warning(policy)}")

    def moved(self, cluster: Cluster, documents: Iterable[Document]) -> None:
        """Say which pods have other addresses in the lab than in the cluster, if others have than before."""
        if cluster.pods is self._pods:
            return
        self._pods, moved = cluster.pods, tuple(_moved(cluster, documents))
        if moved == self._moved:
            return
        before, self._moved = self._moved, moved
        if moved:
            self._output.line(f"other addresses in the lab than in the cluster: {few(moved, MOST_NAMED)}")
        elif before:
            self._output.line("all pods have the addresses of the cluster again")


def _moved(cluster: Cluster, documents: Iterable[Document]) -> Iterator[str]:
    """Yield each pod whose addresses in the lab are not those of the cluster."""
    pods = (object_of(one) for one in documents if one.kind == "Pod")
    stated = {pod.meta.key: pod.addresses for pod in pods if type(pod) is Pod and pod.addresses}
    for pod in cluster.pods:
        old = stated.get(pod.ref, ())
        if not pod.host_network and any(address not in pod.addresses for address in old):
            texts = [" ".join(map(str, of)) for of in (old, pod.addresses)]
            yield f"{pod.ref} ({texts[0]} is {texts[1]})"


def first_of_each(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a line for each message, with the number of further objects that have it."""
    found: dict[str, list[Problem]] = {}
    for one in problems:
        found.setdefault(one.message, []).append(one)
    for first, *more in found.values():
        yield f"{first}{f' (and {len(more)} more)' if more else ''}"
