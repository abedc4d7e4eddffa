"""A kernel of this host: its links by pyroute2, one call for each. Tests compare ``netlab.kernel.linux`` with it.

An ``IPRoute`` belongs to the namespace in which it is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, cast

from pyroute2 import IPRoute, NetlinkError

from netlab.errors import KernelError
from netlab.kernel import netns, queues, sysctl
from netlab.kernel.host import Host
from netlab.kernel.netlink import Netlink
from netlab.kernel.state import (
    EVERY_MAC,
    Change,
    ForwardingEntry,
    InterfaceAddress,
    Item,
    Link,
    LinkKind,
    Namespace,
    Neighbour,
    Queue,
    Route,
    Sysctl,
    fallback_name,
    has_prefix,
    is_fallback,
)
from netlab.objects.types import Prefix

_READY_SECONDS, _PAUSE = 5.0, 0.01
# The item to delete is gone already.
_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)
_LOOPBACK, _UP, _ONLINK, _MAIN, _KERNEL, _STATIC, _UNICAST = 772, 0x1, 0x4, 254, 2, 4, 1
_LINK_SCOPE, _UNIVERSE = 253, 0
_PERMANENT, _NOARP, _SELF, _NO_DAD = 0x80, 0x40, 0x02, 0x02
_STATIC_ENTRY = {"state": _PERMANENT | _NOARP, "flags": _SELF}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_FORWARDING = 3

# The options of each kind of link: iproute2's name and pyroute2's.
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "bridge": {"forward_delay": "br_forward_delay", "stp_state": "br_stp_state", "mcast_snooping": "br_mcast_snooping"},
    "vxlan": {
        "id": "vxlan_id",
        "local": "vxlan_local",
        "local6": "vxlan_local6",
        "learning": "vxlan_learning",
        "dstport": "vxlan_port",
    },
    "macvlan": {"mode": "macvlan_mode"},
    "ipip": {"local": "ipip_local"},
}
# The kinds whose options are read. A link of these kinds is made again where an option differs.
_FIXED = ("vxlan", "macvlan", "ipip")
# The address of an ipip device is an IPv4 address, and a WireGuard device has none.
_WITHOUT_MAC = ("loopback", "ipip", "wireguard")
_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru"}


@dataclass
class _Space:
    """An open namespace.

    ``routeless`` are the addresses without the route that the kernel makes of their prefix, when they were last read.
    ``overrides`` are the settings of each link that differed from its namespace's then.
    """

    ip: IPRoute
    routeless: set[InterfaceAddress] = field(default_factory=set)
    overrides: dict[str, tuple[str, ...]] = field(default_factory=dict)


class PyRoute2(Host):
    """This host by pyroute2. Only ``nft`` may be called by several threads at once."""

    def __init__(self) -> None:
        self._spaces: dict[str, _Space] = {}
        self._settings = sysctl.Tree()

    def _forget(self, name: str) -> None:
        space = self._spaces.pop(name, None)
        if space is not None:
            space.ip.close()

    def close(self) -> None:
        super().close()
        self._settings.close()
        for name in list(self._spaces):
            self._forget(name)

    def read(self, name: str, sysctls: Iterable[str] = (), *, with_queues: bool = False) -> Namespace:
        space = self._space(name)
        ip = space.ip
        links = list(ip.get_links())
        names = {link["index"]: link.get("ifname") for link in links}
        routes = [r for r in ip.get_routes(table=_MAIN) if r["type"] == _UNICAST and r.get("oif") is not None]
        made = {(_prefix(route), names[route.get("oif")]) for route in routes if route["proto"] == _KERNEL}
        addresses = read_addresses(ip, names)
        space.routeless = {a for a in addresses if has_prefix(a) and (a.interface.network, a.dev) not in made}
        items: list[Item] = [address for address in addresses if address not in space.routeless]
        if not space.routeless:
            # See ``linux.Linux.read``.
            items += [_read_route(route, names) for route in routes if route["proto"] != _KERNEL]
            items += read_neighbours(ip, names)
        if with_queues:
            with self._netlink(name) as netlink:
                items += queues.read_queues(netlink, names)
        with netns.inside(name):
            values = {setting: self._settings.read(setting) for setting in sysctls}
            space.overrides = {device: self._overrides(device, values) for device in names.values()}
        items += [Sysctl(setting, value) for setting, value in values.items() if value is not None]
        items += [
            replace(one, overrides=space.overrides[one.name]) for one in (_read_link(link, names) for link in links)
        ]
        return Namespace(name, frozenset(items))

    def apply(self, changes: Sequence[Change]) -> None:
        failures: list[KernelError] = []
        deletions = [(c.namespace, c.item) for c in changes if c.verb == "delete"]
        additions = [(c.namespace, c.item) for c in changes if c.verb == "add"]
        for name, item in sorted(deletions, key=lambda one: isinstance(one[1], Link)):
            with _tried(failures, f"{name}: {item}", ignore=_GONE):
                self._delete(name, item)
        self._set((name, item) for name, item in additions if isinstance(item, Sysctl) and not item.link)
        links = {(name, item.name): item for name, item in additions if isinstance(item, Link)}
        for (name, _), link in sorted(links.items(), key=lambda one: _link_order(one[1])):
            with _tried(failures, f"{name}: link {link.name}"):
                self._set_up(name, link, links)
        self._set((name, item) for name, item in additions if isinstance(item, Sysctl) and item.link)
        for kind in (InterfaceAddress, Route, Neighbour, ForwardingEntry):
            rest = [(name, item) for name, item in additions if isinstance(item, kind)]
            # A route through a gateway needs the route to the gateway.
            for name, item in sorted(rest, key=lambda one: isinstance(one[1], Route) and one[1].via is not None):
                with _tried(failures, f"{name}: {item}", ignore=(errno.EADDRNOTAVAIL,)):
                    self._add(name, item)
        for name, item in additions:
            if isinstance(item, Queue):
                with _tried(failures, f"{name}: {item}"):
                    self._add_queue(name, item)
        if failures:
            raise failures[0]

    def _set(self, settings: Iterable[tuple[str, Sysctl]]) -> None:
        for name, setting in settings:
            with netns.inside(name):
                self._settings.write(setting.name, setting.value)

    def wait_until_ready(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        for name in names:
            while waiting := [m.get("ifname") for m in self._space(name).ip.get_links() if not _is_ready(m)]:
                if time.monotonic() > deadline:
                    raise KernelError(f"{name}: waiting for links", 0, f"{', '.join(waiting)} never carried traffic")
                time.sleep(_PAUSE)

    # --- one namespace ------------------------------------------------------------------------------------------

    def _space(self, name: str) -> _Space:
        """Return an open namespace; raises NotFound."""
        if name not in self._spaces:
            # A thousand pods need a few descriptors each; the soft limit is 1,024 on most systems.
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            with netns.inside(name):
                self._spaces[name] = _Space(IPRoute())
        return self._spaces[name]

    def _index(self, name: str, device: str) -> int:
        """Return a link's index; raises NetlinkError where it is not there."""
        found = self._space(name).ip.link_lookup(ifname=device)
        if not found:
            raise NetlinkError(errno.ENODEV)
        return int(found[0])

    def _overrides(self, device: str, values: Mapping[str, str | None]) -> tuple[str, ...]:
        own = {path: self._settings.read(path.format(device)) for path in sysctl.COPIED.values()}
        return sysctl.overrides(own, values)

    def _set_up(self, name: str, link: Link, wanted: Mapping[tuple[str, str], Link]) -> None:
        """Make a link, or change an existing one to the wanted state, and raise it."""
        space = self._space(name)
        if link.kind == "ipip":
            self._rename_fallback(name, link)
        if not space.ip.link_lookup(ifname=link.name):
            self._make(name, link, wanted)
        index = self._index(name, link.name)
        setting: dict[str, Any] = {"state": "up" if link.up else "down", "mtu": link.mtu}
        if link.kind != "loopback":
            setting["master"] = self._index(name, link.master) if link.master else 0
            # The kernel drops a link's neighbours for any MAC that it is given, the same one too.
            if link.mac and space.ip.get_links(index)[0].get("address") != link.mac:
                setting["address"] = link.mac
        space.ip.link("set", index=index, **setting)
        if link.master:
            space.ip.brport("set", index=index, mode=int(link.hairpin))
        with netns.inside(name):
            for path in space.overrides.pop(link.name, ()):
                self._settings.write(path.format(link.name), self._settings.read(path.format("all")) or "0")

    def _rename_fallback(self, name: str, link: Link) -> None:
        """Rename the kernel's own ipip device if a link is to have its name."""
        ip = self._space(name).ip
        for message in ip.get_links(*ip.link_lookup(ifname=link.name)) if ip.link_lookup(ifname=link.name) else ():
            if is_fallback(_read_link(message, {})):
                ip.link("set", index=message["index"], ifname=fallback_name(link.name))

    def _make(self, name: str, link: Link, wanted: Mapping[tuple[str, str], Link]) -> None:
        what = _of_link(link) | {"kind": link.kind}
        if link.kind == "bridge":
            # Its MTU is set later: see ``_ETHERNET_MTU`` of ``linux``.
            del what["mtu"]
        what |= {_OPTIONS[link.kind][option]: value for option, value in link.options.items()}
        if link.kind == "macvlan":
            what["macvlan_mode"] = _MODES[what["macvlan_mode"]]
        if link.peer is not None:
            space, _ = link.peer
            with self._descriptor(space) as fd:
                other = _of_link(wanted[link.peer]) | {"net_ns_fd": fd}
                self._space(name).ip.link("add", **what, peer=other)
        elif link.parent is not None:
            # It is made in the namespace of its parent and moved.
            space, device = link.parent
            with self._descriptor(name) as fd:
                below = self._index(space, device)
                what["vxlan_link" if link.kind == "vxlan" else "link"] = below
                self._space(space).ip.link("add", **what, net_ns_fd=fd)
        elif link.outer:
            # The request goes to the namespace of this process, which the link's packets leave by.
            with self._descriptor(name) as fd, IPRoute() as home:
                home.link("add", **what, net_ns_fd=fd)
        else:
            self._space(name).ip.link("add", **what)

    @contextlib.contextmanager
    def _descriptor(self, name: str) -> Iterator[int]:
        """Open a namespace for a request that names it."""
        with netns.inside(name):
            fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    def _add(self, name: str, item: Item) -> None:
        space = self._space(name)
        ip, index = space.ip, self._index(name, _device(item))
        match item:
            case InterfaceAddress():
                if item in space.routeless:
                    space.routeless.discard(item)
                    ip.addr("del", index=index, **_of_address(item))
                # An IPv6 address skips duplicate address detection.
                flags = {"flags": _NO_DAD | _PERMANENT} if item.interface.version == 6 else {}
                ip.addr("replace", index=index, **_of_address(item), **flags)
            case Route():
                ip.route("replace", oif=index, **_of_route(item))
            case Neighbour():
                ip.neigh("replace", ifindex=index, dst=str(item.address), lladdr=item.mac, state=_PERMANENT)
            case ForwardingEntry():
                how = "append" if item.mac == EVERY_MAC else "replace"
                ip.fdb(how, ifindex=index, dst=str(item.dst), lladdr=item.mac, **_STATIC_ENTRY)

    @contextlib.contextmanager
    def _netlink(self, name: str) -> Iterator[Netlink]:
        """Open a socket of netlab's own. pyroute2's u32 has no indev, and its netem no times in nanoseconds."""
        with netns.inside(name):
            netlink = Netlink()
        try:
            yield netlink
        finally:
            netlink.close()

    def _add_queue(self, name: str, queue: Queue) -> None:
        links = (queue.dev, *(link for link, _ in queue.sources))
        indexes = {link: self._index(name, link) for link in links}
        with self._netlink(name) as netlink:
            netlink.transact([queues.delete(queue.dev, indexes[queue.dev])])
            for _, error in netlink.transact([*queues.requests(queue, indexes)]):
                raise NetlinkError(error.errno or 0)

    def _delete(self, name: str, item: Item) -> None:
        ip, index = self._space(name).ip, self._index(name, _device(item))
        match item:
            case Link():
                ip.link("del", index=index)
            case InterfaceAddress():
                ip.addr("del", index=index, **_of_address(item))
            case Route():
                ip.route("del", oif=index, **_of_route(item))
            case Queue():
                ip.tc("del", index=index, root=True)
            case Neighbour():
                ip.neigh("del", ifindex=index, dst=str(item.address), lladdr=item.mac)
            case ForwardingEntry():
                ip.fdb("del", ifindex=index, dst=str(item.dst), lladdr=item.mac, **_STATIC_ENTRY)


