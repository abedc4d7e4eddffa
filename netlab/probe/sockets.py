"""The sockets of a run: in every namespace one sender for each family, and a receiver for each protocol and family."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any, Protocol

from netlab.errors import HostError
from netlab.kernel.machine import Inside
from netlab.kernel.raw_sockets import Receiver, Sender, Waiter, raise_file_limit
from netlab.probe import filters
from netlab.probe.decode import Observation, decode, decode6
from netlab.probe.templates import CONTROL, number

RECEIVE_BUFFER = 1 << 20
# A protocol and an IP family.
Kind = tuple[str, int]


class Wakener(Protocol):
    """A file that is ready when something else than a packet has come."""

    def fileno(self) -> int: ...

    def clear(self) -> None:
        """Make the file not ready."""
        ...


class NamespaceSockets:
    """The sockets of one namespace; ``index`` numbers the namespaces of a run from zero."""

    def __init__(self, index: int, namespace: str) -> None:
        self.index = index
        self.namespace = namespace
        self.receivers: dict[Kind, Receiver] = {}
        # By family.
        self.senders: dict[int, Sender] = {}

    def open(self, programs: Mapping[Kind, bytes]) -> dict[Kind, Receiver]:
        """Open the missing senders and receivers in the calling thread's namespace; return the new receivers."""
        opened = {}
        for kind, program in programs.items():
            protocol, family = kind
            if family not in self.senders:
                self.senders[family] = Sender(family)
            if kind not in self.receivers:
                receiver = Receiver(family, number(protocol, family), program, filters.SNAPSHOT, RECEIVE_BUFFER)
                opened[kind] = self.receivers[kind] = receiver
        return opened

    def close(self) -> None:
        for sender in self.senders.values():
            sender.close()
        for receiver in self.receivers.values():
            receiver.close()


class Sockets:
    """The sockets of all namespaces of a run, read together.

    Namespaces for which ``here`` returns false are on other machines: their sockets stay closed.
    """

    def __init__(
        self, first_ident: int, ports: range, inside: Inside, here: Callable[[str], bool] | None = None
    ) -> None:
        self._here = here
        self._inside = inside
        self._first_ident = first_ident
        self._ports = ports
        self._by_name: dict[str, NamespaceSockets] = {}
        # By file number.
        self._receivers: dict[int, tuple[NamespaceSockets, Receiver]] = {}
        # By file number: what reads a packet, or raises OSError where there is none; and what decodes it.
        self._readers: dict[int, tuple[NamespaceSockets, Callable[[], Any], Callable[[Any], Observation | None]]] = {}
        self._programs: dict[Kind, bytes] = {}
        self._protocols: dict[str, None] = {CONTROL: None, "ICMP": None}
        self._families: dict[int, None] = {}
        self._waiter = Waiter()
        raise_file_limit()

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, namespace: str) -> NamespaceSockets:
        """Return the sockets of a namespace; they are open after the next ``open``."""
        known = self._by_name.get(namespace)
        if known is None:
            known = self._by_name[namespace] = NamespaceSockets(len(self._by_name), namespace)
        return known

    def open(self, protocols: Iterable[str] = (), families: Iterable[int] = ()) -> None:
        """Open sockets in every namespace: for these protocols and families, earlier ones, ICMP and the control.

        Raises:
          NotFound: when a namespace is not there.
          HostError: when the process may not open so many sockets, or no raw ones.
        """
        self._protocols |= dict.fromkeys(protocols)
        self._families |= dict.fromkeys(families)
        for kind in product(self._protocols, self._families):
            if kind not in self._programs:
                self._programs[kind] = filters.program(kind[0], self._first_ident, self._ports, kind[1])
        for sockets in self._by_name.values():
            if len(sockets.receivers) == len(self._programs):
                continue
            if self._here is not None and not self._here(sockets.namespace):
                continue
            with self._inside(sockets.namespace):
                try:
                    opened = sockets.open(self._programs)
                except OSError as error:
                    raise _refused(error, sockets.namespace) from error
            for kind, receiver in opened.items():
                self._receivers[receiver.fileno()] = sockets, receiver
                self._readers[receiver.fileno()] = sockets, *_reader(receiver, *kind)
                self._waiter.add(receiver)

    def wake(self, file: Wakener) -> None:
        """End the wait of ``receive`` when a file is ready; ``file.clear`` is called then."""
        self._readers[file.fileno()] = NamespaceSockets(-1, ""), file.clear, lambda nothing: None
        self._waiter.add(file)

    def receive(self, seconds: float) -> Iterator[tuple[NamespaceSockets, Observation]]:
        """Wait up to ``seconds`` for a packet, then yield packets until none is left."""
        readers = self._readers
        # One packet of each ready socket at a time: reading an empty socket costs more than epoll.
        while ready := self._waiter.ready(seconds):
            seconds = 0
            for file_number, _ in ready:
                sockets, read, decoded = readers[file_number]
                try:
                    packet = read()
                except OSError:
                    continue
                seen = decoded(packet)
                if seen is not None:
                    yield sockets, seen

    def overflowed(self) -> set[int]:
        """Return the indexes of the namespaces whose sockets dropped packets since the last call."""
        return {sockets.index for sockets, receiver in self._receivers.values() if receiver.overflowed()}

    def overflowed_names(self) -> set[str]:
        """Return the names of the namespaces whose sockets dropped packets since the last call."""
        return {sockets.namespace for sockets, receiver in self._receivers.values() if receiver.overflowed()}

    def close(self) -> None:
        self._waiter.close()
        for sockets in self._by_name.values():
            sockets.close()


def _reader(
    receiver: Receiver, protocol: str, family: int
) -> tuple[Callable[[], Any], Callable[[Any], Observation | None]]:
    """Return a function that reads a packet of a receiver, and one that decodes it."""
    if family == 4:
        return receiver.read, partial(decode, protocol)
    return receiver.read_with_peer, lambda packet: decode6(protocol, *packet)


def _refused(error: OSError, namespace: str) -> HostError:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return HostError(
            "too many open files: a probe needs some five for each pod and IP family", "raise the limit: ulimit -n"
        )
    return HostError(f"cannot open a raw socket in {namespace}: {os.strerror(error.errno or 0)}")
