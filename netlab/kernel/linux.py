"""The default kernel of this host: its links by netlink, many requests in one datagram."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from netlab.errors import KernelError
from netlab.kernel import netns, rtnl, sysctl
from netlab.kernel.host import Host
from netlab.kernel.netlink import Message, Netlink
from netlab.kernel.state import (
    Change,
    ForwardingEntry,
    InterfaceAddress,
    Item,
    Link,
    Namespace,
    Neighbour,
    Queue,
    Route,
    Sysctl,
    fallback_name,
    has_prefix,
    is_fallback,
)

_READY_SECONDS = 5.0
# Where modules of tunnels are loaded, the kernel puts links into each new namespace (tunl0, gre0, gretap0, erspan0,
# sit0, ip6tnl0, ip_vti0, ...), with indexes from 2 on. A request for an index that is taken fails with EEXIST.
_FIRST_INDEX = 32
# The kernel's link watch announces a veth whose two ends have the same index at most once a second
# (linkwatch_urgent_event, net/core/link_watch.c). Until then its bridge port does not forward.
_FIRST_PORT_INDEX = 100
# How often, and after how many seconds, a request is made again that needs an address of a link that is going away.
_BUSY_TRIES, _BUSY_PAUSE = 50, 0.02
# A bridge takes the least MTU of its ports, and this one when its last port goes, unless its MTU was changed after it
# was made (br_mtu_auto_adjust, net/bridge/br_if.c).
_ETHERNET_MTU = 1500


@dataclass
class _Handle:
    """An open namespace: its netlink socket, its file descriptor, and the indexes of its links by name.

    ``routeless`` are the addresses without the route that the kernel makes of their prefix, when they were last read.
    ``overrides`` are the settings of each link that differed from its namespace's then.
    """

    netlink: Netlink
    fd: int
    indexes: dict[str, int] = field(default_factory=lambda: {"lo": 1})
    routeless: set[InterfaceAddress] = field(default_factory=set)
    overrides: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def next_index(self, first: int = _FIRST_INDEX, taken: Collection[int] = ()) -> int:
        """Return a free index from ``first`` on that is none of those ``taken`` elsewhere."""
        index = max(first, *(i + 1 for i in self.indexes.values()))
        while index in taken:
            index += 1
        return index

    def close(self) -> None:
        self.netlink.close()
        os.close(self.fd)


class Linux(Host):
    """This host, by a netlink socket for each namespace. Only ``nft`` may be called by several threads at once."""

    def __init__(self) -> None:
        self._handles: dict[str, _Handle] = {}
        self._settings = sysctl.Tree()

    def _made(self, name: str) -> None:
        self._handles[name] = self._open()

    def _forget(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.close()

    def close(self) -> None:
        super().close()
        self._settings.close()
        while self._handles:
            self._handles.popitem()[1].close()

    def read(self, name: str, sysctls: Iterable[str] = (), *, with_queues: bool = False) -> Namespace:
        netlink = self._handle(name).netlink
        links = rtnl.read_links(netlink)
        names = {link.index: link.link.name for link in links}
        self._handle(name).indexes = {name: index for index, name in names.items()}
        items: list[Item] = []
        routes, connected = rtnl.read_routes(netlink, names)
        addresses = rtnl.read_addresses(netlink, names)
        routeless = {a for a in addresses if has_prefix(a) and (a.interface.network, a.dev) not in connected}
        self._handle(name).routeless = routeless
        items += [address for address in addresses if address not in routeless]
        # An address without the route of its prefix is deleted and added again. The kernel then drops the routes that
        # depend on it, and with a device's last address its neighbours. So these are read as missing.
        items += [] if routeless else routes
        items += [] if routeless else rtnl.read_neighbours(netlink, names)
        if with_queues:
            # Imported here and below, as most labs have no queues.
            from netlab.kernel import queues

            items += queues.read_queues(netlink, names)
        with netns.inside(name):
            values = {setting: self._settings.read(setting) for setting in sysctls}
        items += [Sysctl(setting, value) for setting, value in values.items() if value is not None]
        overrides = {link.link.name: sysctl.overrides(link.settings(), values) for link in links}
        self._handle(name).overrides = overrides
        items += [replace(link.link, overrides=overrides[link.link.name]) for link in links]
        return Namespace(name, frozenset(items))

    def apply(self, changes: Sequence[Change]) -> None:
        failures: list[KernelError] = []
        by_namespace: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            by_namespace[change.namespace].append(change)
        for name, wanted in by_namespace.items():
            failures += self._delete(name, [c.item for c in wanted if c.verb == "delete"])
        for name, wanted in by_namespace.items():
            self._set(
                name, [c.item for c in wanted if c.verb == "add" and isinstance(c.item, Sysctl) and not c.item.link]
            )
        peers = {
            (c.namespace, c.item.name): c.item
            for c in changes
            if c.verb == "add" and isinstance(c.item, Link) and c.item.peer is not None and not c.item.owner
        }
        made: set[tuple[str, str]] = set()
        for name, wanted in by_namespace.items():
            added = [c.item for c in wanted if c.verb == "add" and isinstance(c.item, Link)]
            links = [link for link in added if link.parent is None and link.kind != "loopback"]
            failures += self._add_links(name, [link for link in links if not link.outer], peers, made)
            for link in links:
                failures += self._add_outer(name, link) if link.outer else []
        failures += self._add_children(changes, made)
        for name, wanted in by_namespace.items():
            self._reset_overrides(name, wanted)
            self._set(name, [c.item for c in wanted if c.verb == "add" and isinstance(c.item, Sysctl) and c.item.link])
            failures += self._add_rest(name, made, [c.item for c in wanted if c.verb == "add"])
            failures += self._add_queues(
                name, [c.item for c in wanted if c.verb == "add" and isinstance(c.item, Queue)]
            )
        if failures:
            raise failures[0]

    def wait_until_ready(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        for name in names:
            pause = 0.0005
            while True:
                links = rtnl.read_links(self._handle(name).netlink)
                waiting = [r.link.name for r in links if r.link.up and not r.ready]
                if not waiting:
                    break
                if time.monotonic() > deadline:
                    raise KernelError(f"{name}: waiting for links", 0, f"{', '.join(waiting)} never carried traffic")
                time.sleep(pause)
                pause = min(pause * 2, 0.05)

    # --- one namespace ------------------------------------------------------------------------------------------

    def _open(self) -> _Handle:
        if not self._handles:
            # A thousand pods need two descriptors each; the soft limit is 1,024 on most systems.
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return _Handle(Netlink(), os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    def _handle(self, name: str) -> _Handle:
        handle = self._handles.get(name)
        if handle is None:
            with netns.inside(name):
                handle = self._open()
            handle.indexes = {r.link.name: r.index for r in rtnl.read_links(handle.netlink)}
            self._handles[name] = handle
        return handle

    @contextlib.contextmanager
    def _run(self, name: str, failures: list[KernelError], *, ignore: Sequence[int] = ()) -> Iterator[list[Message]]:
        messages: list[Message] = []
        yield messages
        if not messages:
            return
        netlink = self._handle(name).netlink
        failed = netlink.transact(messages, ignore=ignore)
        for _ in range(_BUSY_TRIES):
            # The macvlan of a removed pod keeps its MAC until a capture has closed its socket in the pod's namespace.
            busy = [message for message, error in failed if error.errno == errno.EADDRINUSE]
            if not busy:
                break
            time.sleep(_BUSY_PAUSE)
            failed = [one for one in failed if one[0] not in busy] + netlink.transact(busy, ignore=ignore)
        for message, error in failed:
            failures.append(KernelError.of(f"{name}: {message.label}", error.errno, str(error).split(": ", 1)[-1]))

    def _delete(self, name: str, items: Sequence[Item]) -> list[KernelError]:
        failures: list[KernelError] = []
        if not items:
            return failures
        handle = self._handle(name)
        links = {i.name: handle.indexes[i.name] for i in items if isinstance(i, Link) and i.name in handle.indexes}
        # ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL: the item went with its link or with the namespace of its peer.
        with self._run(name, failures, ignore=(2, 3, 19, 99)) as messages:
            for item in items:
                if not isinstance(item, (Link, Sysctl)) and item.dev in handle.indexes:
                    messages.append(_message(item, handle.indexes[item.dev], delete=True))
            if links:
                # Deleting one link waits for grace periods, some 20 ms; deleting a group waits once. A random number
                # keeps apart the groups of other programs and of killed commands.
                group = int.from_bytes(os.urandom(4)) | 1
                messages += [rtnl.group_link(link, index, group) for link, index in links.items()]
                messages.append(rtnl.delete_group(group))
        for link in links:
            del handle.indexes[link]
        return failures

    def _add_links(
        self, name: str, links: Sequence[Link], peers: dict[tuple[str, str], Link], made: set[tuple[str, str]]
    ) -> list[KernelError]:
        failures: list[KernelError] = []
        if not links:
            return failures
        handle = self._handle(name)
        present = self._present(name, [link for link in links if (name, link.name) not in made])
        with self._run(name, failures) as messages:
            messages += self._fallbacks(name, links)
            for link in sorted(links, key=lambda item: (bool(item.master), item.kind == "veth")):
                if (name, link.name) in made:
                    continue  # made with its other end; _add_rest raises it
                if link.name in handle.indexes:
                    mac = present.get(link.name, link).mac
                    messages.append(rtnl.set_link(link, handle.indexes[link.name], handle.indexes, mac))
                    if link.master:
                        messages.append(rtnl.set_hairpin(link, handle.indexes[link.name]))
                elif link.peer is None:
                    index = handle.indexes[link.name] = handle.next_index()
                    again = link.kind == "bridge" and link.mtu != _ETHERNET_MTU
                    first = replace(link, mtu=_ETHERNET_MTU) if again else link
                    messages.append(rtnl.new_link(first, index, handle.indexes))
                    if again:
                        messages.append(rtnl.set_link(link, index, handle.indexes, link.mac))
                elif link.owner:
                    other = self._handle(link.peer[0])
                    index = handle.indexes[link.name] = handle.next_index(_FIRST_PORT_INDEX)
                    other_index = other.indexes[link.peer[1]] = other.next_index(taken=(index,))
                    peer = (peers[link.peer], other_index, other.fd)
                    made.add(link.peer)
                    messages.append(rtnl.new_link(link, index, handle.indexes, peer))
                    if link.hairpin:
                        messages.append(rtnl.set_hairpin(link, index))
        return failures

    def _present(self, name: str, links: Sequence[Link]) -> dict[str, Link]:
        """Return the links of a namespace by name, read anew if some of ``links`` seem to exist.

        A deleted link took along its other end and the links on it, in every namespace.
        """
        handle = self._handle(name)
        if not any(link.name in handle.indexes for link in links):
            return {}
        found = rtnl.read_links(handle.netlink)
        handle.indexes = {one.link.name: one.index for one in found}
        return {one.link.name: one.link for one in found}

    def _fallbacks(self, name: str, links: Sequence[Link]) -> list[Message]:
        """Return the requests that rename the kernel's own ipip device where a link is to have its name.

        Every namespace has this device, tunl0, while the module is loaded (net.core.fb_tunnels_only_for_init_net = 0).
        It can be neither deleted nor made the tunnel of one address (ipip_changelink, net/ipv4/ipip.c).
        """
        wanted = {link.name for link in links if link.kind == "ipip"}
        if not wanted:
            return []
        found = rtnl.read_links(self._handle(name).netlink)
        renamed = [r for r in found if r.link.name in wanted and is_fallback(r.link)]
        for one in renamed:
            self._handle(name).indexes.pop(one.link.name, None)
        return [rtnl.rename_link(r.link.name, r.index, fallback_name(r.link.name)) for r in renamed]

    def _add_children(self, changes: Sequence[Change], made: set[tuple[str, str]]) -> list[KernelError]:
        """Make the links with a parent, when the parent is up; the request goes to the parent's namespace."""
        failures: list[KernelError] = []
        children: dict[tuple[str, str], list[tuple[str, Link]]] = defaultdict(list)
        for change in changes:
            if change.verb == "add" and isinstance(change.item, Link) and change.item.parent is not None:
                children[change.item.parent].append((change.namespace, change.item))
        for (place, below), links in children.items():
            parent = self._handle(place)
            with self._run(place, failures) as messages:
                if (place, below) in made:
                    messages.append(rtnl.raise_link(Link(below, "veth"), parent.indexes[below]))
                for name, link in links:
                    own = self._handle(name)
                    present = self._present(name, [link])
                    if link.name in own.indexes:
                        with self._run(name, failures) as settings:
                            mac = present[link.name].mac
                            settings.append(rtnl.set_link(link, own.indexes[link.name], own.indexes, mac))
                        continue
                    # Kernels before 6.13 look the index up in the parent's namespace, and say EEXIST.
                    index = own.next_index(_FIRST_PORT_INDEX, parent.indexes.values())
                    own.indexes[link.name] = index
                    on = (parent.indexes[below], own.fd)
                    messages.append(rtnl.new_link(link, index, own.indexes, parent=on))
        return failures

    def _add_outer(self, name: str, link: Link) -> list[KernelError]:
        """Make a link whose packets leave by the namespace of this process.

        The request goes to a socket there, and names the link's namespace. So the kernel makes the device in its place,
        and this process's namespace never has it (vxlan_newlink, drivers/net/vxlan/vxlan_core.c).
        """
        handle, failures = self._handle(name), list[KernelError]()
        present = self._present(name, [link])
        if link.name in handle.indexes:
            with self._run(name, failures) as messages:
                mac = present[link.name].mac
                messages.append(rtnl.set_link(link, handle.indexes[link.name], handle.indexes, mac))
            return failures
        home = Netlink()
        try:
            # The kernel looks the index up in the namespace of the request too.
            taken = {index for index, _ in socket.if_nameindex()}
            index = handle.indexes[link.name] = handle.next_index(_FIRST_PORT_INDEX, taken)
            master = rtnl.set_link(link, index, handle.indexes, link.mac)
            made = rtnl.new_link(replace(link, master="", up=False), index, {}, parent=(0, handle.fd))
            # A device of a lab that was removed may exist for a moment.
            for _ in range(_BUSY_TRIES):
                failed = home.transact([made])
                if not failed or failed[0][1].errno != errno.EEXIST:
                    break
                time.sleep(_BUSY_PAUSE)
        finally:
            home.close()
        if failed:
            error = failed[0][1]
            return [KernelError.of(f"{name}: link add {link.name}", error.errno, str(error).split(": ", 1)[-1])]
        with self._run(name, failures) as messages:
            messages.append(master)
        return failures

    def _set(self, name: str, settings: Sequence[Sysctl]) -> None:
        if settings:
            with netns.inside(name):
                for setting in settings:
                    self._settings.write(setting.name, setting.value)

    def _reset_overrides(self, name: str, changes: Sequence[Change]) -> None:
        """Give the overridden settings of links the values of their namespace."""
        known = self._handle(name).overrides
        if not any(known.values()):
            return
        links = [c.item.name for c in changes if c.verb == "add" and isinstance(c.item, Link)]
        with netns.inside(name):
            for link in links:
                for path in known.pop(link, ()):
                    self._settings.write(path.format(link), self._settings.read(path.format("all")) or "0")

    def _add_rest(self, name: str, made: set[tuple[str, str]], items: Sequence[Item]) -> list[KernelError]:
        """Raise the loopback and the links that were made with their other ends, and add what is on links."""
        failures: list[KernelError] = []
        handle = self._handle(name)
        links = [i for i in items if isinstance(i, Link) and (i.kind == "loopback" or (name, i.name) in made)]
        with self._run(name, failures, ignore=(errno.EADDRNOTAVAIL,)) as messages:
            for link in links:
                index = handle.indexes[link.name]
                # A user may have changed the MTU of a loopback. Any other link was made with its own.
                of_loopback = link.kind == "loopback"
                messages.append(rtnl.set_link(link, index, {}) if of_loopback else rtnl.raise_link(link, index))
            again = [item for item in items if isinstance(item, InterfaceAddress) and item in handle.routeless]
            messages += [_message(item, handle.indexes[item.dev], delete=True) for item in again]
            handle.routeless.difference_update(again)
            for kind in (InterfaceAddress, Route, Neighbour, ForwardingEntry):
                for item in sorted((i for i in items if isinstance(i, kind)), key=_route_order):
                    messages.append(_message(item, handle.indexes[_device(item)]))
        return failures

    def _add_queues(self, name: str, added: Sequence[Queue]) -> list[KernelError]:
        """Give links their queues; those that they have are deleted first, with the packets that wait in them."""
        failures: list[KernelError] = []
        if added:
            from netlab.kernel import queues

            indexes = self._handle(name).indexes
            with self._run(name, failures, ignore=(errno.ENOENT,)) as messages:
                messages += [queues.delete(queue.dev, indexes[queue.dev]) for queue in added]
            with self._run(name, failures) as messages:
                messages += [message for queue in added for message in queues.requests(queue, indexes)]
        return failures


def _device(item: Item) -> str:
    return item.name if isinstance(item, (Link, Sysctl)) else item.dev


def _route_order(item: Item) -> bool:
    """Sort routes to a link first: routes through a gateway need them."""
    return isinstance(item, Route) and item.via is not None


def _message(item: Item, index: int, *, delete: bool = False) -> Message:
    match item:
        case InterfaceAddress():
            return rtnl.address(item, index, delete=delete)
        case Route():
            return rtnl.route(item, index, delete=delete)
        case Neighbour():
            return rtnl.neighbour(item, index, delete=delete)
        case ForwardingEntry():
            return rtnl.forwarding_entry(item, index, delete=delete)
        case Queue() if delete:
            from netlab.kernel import queues

            return queues.delete(item.dev, index)
        case _:
            raise TypeError(item)
