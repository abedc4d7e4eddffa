"""The machine that labs run on, as a Protocol: ``netlab.lab`` uses a kernel through it only.

``KERNELS`` names the kernels of this host. ``netlab.testing.FakeKernel`` is a kernel in memory.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, cast

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.kernel.files import Unsafe
from netlab.kernel.lock import FairLock, Lock
from netlab.kernel.state import Change, Link, Namespace
from netlab.kernel.store import LIST, RECORD, Store
from netlab.objects.types import Address

if TYPE_CHECKING:
    from netlab.kernel import wireguard_state
    from netlab.kernel.captured import ProcessResult as ProcessResult
    from netlab.kernel.program import Program as Program
    from netlab.kernel.sudo_user import User as User

__all__ = [
    "KERNELS",
    "LIST",
    "RECORD",
    "Event",
    "FairLock",
    "Frontend",
    "Inside",
    "Lock",
    "Machine",
    "Match",
    "Store",
    "Unsafe",
    "this_host",
]

# The kernels of this host, by the names that ``netlab up --kernel`` takes: the module and class of each.
KERNELS: Mapping[str, str] = {
    "fast": "netlab.kernel.linux:Linux",
    "pyroute2": "netlab.kernel.linux_pyroute2:PyRoute2",
}
DEFAULT = "fast"

# The type of ``Namespaces.inside``.
Inside = Callable[[str], AbstractContextManager[None]]


class Namespaces(Protocol):
    """Network namespaces, by the names under which they are pinned."""

    def create(self, names: Sequence[str]) -> None:
        """Make namespaces and pin them; raises AlreadyExists, HostError."""

    def begin(self, names: Sequence[str]) -> None:
        """Begin to make namespaces while this process does something else; ``create`` waits for them.

        The caller calls ``create`` with these names, or ``close``.
        """

    def attaching(self, name: str, place: Path, owner: str, device: str) -> AbstractContextManager[None]:
        """During the block, ``create`` of the name pins the namespace of a file, which another program made.

        ``owner`` is a text without a line break. Raises, before the block, UsageError for a file that is none, for the
        namespace of the host or of a lab, and for one with an interface ``device``.
        """

    def owner(self, name: str) -> str:
        """Return the owner of an attached namespace, "" for one that netlab made."""

    def remove(self, names: Sequence[str]) -> None:
        """End the processes in the namespaces and unpin them. Namespaces that netlab did not make stay."""

    def exists(self, name: str) -> bool:
        """Return whether a namespace that netlab made is pinned under the name."""

    def occupied(self, name: str) -> bool:
        """Return whether anything exists under the name, made by netlab or not."""

    def pinned(self, prefix: str) -> list[str]:
        """Return the names with a prefix under which anything exists, made by netlab or not, sorted."""

    def path(self, name: str) -> Path:
        """Return the path under which the namespace is pinned or would be; raises UsageError for an invalid name."""

    def inside(self, name: str) -> AbstractContextManager[None]:
        """Run a block with the calling thread in the namespace. Sockets that the block opens stay in the namespace.

        Raises:
          NotFound: when netlab made no namespace of the name.
          HostError: where this kernel has no sockets.
        """


class Links(Protocol):
    """Links and what is on them, and the settings of namespaces."""

    def read(self, name: str, sysctls: Iterable[str] = (), *, with_queues: bool = False) -> Namespace:
        """Return the items of a namespace, with the named settings, and with queues if asked; raises NotFound."""

    def has_link(self, name: str, link: str) -> bool:
        """Return whether a namespace has a link of a name; raises NotFound."""

    def check_link(self, link: Link) -> None:
        """Make a link like this one where nothing sees it; raises KernelError. It loads the module of the kind."""

    def check_queues(self) -> None:
        """Raise HostError where links can have no queues."""

    def new_wireguard_key(self) -> wireguard_state.Key:
        """Return a new key for a WireGuard device; raises KernelError, with EOPNOTSUPP where there are none."""

    def read_wireguard(self, name: str, link: str) -> wireguard_state.Device:
        """Return the key, the port and the peers of a WireGuard device; raises NotFound, KernelError."""

    def set_wireguard(self, name: str, link: str, change: wireguard_state.Change) -> None:
        """Change the key, the port or peers of a WireGuard device; raises NotFound, KernelError."""

    def apply(self, changes: Sequence[Change]) -> None:
        """Carry out changes: first deletions, then settings, links, addresses, routes, neighbours, queues.

        Raises:
          KernelError: for the first change that the kernel refused, after all changes were tried.
        """

    def wait_until_ready(self, names: Sequence[str]) -> None:
        """Wait until every link of the namespaces carries traffic; raises KernelError after five seconds."""

    def forget_neighbours(self, name: str, addresses: Sequence[Address]) -> None:
        """Delete a namespace's neighbour entries for addresses that have another MAC now; raises NotFound."""


