"""A kernel in memory: a ``Machine`` whose namespaces are Python values.

A whole lab runs on it without root: a test can build, change, repair and remove a lab. It sends no packets, and
it keeps programs without running them. It refuses what Linux refuses: a second namespace of a name, an address on a
missing link, a veth whose peer's namespace is missing, a missing element of a set.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import shutil
import signal
import tempfile
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from netlab.errors import HostError, KernelError, UsageError
from netlab.kernel import daemons, wireguard_state
from netlab.kernel.captured import ProcessResult
from netlab.kernel.machine import Frontend, Match, Monitor, Store
from netlab.kernel.state import Change, InterfaceAddress, Item, Link, Namespace, Queue, Sysctl
from netlab.testing.fake_ruleset import FakeRuleset

if TYPE_CHECKING:
    from netlab.kernel.machine import User
    from netlab.kernel.program import Program
    from netlab.objects.types import Address

_LOOPBACK = Link("lo", "loopback", mtu=65536, up=False)
_NO_PACKETS = "a kernel in memory sends no packets and runs no programs"


class FakeKernel:
    """Network namespaces in memory.

    ``spaces`` has the items of each namespace by its name, ``rulesets`` the nft scripts that ran in it, in order.
    Records of labs are files in ``directory``, by default a temporary one. ``boot`` is the boot ID. ``programs`` has
    the programs that the lab would run, by their folders. ``signals`` has the signals that they would get, in order.

    Example::

        machine = FakeKernel()
        with Lab.temporary(objects, machine=machine) as lab:
            lab.apply(documents)
            assert lab.drift() == []
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.spaces: dict[str, set[Item]] = {}
        self._attaching = ("", "")
        self._owners: dict[str, str] = {}
        self.rulesets: dict[str, list[str]] = {}
        self.programs: dict[Path, Program] = {}
        self.signals: list[tuple[Path, int]] = []
        self.boot = "00000000-0000-0000-0000-000000000000"
        self._rules: dict[str, FakeRuleset] = {}
        # By (namespace, link): the links that have it as parent.
        self._children: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self._wireguard: dict[tuple[str, str], wireguard_state.Device] = {}
        self._directory = directory
        self._lock = threading.Lock()

    @cached_property
    def store(self) -> Store:
        if self._directory is not None:
            return Store(self._directory)
        temporary = tempfile.mkdtemp(prefix="netlab-")
        weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        return Store(Path(temporary) / "netlab")

    @contextlib.contextmanager
    def attaching(self, name: str, place: Path, owner: str, device: str) -> Iterator[None]:
        self._attaching = (name, owner)
        try:
            yield
        finally:
            self._attaching = ("", "")

    def owner(self, name: str) -> str:
        return self._owners.get(name, "") if name in self.spaces else ""

    def begin(self, names: Sequence[str]) -> None:
        pass

    def create(self, names: Sequence[str]) -> None:
        for name in names:
            if name == self._attaching[0]:
                self._owners[name] = self._attaching[1]
            else:
                self._owners.pop(name, None)
            if name in self.spaces:
                raise KernelError.of(f"network namespace {name}", errno.EEXIST)
            self.spaces[name] = {_LOOPBACK}
            self.rulesets[name] = []
            self._rules[name] = FakeRuleset()

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            for item in list(self.spaces.get(name, ())):
                if isinstance(item, Link):
                    self._drop(name, item.name)
            self.end([name])
            self.spaces.pop(name, None)
            self.rulesets.pop(name, None)
            self._rules.pop(name, None)

    def exists(self, name: str) -> bool:
        return name in self.spaces

    def occupied(self, name: str) -> bool:
        return name in self.spaces

    def pinned(self, prefix: str) -> list[str]:
        return sorted(name for name in self.spaces if name.startswith(prefix))

    def path(self, name: str) -> Path:
        return Path("/memory") / name

    def inside(self, name: str) -> AbstractContextManager[None]:
        self._space(name)
        raise HostError(_NO_PACKETS)

    def read(self, name: str, sysctls: Iterable[str] = (), *, with_queues: bool = False) -> Namespace:
        wanted = set(sysctls)
        items = {i for i in self._space(name) if not isinstance(i, Sysctl) or i.name in wanted}
        items -= set() if with_queues else {i for i in items if isinstance(i, Queue)}
        return Namespace(name, frozenset(items))

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.verb == "delete":
                self._delete(change.namespace, change.item)
        for change in changes:
            if change.verb == "add" and isinstance(change.item, Sysctl):
                self._add(change.namespace, change.item)
        links = [c for c in changes if c.verb == "add" and isinstance(c.item, Link)]
        for change in sorted(links, key=lambda c: isinstance(c.item, Link) and c.item.parent is not None):
            self._add(change.namespace, change.item)
        for change in changes:
            if change.verb == "add" and not isinstance(change.item, (Sysctl, Link)):
                self._add(change.namespace, change.item)

    def check_rules(self) -> None:
        pass

    def has_link(self, name: str, link: str) -> bool:
        return any(isinstance(item, Link) and item.name == link for item in self._space(name))

    def check_link(self, link: Link) -> None:
        pass

    def check_queues(self) -> None:
        pass

    def new_wireguard_key(self) -> wireguard_state.Key:
        public, private = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
        return wireguard_state.Key(private, public)

    def read_wireguard(self, name: str, link: str) -> wireguard_state.Device:
        self._check_wireguard(name, link)
        return self._wireguard.get((name, link), wireguard_state.Device(None, 0))

    def set_wireguard(self, name: str, link: str, change: wireguard_state.Change) -> None:
        before = self.read_wireguard(name, link)
        kept = {peer.key: peer for peer in before.peers if peer.key not in change.remove}
        # An address is allowed for one peer.
        taken = {peer.address for peer in change.add}
        kept = {key: peer for key, peer in kept.items() if peer.address not in taken}
        peers = kept | {peer.key: peer for peer in change.add}
        self._wireguard[name, link] = wireguard_state.Device(
            change.key or before.key, change.port or before.port, tuple(peers.values()), frozenset(peers)
        )

    def _check_wireguard(self, name: str, link: str) -> None:
        if not any(isinstance(i, Link) and (i.name, i.kind) == (link, "wireguard") for i in self._space(name)):
            raise KernelError.of(f"wireguard {name}: {link}", errno.ENODEV)

    def nft(self, name: str, script: str) -> None:
        self._space(name)
        with self._lock:
            self._rules[name].run(script, name)
            self.rulesets[name].append(script)

    def holds(self, name: str, script: str, *, beside: bool = False) -> bool:
        self._space(name)
        wanted = FakeRuleset()
        wanted.run(script, name)
        return self._rules[name] == wanted

    def delete_connections(self, name: str, fronts: Sequence[Frontend]) -> None:
        self._space(name)

    def forget_neighbours(self, name: str, addresses: Sequence[Address]) -> None:
        self._space(name)

    def monitor(self, name: str, match: Match, families: Sequence[str]) -> AbstractContextManager[Monitor]:
        self._space(name)
        raise HostError(_NO_PACKETS)

    def execute(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        *,
        hostname: str = "",
        user: User | None = None,
        files: Mapping[str, str] | None = None,
    ) -> NoReturn:
        self._space(name)
        raise UsageError(_NO_PACKETS)

    def capture(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        seconds: float,
        *,
        hostname: str = "",
        files: Mapping[str, str] | None = None,
    ) -> ProcessResult:
        if name not in self.spaces:
            return ProcessResult(127, "", "", f"network namespace {name} does not exist")
        return ProcessResult(127, "", "", _NO_PACKETS)

    def end(self, names: Sequence[str]) -> int:
        ended = [folder for folder, program in self.programs.items() if program.namespace in names]
        for folder in ended:
            del self.programs[folder]
        return len(ended)

    def occupied_by_programs(self, names: Sequence[str], number: int = 0) -> set[str]:
        found = {program.namespace for program in self.programs.values()} & {*names}
        if number in (signal.SIGTERM, signal.SIGKILL):
            self.end(list(found))
        return found

    def start(self, program: Program, folder: Path) -> None:
        if program.namespace:
            self._space(program.namespace)
        folder.mkdir(parents=True, exist_ok=True)
        self.programs[folder] = program

    def write(self, folder: Path, name: str, data: bytes, *, secret: bool = False) -> bool:
        return daemons.write(folder, name, data, secret=secret)

    def runs(self, program: Program, folder: Path) -> bool:
        return self.programs.get(folder) == program

    def send(self, folder: Path, number: int) -> bool:
        if folder not in self.programs:
            return False
        self.signals.append((folder, number))
        if number in (signal.SIGTERM, signal.SIGKILL):
            del self.programs[folder]
        return True

    def stop(self, folder: Path) -> None:
        self.programs.pop(folder, None)

    def run(self, program: Program, folder: Path) -> tuple[int, str]:
        self._space(program.namespace)
        return 0, ""

    def nginx(self) -> tuple[str, str]:
        return "/usr/sbin/nginx", ""

    def has_address(self, name: str, address: Address) -> bool:
        return any(isinstance(item, InterfaceAddress) and item.interface.ip == address for item in self.spaces[name])

    def find_plugin(self, kind: str) -> str:
        raise HostError(_NO_PACKETS)

    def plugin(
        self, name: str, kind: str, variables: Mapping[str, str], config: bytes, state: Path | None, seconds: float
    ) -> ProcessResult:
        raise HostError(_NO_PACKETS)

    def reload(self, folder: Path) -> bool:
        return self.send(folder, signal.SIGHUP)

    def enter(self, *, start: bool = True) -> bool:
        return True

    def check(self) -> None:
        pass

    def boot_id(self) -> str:
        return self.boot

    def uninterrupted(self) -> AbstractContextManager[None]:
        return nullcontext()

    def wait_until_ready(self, names: Sequence[str]) -> None:
        for name in names:
            self._space(name)

    def close(self) -> None:
        pass

    def _space(self, name: str) -> set[Item]:
        if name not in self.spaces:
            raise KernelError.of(f"network namespace {name}", errno.ENOENT)
        return self.spaces[name]

    def _add(self, name: str, item: Item) -> None:
        space = self._space(name)
        if isinstance(item, Link):
            if item.peer is not None and item.peer[0] not in self.spaces:
                raise KernelError.of(f"{name}: link add {item.name}", errno.EINVAL)
            known = next((i for i in space if isinstance(i, Link) and i.name == item.name), None)
            if known is not None:
                space.discard(known)
                item = replace(item, peer=item.peer or known.peer, parent=item.parent or known.parent)
            if item.parent is not None:
                if not any(isinstance(i, Link) and i.name == item.parent[1] for i in self._space(item.parent[0])):
                    raise KernelError.of(f"{name}: link add {item.name}", errno.ENODEV)
                self._children[item.parent].add((name, item.name))
        elif isinstance(item, Sysctl):
            space -= {i for i in space if isinstance(i, Sysctl) and i.name == item.name}
        elif not any(isinstance(i, Link) and i.name == item.dev for i in space):
            raise KernelError.of(f"{name}: {item}", errno.ENODEV)
        elif isinstance(item, Queue):
            space -= {i for i in space if isinstance(i, Queue) and i.dev == item.dev}
            if any(not any(isinstance(i, Link) and i.name == link for i in space) for link, _ in item.sources):
                raise KernelError.of(f"{name}: {item}", errno.ENODEV)
        space.add(item)

    def _delete(self, name: str, item: Item) -> None:
        if isinstance(item, Link):
            self._drop(name, item.name)
        else:
            self._space(name).discard(item)

    def _drop(self, name: str, link: str) -> None:
        """Remove a link with its addresses and routes, its peer, and the links that have it as parent."""
        space = self.spaces.get(name, set())
        found = next((i for i in space if isinstance(i, Link) and i.name == link), None)
        if found is None:
            return
        self._wireguard.pop((name, link), None)
        space -= {i for i in space if i is found or (not isinstance(i, (Link, Sysctl)) and i.dev == link)}
        if found.parent is not None:
            self._children[found.parent].discard((name, link))
        if found.peer is not None:
            self._drop(*found.peer)
        for child in self._children.pop((name, link), ()):
            self._drop(*child)
