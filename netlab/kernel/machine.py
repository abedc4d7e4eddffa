"""The machine that labs run on, as a Protocol: the only door from ``netlab.lab`` to a kernel.

``KERNELS`` names those that there are. ``netlab.testing.FakeKernel`` is one more, in memory.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, cast

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.kernel.files import Unsafe
from netlab.kernel.lock import Lock, Turns
from netlab.kernel.state import Change, Namespace
from netlab.kernel.store import LIST, RECORD, Store
from netlab.objects.types import Address

if TYPE_CHECKING:
    from netlab.kernel.caller import User as User

__all__ = ["KERNELS", "LIST", "RECORD", "Event", "Lock", "Machine", "Match", "Store", "Turns", "Unsafe", "this_host"]

# The kernels of this host, by the names that ``netlab up --kernel`` takes: the module and class of each.
KERNELS: Mapping[str, str] = {
    "fast": "netlab.kernel.linux:Linux",
    "pyroute2": "netlab.kernel.plain:PyRoute2",
}
DEFAULT = "fast"


class Namespaces(Protocol):
    """Network namespaces, by the names under which they are pinned."""

    def create(self, names: Sequence[str]) -> None:
        """Make and pin namespaces; raises AlreadyExists, HostError."""

    def remove(self, names: Sequence[str]) -> None:
        """End what runs in the namespaces and unpin them, but for those that are not there or not netlab's."""

    def exists(self, name: str) -> bool:
        """Say whether netlab pinned a namespace under the name."""

    def occupied(self, name: str) -> bool:
        """Say whether there is anything under the name, a namespace of netlab's or not."""

    def pinned(self, prefix: str) -> list[str]:
        """Return all that is there under names with a prefix, whoever made it, sorted."""

    def path(self, name: str) -> Path:
        """Return where the namespace of that name is or would be pinned; raises UsageError for what is no name."""

    def inside(self, name: str) -> AbstractContextManager[None]:
        """Run a block with the calling thread in the namespace: sockets that it opens stay there; raises NotFound.

        Raises:
          HostError: where this kernel has no sockets.
        """


class Links(Protocol):
    """Links and what is on them, and the settings of namespaces."""

    def read(self, name: str, sysctls: Iterable[str] = ()) -> Namespace:
        """Return what a namespace holds, with the named settings; raises NotFound."""

    def apply(self, changes: Sequence[Change]) -> None:
        """Carry out changes: deletions first, then settings, links, addresses, routes, neighbours.

        Raises:
          KernelError: for the first change that the kernel refuses, when all others were tried.
        """

    def settle(self, names: Sequence[str]) -> None:
        """Return when every link of the namespaces carries traffic; raises KernelError after five seconds."""


class Rules(Protocol):
    """nftables rulesets."""

    def check_rules(self) -> None:
        """Raise HostError where no ruleset can be loaded."""

    def nft(self, name: str, script: str) -> None:
        """Run an nft script in a namespace as one transaction; raises KernelError. Threads may call it side by side."""

    def holds(self, name: str, script: str) -> bool:
        """Say whether a namespace's ruleset is exactly what the script makes of an empty one."""

    def monitor(self, name: str, match: Match, families: Sequence[str]) -> AbstractContextManager[Monitor]:
        """Trace the matching packets in the tables of these nft families while a block runs.

        Raises:
          NotFound, HostError, KernelError.
        """


class Monitor(Protocol):
    """What traces packets in one namespace."""

    def events(self) -> list[Event]:
        """Return what was traced so far, in order; raises KernelError."""


class Programs(Protocol):
    """Programs that run inside namespaces."""

    def execute(self, name: str, argv: Sequence[str], *, hostname: str = "", user: User | None = None) -> NoReturn:
        """Become a program inside a namespace, as a user; raises NotFound, UsageError, HostError."""

    def end(self, names: Sequence[str]) -> int:
        """End what runs in the namespaces, the caller aside; return how many processes there were."""


class Privilege(Protocol):
    """What a process needs to make namespaces at all."""

    def enter(self, *, start: bool = True) -> bool:
        """Make sure that this process may make namespaces; with ``start`` off, False says that there can be no lab.

        Raises:
          HostError: when the host does not allow it.
        """

    def check(self) -> None:
        """Raise HostError where all namespaces that this process made are gone."""

    def boot_id(self) -> str:
        """Return the identity of this run of the kernel: what is of another run is gone."""

    def uninterrupted(self) -> AbstractContextManager[None]:
        """Hold back what asks this process to end while a block runs."""


class Machine(Namespaces, Links, Rules, Programs, Privilege, Protocol):
    """What labs run on."""

    @property
    def store(self) -> Store:
        """Where the records of the machine's labs are, and their locks."""

    def close(self) -> None:
        """Let go of what is open; the namespaces stay."""


@frozen
class Event:
    """One line of a trace: a packet that enters a base chain (``text`` its fields), a rule that matched, or an end.

    ``id`` is the packet's; ``verdict`` is nft's (``continue``, ``jump egress_class``, ``drop``), "" of a packet.
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


def this_host(name: str = "") -> Machine:
    """Return this host by the kernel of that name, by the default one where none is named; raises UsageError."""
    where = KERNELS.get(name or DEFAULT)
    if where is None:
        raise UsageError(f"no kernel {name!r}; it is one of {', '.join(KERNELS)}")
    module, _, kind = where.partition(":")
    return cast(Machine, getattr(importlib.import_module(module), kind)())