class Rules(Protocol):
    """nftables rulesets, and the connections that they translate."""

    def check_rules(self) -> None:
        """Raise HostError where no ruleset can be loaded."""

    def nft(self, name: str, script: str) -> None:
        """Run an nft script in a namespace as one transaction; raises KernelError. Threads may call it concurrently."""

    def holds(self, name: str, script: str, *, beside: bool = False) -> bool:
        """Return whether a namespace's ruleset equals what the script makes of an empty one.

        With ``beside`` the tables of other programs are ignored.
        """

    def delete_connections(self, name: str, fronts: Sequence[Frontend]) -> None:
        """Delete the tracked connections that were opened to a front and lead to none of its endpoints.

        Raises:
          NotFound, KernelError.
        """

    def monitor(self, name: str, match: Match, families: Sequence[str]) -> AbstractContextManager[Monitor]:
        """Trace the matching packets in the tables of these nft families while a block runs.

        Raises:
          NotFound, HostError, KernelError.
        """


class Monitor(Protocol):
    """Traces packets in one namespace."""

    def events(self) -> list[Event]:
        """Return the events so far, in order; raises KernelError."""


class Programs(Protocol):
    """Programs that run inside namespaces."""

    def execute(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        *,
        hostname: str = "",
        user: User | None = None,
        files: Mapping[str, str] | None = None,
    ) -> NoReturn:
        """Replace this process by a program inside a namespace; raises NotFound, UsageError, HostError.

        ``files`` are the program's own ``/etc/resolv.conf`` and ``/etc/hosts``. With them, it reaches no name service
        of the host. If ``argv`` is a function, it is called in the namespace, and then the process ends.
        """

    def capture(
        self,
        name: str,
        argv: Sequence[str] | Callable[[], object],
        seconds: float,
        *,
        hostname: str = "",
        files: Mapping[str, str] | None = None,
    ) -> ProcessResult:
        """Run a program as ``execute`` does, without privilege, and return how it ended; kill it after ``seconds``.

        The result names an error of ``execute``.

        Raises:
          HostError: when no process can be started.
        """

    def end(self, names: Sequence[str]) -> int:
        """End the processes in the namespaces, except the caller; return their number."""

    def occupied_by_programs(self, names: Sequence[str], number: int = 0) -> set[str]:
        """Return which of the namespaces have processes; send these a signal, unless its number is 0.

        They are not waited for. Namespaces that netlab did not make have none.
        """

    def start(self, program: Program, folder: Path) -> None:
        """Start a program that outlives this process, without privilege; return when it is ready.

        ``folder`` has its files, its output and its id. If the folder's program runs, it is ended first. The caller
        holds the lab's lock.

        Raises:
          NotFound, HostError, KernelError.
        """

    def write(self, folder: Path, name: str, data: bytes, *, secret: bool = False) -> bool:
        """Write a file of a program's folder; return whether it differs from the file before. Raises OSError.

        A secret file can be read by the program's user only.
        """

    def runs(self, program: Program, folder: Path) -> bool:
        """Return whether the program of a folder runs and has this description."""

    def send(self, folder: Path, number: int) -> bool:
        """Send a signal to the program of a folder; return whether it runs."""

    def stop(self, folder: Path) -> None:
        """End the program of a folder, if it runs."""

    def run(self, program: Program, folder: Path) -> tuple[int, str]:
        """Run a program to its end, as ``start`` does; return its exit status and the end of its output.

        Raises:
          HostError, KernelError.
        """

    def nginx(self) -> tuple[str, str]:
        """Return the path of nginx, and the user and group that its configuration must name, "" for none.

        Raises:
          HostError: when there is no nginx; its message says how to get one.
        """

    def reload(self, folder: Path) -> bool:
        """Make the nginx of a folder read its configuration again; return whether the configuration is in force."""

    def has_address(self, name: str, address: Address) -> bool:
        """Return whether a namespace has an address, in whatever way a plugin set it; raises NotFound."""

    def find_plugin(self, kind: str) -> str:
        """Return the path of a CNI plugin; raises HostError where there is none that is safe to run."""

    def plugin(
        self, name: str, kind: str, variables: Mapping[str, str], config: bytes, state: Path | None, seconds: float
    ) -> ProcessResult:
        """Run a CNI plugin in a namespace ("" for a new one), and return how it ended; kill it after ``seconds``.

        ``variables`` are added to a small environment, ``config`` is its input, ``state`` the folder of its state.

        Raises:
          NotFound, HostError.
        """


