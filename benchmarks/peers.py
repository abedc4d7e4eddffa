"""Bring-up by other tools: ``ip -batch``, pyroute2 as in its documentation, the CNI reference plugins, mininet.

Each makes a bridge and, for every pod, a namespace with a veth, an address, a default route and loopback up; no
neighbours and no settings, so each does less than netlab and its floor.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol

from benchmarks import machine, private

_PREFIX = IPv4Network("10.244.0.0/16")
_BRIDGE = "br-peer"
_NETNS = Path("/run/netns")


class Peer(Protocol):
    """Makes pods and removes them again."""

    def up(self) -> None: ...

    def down(self) -> None: ...


class IpBatch:
    """``ip -batch`` for namespaces and links, and one in each pod: ``ip`` cannot change its namespace in a batch."""

    def __init__(self, pods: int) -> None:
        self._ip = machine.program("ip") or "ip"
        self._pods = pods

    def up(self) -> None:
        lines = [f"link add {_BRIDGE} type bridge forward_delay 0", f"addr add {_PREFIX[1]}/16 dev {_BRIDGE}"]
        lines += [f"link set {_BRIDGE} up"]
        for i in range(self._pods):
            lines += [f"netns add peer-{i}", f"link add port{i} type veth peer name eth0 netns peer-{i}"]
            lines += [f"link set port{i} master {_BRIDGE} up"]
        self._run([], lines)
        for i in range(self._pods):
            inside = ["link set lo up", "link set eth0 up", f"addr add {_PREFIX[i + 2]}/16 dev eth0"]
            self._run(["-n", f"peer-{i}"], [*inside, f"route add default via {_PREFIX[1]}"])

    def down(self) -> None:
        self._run([], [*(f"netns delete peer-{i}" for i in range(self._pods)), f"link delete {_BRIDGE}"])

    def _run(self, where: list[str], lines: list[str]) -> None:
        subprocess.run(
            [self._ip, *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True
        )


class Pyroute2:
    """The calls of pyroute2's own examples: ``netns.create``, ``IPRoute()``, ``IPRoute(netns=…)``, one by one."""

    def __init__(self, pods: int) -> None:
        self._pods = pods

    def up(self) -> None:
        from pyroute2 import IPRoute, netns

        with IPRoute() as ip:
            ip.link("add", ifname=_BRIDGE, kind="bridge")
            bridge = ip.link_lookup(ifname=_BRIDGE)[0]
            ip.addr("add", index=bridge, address=str(_PREFIX[1]), prefixlen=16)
            ip.link("set", index=bridge, state="up")
            for i in range(self._pods):
                name = f"peer-{i}"
                netns.create(name)
                ip.link("add", ifname=f"port{i}", kind="veth", peer={"ifname": "eth0", "net_ns_fd": name})
                ip.link("set", index=ip.link_lookup(ifname=f"port{i}")[0], master=bridge, state="up")
                with IPRoute(netns=name) as inside:
                    inside.link("set", index=1, state="up")
                    eth0 = inside.link_lookup(ifname="eth0")[0]
                    inside.addr("add", index=eth0, address=str(_PREFIX[i + 2]), prefixlen=16)
                    inside.link("set", index=eth0, state="up")
                    inside.route("add", gateway=str(_PREFIX[1]))

    def down(self) -> None:
        from pyroute2 import IPRoute, netns

        for i in range(self._pods):
            netns.remove(f"peer-{i}")
        with IPRoute() as ip:
            ip.link("del", ifname=_BRIDGE)


class Cni:
    """The reference plugins ``bridge`` and ``host-local``, run as a container runtime runs them: one process a pod."""

    def __init__(self, pods: int, plugins: Path) -> None:
        self._pods = pods
        self._plugins = plugins
        self._ip = machine.program("ip") or "ip"
        ranges = {"type": "host-local", "subnet": str(_PREFIX), "dataDir": "/run/cni-ipam"}
        configuration = {"cniVersion": "0.4.0", "name": "peer", "type": "bridge", "bridge": _BRIDGE, "isGateway": True}
        self._configuration = json.dumps({**configuration, "isDefaultGateway": True, "ipam": ranges})

    def up(self) -> None:
        for i in range(self._pods):
            subprocess.run([self._ip, "netns", "add", f"peer-{i}"], check=True)
            self._call("ADD", i)

    def down(self) -> None:
        for i in range(self._pods):
            self._call("DEL", i)
            subprocess.run([self._ip, "netns", "delete", f"peer-{i}"], check=True)
        subprocess.run([self._ip, "link", "delete", _BRIDGE], check=True)

    def _call(self, command: str, number: int) -> None:
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": f"peer-{number}",
            "CNI_NETNS": str(_NETNS / f"peer-{number}"),
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self._plugins),
        }
        plugin = [str(self._plugins / "bridge")]
        subprocess.run(plugin, input=self._configuration, text=True, env=environment, check=True, capture_output=True)


class Mininet:
    """Mininet's own ``mn``: one Linux bridge and its hosts; it removes them before it returns."""

    def __init__(self, pods: int) -> None:
        self._pods = pods

    def up(self) -> None:
        topology = ["--topo", f"single,{self._pods}", "--switch", "lxbr", "--controller", "none"]
        subprocess.run([machine.program("mn") or "mn", *topology, "--test", "none"], check=True, capture_output=True)

    def down(self) -> None:
        """Do nothing: ``mn`` has removed everything."""


def found() -> tuple[dict[str, Callable[[int], Peer]], list[str]]:
    """Return the peers of this host by name, and a message about each that is missing or fails."""
    plugins = _plugins()
    known: dict[str, tuple[bool, Callable[[int], Peer]]] = {
        "ip -batch": (machine.program("ip") is not None, IpBatch),
        "pyroute2": (importlib.util.find_spec("pyroute2") is not None, Pyroute2),
        "CNI reference plugins": (plugins is not None, lambda pods: Cni(pods, plugins or Path())),
        "mininet (up and down)": (machine.program("mn") is not None, Mininet),
    }
    usable: dict[str, Callable[[int], Peer]] = {}
    notes = []
    for name, (present, make) in known.items():
        failure = _failure(make) if present else "not on this host"
        if failure:
            notes.append(f"{name}: {failure}")
        else:
            usable[name] = make
    return usable, notes


def _failure(make: Callable[[int], Peer]) -> str:
    """Let a peer make two pods; return its error, "" for none: an installed program may lack another one."""
    # The links of the previous peer exist until the kernel has freed its namespaces.
    private.drain()
    peer = make(2)
    try:
        peer.up()
        peer.down()
    except subprocess.CalledProcessError as error:
        output = (error.stderr or error.stdout or b"").strip()
        lines = (output.decode() if isinstance(output, bytes) else output).splitlines()
        return f"does not run on this host: {' '.join(line.strip() for line in lines[-3:])}"
    return ""


def _plugins() -> Path | None:
    places = [*os.environ.get("CNI_PATH", "").split(os.pathsep), "/opt/cni/bin", "/usr/lib/cni"]
    for place in filter(None, places):
        if all(os.access(Path(place, name), os.X_OK) for name in ("bridge", "host-local")):
            return Path(place)
    return None
