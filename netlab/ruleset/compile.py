"""Compiles a cluster into the nftables ruleset of each node, at once or from cluster to cluster."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from netlab.cluster.types import Cluster, Pod
from netlab.ruleset import fragments
from netlab.ruleset.cluster_change import ClusterChange, cluster_change
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Elements
from netlab.ruleset.fragment import ElementUpdater, Entry, Fragment, Layout, Port, PortOf, Stores
from netlab.ruleset.nftables import Ruleset, Since
from netlab.ruleset.tables import Table, assembled


def compile_rulesets(cluster: Cluster, ports: Mapping[str, Port] | None = None) -> dict[str, Ruleset]:
    """Return the ruleset of every node by its name, a function of the arguments alone.

    ``ports`` has, by the pod's reference, the node's end of every pod's link, for the anti-spoof tables. Without
    ``ports`` there are no such tables.

    Raises:
      KeyError: if ``ports`` lacks a pod whose attachment needs anti-spoofing.
    """
    return Compiler(None if ports is None else lambda pod: ports[pod.ref]).compile(cluster)


class Compiler:
    """Compiles clusters one after the other, and of each only the difference to the one before.

    ``port_of`` returns the node's end of a pod's link, for the anti-spoof tables. Without it there are no such tables.
    """

    def __init__(self, port_of: PortOf | None = None) -> None:
        self._port_of = port_of
        self._work: _Work | None = None

    def compile(self, cluster: Cluster) -> dict[str, Ruleset]:
        """Return the ruleset of every node by its name.

        Keys and values depend on the cluster alone. The comment of an element may be older: it names the pods and
        policies of the time when the element was added, as the comment in the kernel does.
        """
        layout = Layout.of(cluster, self._port_of)
        # After an error the work is half done, so the next call starts anew.
        work, self._work = self._work if self._work is not None and self._work.layout == layout else None, None
        if work is None or not work.update(cluster):
            work = _Work(layout, fragments.FRAGMENTS)
            work.update(cluster)
        self._work = work
        return work.rulesets()


class _Work:
    """Everything that was compiled from the last cluster, as the start for the next one."""

    def __init__(self, layout: Layout, parts: Sequence[Fragment]) -> None:
        self.layout = layout
        self._fragments = tuple(parts)
        self._cluster: Cluster | None = None
        self._stores = Stores(ElementStore(shared=True), {node.name: ElementStore() for node in layout.nodes})
        for fragment in self._fragments:
            for entry in fragment.everywhere(layout) if fragment.everywhere else ():
                self._stores.everywhere.put(*entry)
            for node in layout.nodes if fragment.of_node else ():
                for entry in fragment.of_node(layout, node) if fragment.of_node else ():
                    self._stores.nodes[node.name].put(*entry)
        self._of_pod = [fragment.of_pod for fragment in self._fragments if fragment.of_pod is not None]
        self._updaters: list[ElementUpdater] = [
            fragment.updater(layout, self._stores) for fragment in self._fragments if fragment.updater is not None
        ]
        self._tables: dict[tuple[Hashable, ...], tuple[Table, ...]] = {}
        self._given: dict[str, Ruleset] = {}

    def update(self, cluster: Cluster) -> bool:
        """Take the next cluster, of the same layout; return False if everything must be compiled anew."""
        first, change = self._cluster is None, cluster_change(self._cluster, cluster)
        self._cluster = cluster
        self._update_pods(change)
        return all(updater.update(change) or first for updater in self._updaters)

    def rulesets(self) -> dict[str, Ruleset]:
        """Return the ruleset of every node by its name; a node without changes has the same object as before."""
        filled: set[str] = set()
        for of in (self._stores.everywhere, *self._stores.nodes.values()):
            filled.update(of.filled())
        tables = self._declared(filled)
        everywhere, touched = self._stores.everywhere.read()
        for name, of in self._stores.nodes.items():
            before, notes = self._given.get(name), self._notes(name)
            found, changed = of.read()
            if before is None or before.tables is not tables or changed or touched or before.notes != notes:
                elements, keys = everywhere | found, {**touched, **changed}
                if not everywhere.keys().isdisjoint(found):
                    for both in everywhere.keys() & found.keys():
                        elements[both] = Elements({**everywhere[both], **found[both]})
                        keys[both] = {**touched.get(both, {}), **changed.get(both, {})}
                declared = {s.name: elements[s.name] for table in tables for s in table.sets if elements.get(s.name)}
                since = Since(weakref.ref(before), keys) if before is not None and before.tables is tables else None
                self._given[name] = Ruleset(self.layout.lab, name, tables, declared, notes, since)
        return dict(self._given)

    def _declared(self, filled: AbstractSet[str]) -> tuple[Table, ...]:
        variants = tuple(fragment.variant(self.layout, filled) for fragment in self._fragments)
        if variants not in self._tables:
            self._tables[variants] = assembled(
                (fragment.table, fragment.declare(self.layout, variant))
                for fragment, variant in zip(self._fragments, variants, strict=True)
                if variant is not None
            )
        return self._tables[variants]

    def _notes(self, node: str) -> Mapping[str, tuple[str, ...]]:
        if len(self._updaters) == 1:
            return self._updaters[0].notes(node)
        notes: dict[str, tuple[str, ...]] = {}
        for updater in self._updaters:
            for name, lines in updater.notes(node).items():
                notes[name] = (*notes.get(name, ()), *lines)
        return notes

    def _update_pods(self, change: ClusterChange) -> None:
        """Replace the elements that fragments make for each pod alone (``of_pod``)."""
        removed, added = ({pod.ref: pod for pod in pods} for pods in (change.pods.removed, change.pods.added))
        put: list[tuple[str, Entry]] = []
        for ref in dict.fromkeys(chain(removed, added)):
            (old_node, old), (new_node, new) = self._entries(removed.get(ref)), self._entries(added.get(ref))
            if old_node == new_node and old == new:
                continue
            for entry in old:
                self._stores.nodes[old_node].remove(entry.set, entry.key)
            put += ((new_node, entry) for entry in new)
        # After all that is removed: another pod may have had the address.
        for node, entry in put:
            self._stores.nodes[node].put(*entry)

    def _entries(self, pod: Pod | None) -> tuple[str, list[Entry]]:
        if pod is None:
            return "", []
        return pod.node, [entry for of_pod in self._of_pod for entry in of_pod(self.layout, pod)]