class Privilege(Protocol):
    """The privilege to make namespaces, and the identity of the running kernel."""

    def enter(self, *, start: bool = True) -> bool:
        """Get the privilege to make namespaces; return whether this process has it.

        With ``start`` off nothing is started for it, and False means that the user has no lab.

        Raises:
          HostError: when the host does not allow it.
        """

    def check(self) -> None:
        """Raise HostError where the namespaces that this process made are gone."""

    def boot_id(self) -> str:
        """Return the identity of this boot. Namespaces of another boot are gone."""

    def uninterrupted(self) -> AbstractContextManager[None]:
        """Defer the signals that end this process until the block ends."""


class Machine(Namespaces, Links, Rules, Programs, Privilege, Protocol):
    """The machine that labs run on."""

    @property
    def store(self) -> Store:
        """The records and locks of the machine's labs."""

    def close(self) -> None:
        """Close open files and sockets; the namespaces stay."""


@frozen
class Event:
    """One line of a trace: a packet that enters a base chain, a rule that matched, or the end of a chain.

    ``id`` is the packet's. ``text`` is the packet's fields or the rule. ``verdict`` is nft's (``continue``, ``jump
    egress_class``, ``drop``), "" for a packet.
    """

    id: str
    family: str
    table: str
    chain: str
    kind: Literal["packet", "rule", "policy", "verdict"]
    text: str
    verdict: str = ""


@frozen
class Match:
    """The packets to trace: of a protocol (TCP, UDP, SCTP, ICMP), between these addresses, to these ports."""

    protocol: str
    sources: Sequence[Address]
    destinations: Sequence[Address]
    ports: Sequence[int] = ()


@frozen
class Frontend:
    """An address, protocol and port that a node translates, and the addresses and ports that it may lead to."""

    address: Address
    protocol: str
    port: int
    endpoints: frozenset[tuple[Address, int]] = frozenset()


def this_host(name: str = "") -> Machine:
    """Return this host with the kernel of the name, by default ``DEFAULT``; raises UsageError for an unknown name."""
    where = KERNELS.get(name or DEFAULT)
    if where is None:
        raise UsageError(f"no kernel {name!r}; it is one of {', '.join(KERNELS)}")
    module, _, kind = where.partition(":")
    return cast(Machine, getattr(importlib.import_module(module), kind)())
