"""Machines that a test makes itself: network, mount and pid namespaces, joined by a bridge.

A machine has a private ``/run`` and an interface ``eth0`` with an IPv4 and an IPv6 address. The bridge is in a network
namespace of the test's own, so nothing touches the interfaces of the host. A machine's first process holds its
namespaces: when it is killed, the kernel kills every process in them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from etcd_members import Member, etcd
from sizes import HANGS

from netlab.kernel import libc, netns

REPOSITORY = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("driver.py")
# The first process makes /run private, says that it is ready, and then collects every process that loses its parent.
_FIRST = (
    "mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/netns && echo ready && while :; do sleep 1000 & wait; done"
)
# The bridge is a switch: it sends nothing of itself.
_BRIDGE = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 && echo ready && exec sleep infinity"
_ETH_P_ALL = 3
# Seconds that reading captured frames may take.
_CAPTURED_SECONDS = 5.0
_SO_RCVBUFFORCE = 33
_UDP = 17
# Where an etcd of the bed listens, and the number of the MAC there.
ETCD_ADDRESS, _ETCD_MAC = "192.0.2.250", 250
_MLD_ROUTERS, _OWN = bytes.fromhex("333300000016"), bytes.fromhex("0200000000")


@dataclass
class Machine:
    """One machine: its name, its addresses, and the process id of its first process, as the host sees it."""

    name: str
    address: str
    address6: str
    holder: subprocess.Popen[str] = field(repr=False)
    pid: int = 0
    # Variables of the programs that are started there.
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    def start(self, *argv: object, **more: Any) -> subprocess.Popen[str]:
        """Start a program in the machine, as root there."""
        inside = ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "--", *map(str, argv)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, **self.environment, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"}
        return subprocess.Popen(inside, cwd=REPOSITORY, env=environment, text=True, **{**pipes, **more})

    def run(self, *argv: object, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the machine to its end."""
        process = self.start(*argv)
        try:
            out, err = process.communicate(text, timeout=HANGS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(list(map(str, argv)), process.returncode, out, err)

    def netlab(self, *arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of netlab in the machine."""
        return self.run(sys.executable, "-m", "netlab", *arguments, text=text)

    def drive(self, what: str, **values: Any) -> Any:
        """Call a function of ``driver.py`` in a process of the machine; return what it prints."""
        done = self.run(sys.executable, DRIVER, what, text=json.dumps(values))
        assert 0 == done.returncode, f"{self.name}: {done.stderr}"
        return json.loads(done.stdout)

    def kill_during(self, what: str, namespaces: int, seconds: float, **values: Any) -> None:
        """Start what ``drive`` runs, and kill it by its id some seconds after it has made some network namespaces."""
        with self.start(sys.executable, DRIVER, what) as process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(values))
            process.stdin.close()
            deadline = time.monotonic() + HANGS
            while len(os.listdir(f"/proc/{self.pid}/root/run/netns")) < namespaces and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            time.sleep(seconds)
            for program in programs_of(process):
                os.kill(program, signal.SIGKILL)

    def links(self) -> list[str]:
        """Return the names of the links of the machine's own network namespace."""
        with inside(self.pid):
            return sorted(name for _, name in socket.if_nameindex())

    def left(self) -> dict[str, list[str]]:
        """Return what of netlab is left in the machine: files below its ``/run``, and processes beside the first."""
        done = self.run("find", "/run/netns", "/run/netlab", "-mindepth", "1")
        run = [line for line in done.stdout.splitlines() if not line.endswith("/.namespaces")]
        found = self.run("ps", "-e", "-o", "args=").stdout.splitlines()
        programs = [one for one in found if "netlab" in one or "driver" in one]
        return {name: lines for name, lines in (("run", run), ("programs", programs)) if lines}

    def kill(self) -> None:
        """Kill everything in the machine, by the id of its first process; the kernel removes its namespaces."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.holder.kill()
        self.holder.communicate(timeout=HANGS)


def programs_of(process: subprocess.Popen[Any]) -> list[int]:
    """Return the process id of what ``Machine.start`` started; nsenter waits for it, as it is in another namespace."""
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


class Machines:
    """The machines of a test, by name, and the bridge between them."""

    def __init__(self, names: Sequence[str], *, mtu: int = 1500) -> None:
        self._bridge = _holder("--net", first=_BRIDGE)
        self._of: dict[str, Machine] = {}
        self._etcd = ExitStack()
        self._has_etcd = False
        try:
            for number, name in enumerate(names, start=1):
                self._of[name] = Machine(name, f"192.0.2.{number}", f"2001:db8::{number}", _machine_holder())
            for machine in self._of.values():
                machine.pid = _first_process(machine.holder)
            self.wire = _first_process(self._bridge)
            self._join(mtu)
        except BaseException:
            self.close()
            raise

    def _join(self, mtu: int) -> None:
        self._mtu = mtu
        _ip(self.wire, [f"link add wire mtu {mtu} up type bridge forward_delay 0 mcast_snooping 0"])
        for number, machine in enumerate(self, start=1):
            self._plug(number, machine)

    def _plug(self, number: int, machine: Machine) -> None:
        end = f"peer name eth0 mtu {self._mtu} address {_mac(number)} netns {machine.pid}"
        port = f"port{number}"
        _ip(self.wire, [f"link add {port} mtu {self._mtu} type veth {end}", f"link set {port} master wire up"])
        # Permanent neighbours: what the bridge carries is then what the machines send of themselves.
        known = [
            f"neigh add {address} lladdr {_mac(number_of)} dev eth0 nud permanent"
            for number_of, other in enumerate(self, start=1)
            if other is not machine
            for address in (other.address, other.address6)
        ]
        own = ["link set lo up", "link set eth0 addrgenmode none up", f"addr add {machine.address}/24 dev eth0"]
        _ip(machine.pid, [*own, f"addr add {machine.address6}/64 dev eth0 nodad", *known])

    def reboot(self, name: str) -> None:
        """Kill everything in a machine, and make it anew with the same addresses and an empty ``/run``."""
        number, machine = list(self._of).index(name) + 1, self._of[name]
        machine.kill()
        # The kernel removes the port some time after the namespace.
        subprocess.run(
            ["nsenter", "-t", str(self.wire), "-n", "ip", "link", "delete", f"port{number}"],
            check=False,
            stderr=subprocess.DEVNULL,
        )
        machine.holder = _machine_holder()
        machine.pid = _first_process(machine.holder)
        self._plug(number, machine)
        if self._has_etcd:
            _ip(machine.pid, [_KNOWS_ETCD])

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._of.values())

    def __getitem__(self, name: str) -> Machine:
        return self._of[name]

    def addresses(self, family: int = 4) -> dict[str, str]:
        """Return the machines' addresses of a family, by name."""
        return {one.name: one.address if family == 4 else one.address6 for one in self}

    def etcd(self, folder: Path, members: int = 1, more: Sequence[str] = (), scheme: str = "http") -> list[Member]:
        """Start an etcd that all machines reach, beside the bridge; it ends with the machines.

        It stores what every machine writes in the folder. What machines exchange with it is TCP, which a capture shows.
        """
        _ip(
            self.wire,
            ["link set lo up", f"link set wire address {_mac(_ETCD_MAC)}", f"addr add {ETCD_ADDRESS}/24 dev wire"],
        )
        for number, machine in enumerate(self, start=1):
            _ip(machine.pid, [_KNOWS_ETCD])
            _ip(self.wire, [f"neigh add {machine.address} lladdr {_mac(number)} dev wire nud permanent"])
        self._has_etcd = True
        # The prefix becomes etcd, so that the process that was started is etcd itself.
        prefix = ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t", str(self.wire), "-n", "--"]
        return self._etcd.enter_context(etcd(folder, members, more, scheme, address=ETCD_ADDRESS, prefix=prefix))

    def cut(self, name: str) -> None:
        """Take a machine off the bridge."""
        _ip(self.wire, [f"link set port{list(self._of).index(name) + 1} down"])

    def join(self, name: str) -> None:
        """Put a machine back on the bridge."""
        _ip(self.wire, [f"link set port{list(self._of).index(name) + 1} up"])

    @contextlib.contextmanager
    def captured(self) -> Iterator[list[bytes]]:
        """Return the frames that the bridge carries while the block runs; the list is filled at its end."""
        frames: list[bytes] = []
        with inside(self.wire):
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        with sniffer:
            # The frames wait in it until the end of the block.
            sniffer.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 2**26)
            yield frames
            # Agents never rest for long, so the end is a time too.
            until = time.monotonic() + _CAPTURED_SECONDS
            while time.monotonic() < until and select.select([sniffer], [], [], 0.05)[0]:
                frames.append(sniffer.recv(2**16))

    def close(self) -> None:
        """Kill everything in every machine, and etcd; the bridge goes with its namespace."""
        self._etcd.close()
        for machine in self:
            machine.kill()
        self._bridge.kill()
        self._bridge.communicate(timeout=HANGS)


def kinds(frames: Sequence[bytes]) -> set[tuple[str, str, str]]:
    """Return what frames are, each as (protocol and port, outer source, outer destination).

    Without the reports of a machine's own kernel that it has joined the multicast group of its address (RFC 3810).
    """
    return {_kind(frame) for frame in frames if not (frame[:6] == _MLD_ROUTERS and frame[6:11] == _OWN)}


def _kind(frame: bytes) -> tuple[str, str, str]:
    kind, body = int.from_bytes(frame[12:14], "big"), frame[14:]
    if kind not in (0x0800, 0x86DD):
        return f"{kind:04x}", "", ""
    if kind == 0x0800:
        protocol, source, destination, start = body[9], body[12:16], body[16:20], (body[0] & 15) * 4
    else:
        protocol, source, destination, start = body[6], body[8:24], body[24:40], 40
    what = f"udp {int.from_bytes(body[start + 2 : start + 4], 'big')}" if protocol == _UDP else str(protocol)
    return what, str(ip_address(source)), str(ip_address(destination))


@contextlib.contextmanager
def inside(pid: int) -> Iterator[None]:
    """Run a block with the calling thread in the network namespace of a process."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with netns.returning():
        try:
            libc.setns(fd, libc.CLONE_NEWNET)
        finally:
            os.close(fd)
        yield


def _holder(*namespaces: str, first: str) -> subprocess.Popen[str]:
    """Start a process with new namespaces; it ends with this process."""
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "--fork", "--kill-child", "sh", "-c", first]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def _machine_holder() -> subprocess.Popen[str]:
    return _holder("--net", "--mount", "--pid", "--mount-proc", first=_FIRST)


def _first_process(holder: subprocess.Popen[str]) -> int:
    """Return the process id of the first process in new namespaces, when they are ready."""
    assert holder.stdout is not None
    assert "ready\n" == holder.stdout.readline()
    deadline = time.monotonic() + HANGS
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
    while not (found := children.read_text().split()):
        assert time.monotonic() < deadline
    return int(found[0])


def _ip(pid: int, lines: Sequence[str]) -> None:
    """Run commands of ``ip`` in the network namespace of a process."""
    command = ["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, timeout=HANGS)


def _mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


_KNOWS_ETCD = f"neigh add {ETCD_ADDRESS} lladdr {_mac(_ETCD_MAC)} dev eth0 nud permanent"
