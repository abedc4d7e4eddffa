"""Permanent neighbour entries between the ends of probes, so that no probe waits for ARP or neighbour discovery.

All network namespaces share one kernel table, which holds 1,024 entries that are not permanent
(net.ipv4.neigh.default.gc_thresh3, writable in the host's namespace only). Probing all pairs of 100 pods would overflow
it, for the host too.

A MAC follows from its machine's first address. So an entry for a first address stays right, whichever machine has the
address later, and it stays. An entry for another address (the IPv6 address of a dual-stack pod) may be wrong later, and
is deleted at the end of the run. Where no machine has the MAC, the frame is sent and no machine receives it.
"""

from __future__ import annotations

import contextlib
import errno
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property

from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod
from netlab.dataplane import names
from netlab.dataplane.stopped import namespaces_off
from netlab.dataplane.wanted import wanted
from netlab.errors import KernelError, NotFound
from netlab.frozen import NamedTuple
from netlab.kernel import neighbours, rtnl
from netlab.kernel.machine import Inside
from netlab.kernel.neighbours import Key
from netlab.kernel.state import Neighbour
from netlab.objects.types import Prefix
from netlab.probe.probes import End

# A run with more entries deletes them after every block: 65,536 entries take some 30 MB of kernel memory.
KEEP = 1 << 16

# By device and address: the attributes of a request.
Entries = dict[Key, bytes]


class _OnLink(NamedTuple):
    """A pod network that a namespace reaches without a router: by which device, and the network's prefixes there."""

    namespace: str
    device: str
    prefixes: tuple[Prefix, ...]


