"""This host as a machine, without links: what the kernels of ``machine.KERNELS`` share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from netlab.frozen import NamedTuple
from netlab.kernel import netns, nft, privilege, processes, signals
from netlab.kernel.machine import Frontend, Match, Store
from netlab.kernel.store import HOST

if TYPE_CHECKING:
    from netlab.kernel import wireguard_state
    from netlab.kernel.captured import ProcessResult
    from netlab.kernel.netns_maker import Maker
    from netlab.kernel.nft_trace import Monitor
    from netlab.kernel.program import Program
    from netlab.kernel.state import Link
    from netlab.kernel.sudo_user import User
    from netlab.objects.types import Address


class _Attached(NamedTuple):
    """A namespace that another program made, and the name that it gets."""

    name: str
    place: Path
    owner: str


_NOTHING = _Attached("", Path(), "")
# For fewer namespaces, starting a process takes as long as it saves: docs/performance.md.
MANY = 80


class Host:
    """Namespaces, rules, programs and privilege of this host, as ``netlab.kernel.machine`` defines them."""

    _attached = _NOTHING
    _maker: Maker | None = None

    @property
    def store(self) -> Store:
        return HOST

    # --- namespaces ---------------------------------------------------------------------------------------------

    def begin(self, names: Sequence[str]) -> None:
        if len(names) >= MANY and not self._attached.name:
            from netlab.kernel.netns_maker import Maker

            self._maker = Maker(names)
            self._maker.start()

    def create(self, names: Sequence[str]) -> None:
        with netns.returning():
            for name in names:
                if name == self._attached.name:
                    netns.attach(*self._attached)
                elif self._maker is not None and self._maker.made(name):
                    netns.enter(name)
                else:
                    netns.create(name)
                self._made(name)

    @contextlib.contextmanager
    def attaching(self, name: str, place: Path, owner: str, device: str) -> Iterator[None]:
        netns.check_foreign(place, device)
        self._attached = _Attached(name, place, owner)
        try:
            yield
        finally:
            self._attached = _NOTHING

    def owner(self, name: str) -> str:
        return netns.owner(name)

    def _made(self, name: str) -> None:
        """Open a new namespace; the calling thread is inside."""

    def close(self) -> None:
        if self._maker is not None:
            self._maker.end()
            self._maker = None

    def remove(self, names: Sequence[str]) -> None:
        self.end(names)
        for name in names:
            self._forget(name)
            netns.remove(name)

    def _forget(self, name: str) -> None:
        """Close what is open in a namespace."""

    def exists(self, name: str) -> bool:
        return netns.exists(name)

    def occupied(self, name: str) -> bool:
        return os.path.lexists(netns.path(name))

    def pinned(self, prefix: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(netns.DIRECTORY) if name.startswith(prefix))
        except FileNotFoundError:
            return []

    def path(self, name: str) -> Path:
        return netns.path(name)

    def inside(self, name: str) -> AbstractContextManager[None]:
        return netns.inside(name)

    def has_link(self, name: str, link: str) -> bool:
        from netlab.kernel.interfaces import exists

        with netns.inside(name):
            return exists(link)

    # --- rules --------------------------------------------------------------------------------------------------

    def check_rules(self) -> None:
        nft.program()

    def check_link(self, link: Link) -> None:
        from netlab.kernel.link_trial import check

        check(link)

    def check_queues(self) -> None:
        from netlab.kernel import queues

        queues.check()

    def new_wireguard_key(self) -> wireguard_state.Key:
        from netlab.kernel import wireguard

        return wireguard.new_key()

    def read_wireguard(self, name: str, link: str) -> wireguard_state.Device:
        from netlab.kernel import wireguard

        return wireguard.read(name, link)

    def set_wireguard(self, name: str, link: str, change: wireguard_state.Change) -> None:
        from netlab.kernel import wireguard

        wireguard.apply(name, link, change)

    def nft(self, name: str, script: str) -> None:
        nft.load(name, script)

    def holds(self, name: str, script: str, *, beside: bool = False) -> bool:
        return nft.holds(name, script, beside=beside)

    def delete_connections(self, name: str, fronts: Sequence[Frontend]) -> None:
        from netlab.kernel import conntrack

        conntrack.delete(name, fronts)

    def forget_neighbours(self, name: str, addresses: Sequence[Address]) -> None:
        from netlab.kernel import neighbours

        neighbours.forget(name, [one.packed for one in addresses])

    def monitor(self, name: str, match: Match, families: Sequence[str]) -> Monitor:
        from netlab.kernel.nft_trace import Monitor

        return Monitor(name, match, families)

    # --- programs -----------------------------------------------------------------------------------------------

    def execute(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        *,
        hostname: str = "",
        user: User | None = None,
        files: Mapping[str, str] | None = None,
    ) -> NoReturn:
        from netlab.kernel.execute import execute

        execute(name, argv, hostname=hostname, user=user, files=files)

    def capture(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        seconds: float,
        *,
        hostname: str = "",
        files: Mapping[str, str] | None = None,
    ) -> ProcessResult:
        from netlab.kernel import sudo_user
        from netlab.kernel.captured import captured

        user = sudo_user.confined()
        return captured(lambda: self.execute(name, argv, hostname=hostname, user=user, files=files), seconds)

    def end(self, names: Sequence[str]) -> int:
        inodes = {name: inode for name in names if (inode := netns.inode(name)) is not None}
        marks = frozenset(netns.mark(name, inode) for name, inode in inodes.items())
        # In a container's namespace only the programs that netlab started are ended.
        own = {inode for name, inode in inodes.items() if not netns.owner(name)}
        return processes.end(processes.ProcessFilter(own, marks)) if inodes else 0

    def occupied_by_programs(self, names: Sequence[str], number: int = 0) -> set[str]:
        inodes = {inode: name for name in names if (inode := netns.inode(name)) is not None and not netns.owner(name)}
        return {inodes[one] for one in processes.inside(inodes.keys(), number)} if inodes else set()

    def start(self, program: Program, folder: Path) -> None:
        from netlab.kernel import daemons

        daemons.start(program, folder)

    def write(self, folder: Path, name: str, data: bytes, *, secret: bool = False) -> bool:
        from netlab.kernel import daemons

        return daemons.write(folder, name, data, secret=secret)

    def runs(self, program: Program, folder: Path) -> bool:
        from netlab.kernel import daemons

        return daemons.runs(program, folder)

    def send(self, folder: Path, number: int) -> bool:
        from netlab.kernel import daemons

        return daemons.send(folder, number)

    def stop(self, folder: Path) -> None:
        from netlab.kernel import daemons

        daemons.stop(folder)

    def run(self, program: Program, folder: Path) -> tuple[int, str]:
        from netlab.kernel import daemons

        return daemons.run(program, folder)

    def nginx(self) -> tuple[str, str]:
        from netlab.kernel import nginx

        return nginx.program(), nginx.user()

    def reload(self, folder: Path) -> bool:
        from netlab.kernel import nginx

        return nginx.reload(folder)

    def has_address(self, name: str, address: Address) -> bool:
        from netlab.kernel import plugins

        with self.inside(name):
            return plugins.has_address(address)

    def find_plugin(self, kind: str) -> str:
        from netlab.kernel import plugins

        return plugins.find(kind)

    def plugin(
        self, name: str, kind: str, variables: Mapping[str, str], config: bytes, state: Path | None, seconds: float
    ) -> ProcessResult:
        from netlab.kernel import plugins

        return plugins.run(name, kind, variables, config, state, seconds)

    # --- privilege ----------------------------------------------------------------------------------------------

    def enter(self, *, start: bool = True) -> bool:
        return privilege.enter(start=start)

    def check(self) -> None:
        privilege.check()

    def boot_id(self) -> str:
        return privilege.boot_id()

    def uninterrupted(self) -> AbstractContextManager[None]:
        return signals.deferred()