@contextlib.contextmanager
def _tried(failures: list[KernelError], what: str, *, ignore: Sequence[int] = ()) -> Iterator[None]:
    """Add a refusal of the kernel in the block to ``failures``, so that the next change is tried."""
    try:
        yield
    except NetlinkError as error:
        if error.code not in ignore:
            failures.append(KernelError.of(what, error.code))


def _device(item: Item) -> str:
    return item.name if isinstance(item, (Link, Sysctl)) else item.dev


def _link_order(link: Link) -> tuple[bool, bool, bool]:
    """Sort bridges before their ports, a parent before its links, a veth's owner before its other end."""
    return link.parent is not None, bool(link.master), link.kind == "veth" and not link.owner


# --- values as pyroute2's arguments ---------------------------------------------------------------------------------


def _of_link(link: Link) -> dict[str, Any]:
    return {"ifname": link.name, "mtu": link.mtu} | ({"address": link.mac} if link.mac else {})


def _of_address(item: InterfaceAddress) -> dict[str, Any]:
    interface = item.interface
    return {
        "address": str(interface.ip),
        "prefixlen": interface.network.prefixlen,
        "family": _FAMILIES[interface.version],
    }


def _of_route(item: Route) -> dict[str, Any]:
    found: dict[str, Any] = {"dst": str(item.prefix), "family": _FAMILIES[item.prefix.version], "table": _MAIN}
    found |= {"proto": _STATIC, "type": _UNICAST, "flags": _ONLINK if item.onlink else 0}
    found["scope"] = _LINK_SCOPE if item.via is None and item.prefix.version == 4 else _UNIVERSE
    found |= {"gateway": str(item.via)} if item.via is not None else {}
    found |= {"prefsrc": str(item.source)} if item.source is not None else {}
    found |= {"metrics": {"mtu": item.mtu}} if item.mtu else {}
    return found


