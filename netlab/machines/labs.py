"""Where the commands of this process build and find labs: on this host, or on the machines of an etcd."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from netlab.errors import UsageError
from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.lab.lab import Lab
    from netlab.machines.etcd import Etcd
    from netlab.objects import Objects
    from netlab.store.etcd_settings import EtcdSettings

AGENT_DIRECTORY = Path("/run/netlab-agent")
"""What the agent of this machine keeps until it ends."""

# The end of the name of a file that an agent has for each lab with a part on this machine.
PROCESS = ".process"
# Seconds.
_LONGEST_LEASE = 600


class Removed(NamedTuple):
    """The outcome of a removal.

    ``left`` has the network namespaces that stayed, as no record says whose they are. ``away`` has the machines that
    remove their part when they are back. ``returns`` says that the lab was a part, which the agent of this machine
    builds again.
    """

    left: Sequence[str] = ()
    away: Sequence[str] = ()
    returns: bool = False


class Labs(Protocol):
    """A place for labs."""

    def up(
        self,
        objects: Objects,
        *,
        name: str = "",
        cluster: Cluster | None = None,
        kernel: str = "",
        encrypted: bool | None = None,
    ) -> Lab:
        """Build a lab or change it to this input; other arguments and errors are those of ``Lab.up``.

        ``encrypted``: whether WireGuard encrypts what machines send to one another; None: as before.
        """
        ...

    def open(self, name: str = "") -> Lab:
        """Return a running lab; see ``Lab.open``."""
        ...

    def repaired(self, name: str = "") -> Lab:
        """Return a running lab, repaired where a change of it broke off; see ``netlab.lab.repair``."""
        ...

    def names(self) -> list[str]:
        """Return the names of all labs, sorted."""
        ...

    def temporary(self, objects: Objects, *, cluster: Cluster | None = None) -> AbstractContextManager[Lab]:
        """Build a lab for a block under a name of its own; see ``Lab.temporary``."""
        ...

    def remove(self, name: str) -> Removed:
        """Remove a lab; raises UsageError where there is none."""
        ...

    def remove_all(self) -> Iterator[tuple[str, Removed]]:
        """Remove all labs; yield each with the outcome."""
        ...


class LocalLabs:
    """The labs of this host."""

    def up(
        self,
        objects: Objects,
        *,
        name: str = "",
        cluster: Cluster | None = None,
        kernel: str = "",
        encrypted: bool | None = None,
    ) -> Lab:
        if encrypted:
            raise UsageError("--encrypt is for labs on many machines: name their etcd with --etcd")
        from netlab.kernel.machine import this_host
        from netlab.lab.lab import Lab

        return Lab.up(objects, name=name, machine=this_host(kernel), cluster=cluster)

    def open(self, name: str = "") -> Lab:
        from netlab.lab.lab import Lab

        return Lab.open(name)

    def repaired(self, name: str = "") -> Lab:
        from netlab.lab.repair import repair

        repair(name)
        return self.open(name)

    def names(self) -> list[str]:
        from netlab.lab import removal

        return removal.names()

    def temporary(self, objects: Objects, *, cluster: Cluster | None = None) -> AbstractContextManager[Lab]:
        from netlab.lab.lab import Lab

        return Lab.temporary(objects, cluster=cluster)

    def remove(self, name: str) -> Removed:
        from netlab.lab import removal

        return Removed(removal.remove(name), returns=_has_agent(name))

    def remove_all(self) -> Iterator[tuple[str, Removed]]:
        from netlab.lab import removal

        for name, left in removal.remove_all():
            yield name, Removed(left, returns=_has_agent(name))


def _has_agent(lab: str) -> bool:
    """Return whether an agent of this machine builds the part of a lab."""
    return (AGENT_DIRECTORY / f"{lab}{PROCESS}").exists()


_choose: Callable[[], Labs] = LocalLabs


def labs() -> Labs:
    """Return the place for labs of this process; raises HostError where a package for it is missing."""
    return _choose()


def etcd() -> Etcd | None:
    """Return the etcd whose machines this process uses, None for this host; raises HostError, UsageError."""
    return getattr(labs(), "etcd", None)


def use(choose: Callable[[], Labs] | None = None) -> None:
    """Use another place from now on, which ``choose`` returns when it is needed; None: this host."""
    global _choose
    _choose = LocalLabs if choose is None else functools.cache(choose)


def use_etcd(endpoints: str) -> None:
    """Use the machines of an etcd from now on, "" for this host; the endpoints are separated by commas."""
    if not endpoints:
        use()
        return

    def choose() -> Labs:
        from netlab.machines.etcd_labs import EtcdLabs

        return EtcdLabs(settings_of(endpoints, os.environ))

    use(choose)


def settings_of(endpoints: str, environment: Mapping[str, str]) -> EtcdSettings:
    """Return the settings of endpoints, separated by commas, with what ``NETLAB_ETCD_…`` says of TLS and the user.

    ``NETLAB_ETCD_LEASE`` has the seconds after which a machine or a command that died counts as away.

    Raises:
      UsageError: if a value is wrong.
    """
    from netlab.store.etcd_settings import settings

    names = {"ca": "CACERT", "cert": "CERT", "key": "KEY", "user": "USER", "password": "PASSWORD", "prefix": "PREFIX"}
    found = {field: environment.get(f"NETLAB_ETCD_{name}", "") for field, name in names.items()}
    given = {field: value for field, value in found.items() if value}
    lease = environment.get("NETLAB_ETCD_LEASE", "10")
    if not (lease.isascii() and lease.isdigit() and 1 < int(lease[:9]) <= _LONGEST_LEASE):
        raise UsageError(f"NETLAB_ETCD_LEASE: it must be a number of seconds from 2 to {_LONGEST_LEASE}")
    urls = [one.strip() for one in endpoints.split(",") if one.strip()]
    return settings(urls, **given, lease=int(lease))  # type: ignore[arg-type]


@contextlib.contextmanager
def temporary(objects: Objects, *, cluster: Cluster | None = None) -> Iterator[Lab]:
    """Build a lab for a ``with`` block where labs of this process are, and remove it after the block."""
    with labs().temporary(objects, cluster=cluster) as lab:
        yield lab
