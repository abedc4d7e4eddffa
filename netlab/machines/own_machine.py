"""This machine as its agent registers it: its address, the MTU there, and an identity that stays until it boots."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from importlib import metadata
from ipaddress import ip_address
from urllib.parse import urlsplit

from netlab.errors import HostError, UsageError
from netlab.kernel import interfaces, raw_sockets
from netlab.kernel.files import Unsafe, check_private, make_private, read_private, write_private
from netlab.kernel.lock import Lock
from netlab.machines.labs import AGENT_DIRECTORY as DIRECTORY
from netlab.machines.labs import PROCESS
from netlab.objects.names import LabName
from netlab.objects.types import Address
from netlab.store.etcd_settings import EtcdSettings


def version() -> str:
    """Return the version of this netlab."""
    return metadata.version("netlab")


_MOST = 200


def own_address(text: str, settings: EtcdSettings) -> tuple[Address, int]:
    """Return this machine's address for other machines, and the MTU of its interface in bytes.

    Without ``text`` it is the address from which packets to etcd leave.

    Raises:
      UsageError: if no interface has the address, or none is found.
    """
    if text:
        try:
            address = ip_address(text)
        except ValueError as error:
            raise UsageError(f"--address: {error}") from None
    else:
        address = _towards(settings)
    if address.is_loopback:
        raise UsageError(f"--address: other machines do not reach {address}, a loopback address")
    mtu = interfaces.mtu_of(address)
    if mtu is None:
        raise UsageError(f"--address: no interface of this machine has {address}")
    return address, mtu


def _towards(settings: EtcdSettings) -> Address:
    for url in settings.endpoints:
        host = urlsplit(url).hostname or ""
        with contextlib.suppress(ValueError):
            other = ip_address(host)
            found = raw_sockets.source_of(host, other.version)
            if found and not ip_address(found).is_loopback:
                return ip_address(found)
    raise UsageError("--address: name the address at which other machines reach this one")


def known_identity() -> str:
    """Return the identity of this machine, "" where no agent runs, or this process may not know it."""
    try:
        return read_private(DIRECTORY / "identity", _MOST).decode(errors="replace")
    except (OSError, Unsafe):
        return ""


@contextlib.contextmanager
def identity() -> Iterator[str]:
    """Hold the only agent of this machine during a block; yield the machine's identity.

    Raises:
      UsageError: if an agent runs on this machine already.
      HostError: if the directory of the agent cannot be written.
    """
    file = DIRECTORY / "identity"
    with _writing():
        make_private(DIRECTORY)
        check_private(DIRECTORY)
        lock = Lock(DIRECTORY / "lock")
        if not lock.acquire(wait=False):
            raise UsageError("an agent runs on this machine already")
    try:
        with _writing():
            try:
                text = read_private(file, _MOST).decode()
            except (FileNotFoundError, UnicodeDecodeError):
                text = ""
            if not text:
                text = secrets.token_hex(16)
                write_private(file, text.encode())
        yield text
    finally:
        with contextlib.suppress(OSError):
            for left in DIRECTORY.glob(f"*{PROCESS}"):
                # Of a process that was killed.
                if (one := Lock(left)).acquire(wait=False):
                    one.remove()
                one.release()
            file.unlink(missing_ok=True)
            lock.remove()
            os.rmdir(DIRECTORY)


@contextlib.contextmanager
def only_process(lab: str) -> Iterator[None]:
    """Hold the only process of a lab on this machine during a block; wait until another one has ended.

    Raises:
      HostError: if the directory of the agent cannot be written.
    """
    with _writing():
        lock = Lock(DIRECTORY / f"{LabName(lab)}{PROCESS}")
        lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.remove()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except Unsafe as error:
        raise HostError(f"{error}", f"remove it: sudo rm -r {DIRECTORY}") from error
    except OSError as error:
        raise HostError(f"cannot write {DIRECTORY}: {error.strerror}") from error