# --- pyroute2's messages as values ----------------------------------------------------------------------------------


def _read_link(message: Any, names: Mapping[int, str]) -> Link:
    info = message.get("linkinfo")
    loopback = message["ifi_type"] == _LOOPBACK
    kind = "loopback" if loopback else (info.get("kind") or "") if info else ""
    port = info.get("slave_data") if info else None
    return Link(
        name=message.get("ifname"),
        kind=cast(LinkKind, kind),
        mac="" if kind in _WITHOUT_MAC else message.get("address") or "",
        mtu=message.get("mtu"),
        master=names.get(message.get("master") or 0, ""),
        up=bool(message["flags"] & _UP),
        hairpin=bool(port.get("mode")) if port and info.get("slave_kind") == "bridge" else False,
        options=_read_options(kind, info.get("data")) if kind in _FIXED else {},
    )


def _is_ready(message: Any) -> bool:
    """Return whether a link carries traffic, or is down; a bridge port carries traffic when it forwards."""
    info = message.get("linkinfo")
    kind, port = (info.get("kind"), info.get("slave_data")) if info else ("", None)
    if not message["flags"] & _UP or kind == "bridge":
        return True
    state = message.get("operstate")
    # A new veth is "unknown" until the kernel checked its carrier; other kinds stay unknown.
    running = state == "UP" or (state == "UNKNOWN" and kind != "veth")
    return running and (port is None or port.get("state") in (None, _FORWARDING))