class Neighbours:
    """The entries that one run adds; ``failures`` has, by namespace, why the kernel refused one there.

    Entries are added in namespaces for which ``here`` returns true only, by default in all.
    """

    def __init__(self, cluster: Cluster, lab: str, inside: Inside, here: Callable[[str], bool] | None = None) -> None:
        self._here = here
        self._inside = inside
        self._cluster = cluster
        self._lab = lab
        self._nodes = {node.name: node for node in cluster.nodes}
        self._macs: dict[int, bytes] = {}
        self._added: dict[str, Entries] = defaultdict(dict)
        # Addresses that are not the first one of their machine.
        self._other_addresses: set[bytes] = set()
        self._new: dict[str, Entries] = {}
        # Pods at one site need the same entry for an end. It is decided once for each site and end; None is no entry.
        self._needs: dict[int, dict[End, tuple[Key, bytes] | None]] = defaultdict(dict)
        # The tables stay open: a large run comes to a namespace again with each block, for a few entries each time.
        # Where the process has too few open files, one table at a time is open.
        self._tables: dict[str, neighbours.Table] = {}
        self._keeps_tables = True
        self.failures: dict[str, str] = {}
        # Namespaces without links.
        self._off = namespaces_off(cluster, lab)

    def add(self, pairs: Iterable[tuple[End, End]]) -> None:
        """Add the entries that packets between the ends of each pair need, in both directions."""
        self._new = defaultdict(dict)
        others: dict[End, dict[End, None]] = defaultdict(dict)
        last: End | None = None
        for source, destination in pairs:
            # Most pairs have the source of the pair before.
            if source is not last:
                last, sockets, found = source, source.sockets, others[source]
            if sockets is not destination.sockets:
                found[destination] = None
                others[destination][source] = None
        for end, found in others.items():
            if self._here is None or self._here(end.sockets.namespace):
                self._note(end, found)
        self._add_new()

    def add_relays(self, relays: Iterable[tuple[End, End, End]]) -> None:
        """Add the entries by which a sender's packets to an address go to a node: (sender, node, whose address)."""
        self._new = defaultdict(dict)
        for sender, node, destination in relays:
            namespace, device = self._underlay_device(sender.endpoint)
            address = destination.wire.packed
            self._entry(namespace, (device, address), self._packed(node.endpoint, address))
        self._add_new()

    @property
    def many(self) -> bool:
        """Whether this run's entries are more than ``KEEP``, so that they should be removed."""
        return sum(map(len, self._added.values())) > KEEP

    def remove(self) -> None:
        """Delete this run's entries; no probe may be under way."""
        for namespace, entries in self._added.items():
            self._delete(namespace, entries)
        self._added.clear()
        self._needs.clear()

    def close(self) -> None:
        """Delete the entries that may be wrong after a change of the lab."""
        for namespace, entries in self._added.items():
            with contextlib.suppress(NotFound):
                others = {key: packed for key, packed in entries.items() if key[1] in self._other_addresses}
                self._delete(namespace, others)
        self._added.clear()
        self._close_tables()

    def _add_new(self) -> None:
        for namespace, entries in self._new.items():
            if self._here is not None and not self._here(namespace):
                continue
            self._apply(namespace, entries)
            self._added[namespace].update(entries)

    def _note(self, here: End, others: Iterable[End]) -> None:
        """Note the entries that ``here``, or the node that routes for it, needs to reach other ends."""
        needs, namespace = self._needs[here.site], here.sockets.namespace
        added, new = self._added[namespace], {}
        for there in others:
            if there not in needs:
                needs[there] = self._decide(here, there)
            need = needs[there]
            # Many entries are there already, as they serve both directions.
            if need is not None and need[0] not in added:
                new[need[0]] = need[1]
        if new and namespace not in self._off:
            self._new[namespace].update(new)
        pod = here.endpoint
        if isinstance(pod, Pod) and pod.traits.wiring.default_route == "device" and pod.selectable:
            for there in others:
                self._note_proxied(here, pod, there)

    def _note_proxied(self, here: End, pod: Pod, there: End) -> None:
        """Note the entry of a pod whose node answers ARP for every address: it has the MAC of the node's link."""
        if there.address.version == 4 and not pod.traits.attachment.bridged:
            address = there.wire.packed
            packed = neighbours.entry(address, rtnl.mac_bytes(names.mac_of_port(pod)))
            self._entry(here.sockets.namespace, (names.POD_DEVICE, address), packed)

    def _entry(self, namespace: str, key: Key, packed: bytes) -> None:
        if key not in self._added[namespace] and namespace not in self._off:
            self._new[namespace][key] = packed

    def _decide(self, here: End, there: End) -> tuple[Key, bytes] | None:
        """Return the entry that each pod at the site of ``here`` needs in its own namespace, None where it needs none.

        An entry of another namespace, of the node or the underlay, is noted at once: it serves the whole site.
        """
        pod, machine = there.endpoint, self._machine(here.endpoint)
        if _by_plugins(here.endpoint) or _by_plugins(pod):
            # Their MACs are the plugins', so ARP and neighbour discovery find them. Those of machines are known.
            other = self._machine(pod)
            if other is not machine:
                self._note_underlay(machine, other)
                self._note_underlay(other, machine)
            return None
        if _on_underlay(here.endpoint) or _on_underlay(pod):
            namespace, device = self._underlay_device(here.endpoint)
            return self._placed(here, namespace, (device, there.wire.packed), self._packed(pod, there.wire.packed))
        if not isinstance(pod, Pod) or pod.host_network:
            other = self._machine(pod)
            if other is not machine:
                self._note_underlay(machine, other)
                self._note_underlay(other, machine)
            return None
        link = self._on_link(here.endpoint, machine, pod.network)
        wired = pod.node == machine.name or pod.traits.transport.one_link
        if link is None or (link.device != names.POD_DEVICE and wired):
            return None  # the wiring has a node's entries for the pods on its bridge
        if not any(there.address in prefix for prefix in link.prefixes):
            return None
        key = link.device, there.wire.packed
        return self._placed(here, link.namespace, key, self._packed(pod, there.wire.packed))

    def _placed(self, here: End, namespace: str, key: Key, packed: bytes) -> tuple[Key, bytes] | None:
        """Return the entry if it is of the namespace of ``here``; else note it."""
        if namespace == here.sockets.namespace:
            return key, packed
        self._entry(namespace, key, packed)
        return None

    def _on_link(self, here: Endpoint, machine: Node | Host, network: str) -> _OnLink | None:
        """Return how an endpoint reaches a pod network without a router, None where it does not."""
        if isinstance(machine, Host):
            return None
        if not self._cluster.network(network).traits.attachment.bridged:
            return None  # such a pod has a link to its node only
        one_link = self._cluster.network(network).traits.transport.one_link
        prefixes = self._cluster.network(network).pod_cidrs if one_link else machine.pod_cidrs.get(network, ())
        if isinstance(here, Pod) and not here.host_network:
            namespace, device = names.pod_namespace(self._lab, here), names.POD_DEVICE
            return _OnLink(namespace, device, prefixes) if here.network == network else None
        bridge = names.bridge_name(self._cluster.network(network))
        return _OnLink(names.node_namespace(self._lab, machine.name), bridge, prefixes)

    def _underlay_device(self, endpoint: Endpoint) -> tuple[str, str]:
        """Return the namespace and device by which an endpoint's packets enter the underlay."""
        if _on_underlay(endpoint):
            return names.endpoint_namespace(self._lab, endpoint), names.POD_DEVICE
        return names.endpoint_namespace(self._lab, self._machine(endpoint)), names.UNDERLAY_DEVICE

    def _machine(self, endpoint: Endpoint) -> Node | Host:
        return self._nodes[endpoint.node] if isinstance(endpoint, Pod) else endpoint

    def _packed(self, endpoint: Endpoint, address: bytes) -> bytes:
        """Return an entry's attributes: an address, and the MAC that follows from the endpoint's first address."""
        if address != endpoint.addresses[0].packed:
            self._other_addresses.add(address)
        mac = self._macs.get(id(endpoint))
        if mac is None:
            mac = self._macs[id(endpoint)] = rtnl.mac_bytes(names.mac_of(endpoint.addresses[0]))
        return neighbours.entry(address, mac)

    def _note_underlay(self, machine: Node | Host, other: Node | Host) -> None:
        namespace = names.endpoint_namespace(self._lab, machine)
        for address in other.addresses:
            self._entry(namespace, (names.UNDERLAY_DEVICE, address.packed), self._packed(other, address.packed))

    def _delete(self, namespace: str, entries: Entries) -> None:
        """Delete entries, except those of the wiring."""
        # Nearly all runs delete nothing. The wiring would be planned anew to ask for its entries.
        if not entries:
            return
        own = self._wired.get(namespace, frozenset())
        if taken := {key: packed for key, packed in entries.items() if key not in own}:
            self._apply(namespace, taken, delete=True)

    @cached_property
    def _wired(self) -> dict[str, frozenset[Key]]:
        spaces = wanted(replace(self._cluster, name=self._lab))
        return {
            name: frozenset((i.dev, i.address.packed) for i in space.items if isinstance(i, Neighbour))
            for name, space in spaces.items()
        }

    def _apply(self, namespace: str, entries: Entries, *, delete: bool = False) -> None:
        try:
            table = self._table(namespace)
        except (OSError, KernelError) as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._tables:
                raise
            self._keeps_tables = False
            self._close_tables()
            table = self._table(namespace)
        refused = table.change(entries, delete=delete)
        if not self._keeps_tables:
            self._close_tables()
        if refused and not delete:
            self.failures[namespace] = refused

    def _table(self, namespace: str) -> neighbours.Table:
        table = self._tables.get(namespace)
        if table is None:
            with self._inside(namespace):
                table = self._tables[namespace] = neighbours.Table()
        return table

    def _close_tables(self) -> None:
        while self._tables:
            self._tables.popitem()[1].close()


def _on_underlay(endpoint: Endpoint) -> bool:
    return isinstance(endpoint, Pod) and endpoint.traits.attachment.on_underlay


def _by_plugins(endpoint: Endpoint) -> bool:
    return isinstance(endpoint, Pod) and endpoint.traits.attachment.by_plugins