def _read_options(kind: str, data: Any) -> dict[str, int | str]:
    found = {option: data.get(name) for option, name in _OPTIONS[kind].items()} if data else {}
    if "mode" in found:
        found["mode"] = next(number for number, mode in _MODES.items() if mode == found["mode"])
    return {option: value for option, value in found.items() if value is not None}


def read_addresses(ip: IPRoute, names: Mapping[int, str]) -> list[InterfaceAddress]:
    """Return the addresses of a namespace, without link-local and loopback ones."""
    found = []
    for message in ip.get_addr():
        interface = ip_interface(f"{message.get('local') or message.get('address')}/{message['prefixlen']}")
        if not (interface.ip.is_loopback or (interface.version == 6 and interface.ip.is_link_local)):
            found.append(InterfaceAddress(names[message["index"]], interface))
    return found


def _prefix(message: Any) -> Prefix:
    unspecified = "0.0.0.0" if message["family"] == socket.AF_INET else "::"  # noqa: S104  the default route, no socket
    return ip_network(f"{message.get('dst') or unspecified}/{message['dst_len']}")


def _read_route(message: Any, names: Mapping[int, str]) -> Route:
    via, source, metrics = message.get("gateway"), message.get("prefsrc"), message.get("metrics")
    return Route(
        _prefix(message),
        names[message.get("oif")],
        ip_address(via) if via else None,
        bool(message["flags"] & _ONLINK),
        ip_address(source) if source else None,
        metrics.get("mtu") or 0 if metrics is not None else 0,
    )


def read_neighbours(ip: IPRoute, names: Mapping[int, str]) -> list[Neighbour | ForwardingEntry]:
    """Return the permanent neighbours and the static forwarding entries of VXLAN devices."""
    neighbours = [
        Neighbour(names[message["ifindex"]], ip_address(message.get("dst")), message.get("lladdr"))
        for message in ip.get_neighbours()
        if message["state"] & _PERMANENT and message.get("lladdr")
    ]
    entries = [
        ForwardingEntry(names[message["ifindex"]], message.get("lladdr"), ip_address(message.get("dst")))
        for message in ip.fdb("dump")
        if message["state"] & _PERMANENT and message["flags"] & _SELF and message.get("dst")
    ]
    return [*neighbours, *entries]
