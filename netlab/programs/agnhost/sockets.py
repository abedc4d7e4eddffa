"""Addresses, names and sockets as Go's package net has them; and lines of a log as its package log writes them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from netlab.programs.agnhost import sctp

KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, sctp.PROTOCOL),
}
_BACKLOG = 1024
_NO_IPV6 = (97, 99)  # EAFNOSUPPORT, EADDRNOTAVAIL
_MAPPED = "::ffff:"
# Connections that are served at a time.
_MOST_THREADS = threading.BoundedSemaphore(400)


class Address(NamedTuple):
    """An address of the IP family that it says, and a port."""

    family: int
    host: str
    port: int

    def __str__(self) -> str:
        return joined(self.host, self.port)


def put(text: str) -> None:
    """Write a text to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def log(text: str) -> None:
    """Write a line with the time to standard error."""
    line = f"{time.strftime('%Y/%m/%d %H:%M:%S')} {text.rstrip()}\n"
    try:
        os.write(2, line.encode(errors="surrogateescape"))
    except OSError:
        return


def fatal(text: str) -> NoReturn:
    """Write a line to the log and end the process with exit code 1."""
    log(text)
    end(1)


def end(code: int) -> NoReturn:
    """End the process at once, from any thread."""
    sys.stdout.flush()
    os._exit(code)


def at_end(call: Callable[[], object]) -> None:
    """Call a function at SIGTERM, also at one that came before: the process may have begun with the signal blocked."""
    signal.signal(signal.SIGTERM, lambda number, frame: call())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def split(text: str) -> tuple[str, str]:
    """Return host and port of ``host:port`` or ``[host]:port``; raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"address {text}: missing port in address")
    if host.startswith("["):
        if not host.endswith("]"):
            raise ValueError(f"address {text}: missing port in address")
        return host[1:-1], port
    if ":" in host:
        raise ValueError(f"address {text}: too many colons in address")
    return host, port


def joined(host: str, port: object) -> str:
    """Return ``host:port``, with brackets for an address of IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(text: str, kind: str) -> list[Address]:
    """Return the addresses of ``host:port``, IPv4 before IPv6; raises ValueError."""
    host, port = split(text)
    try:
        number = int(port) if port.isdecimal() else socket.getservbyname(port, "udp" if kind == "udp" else "tcp")
    except OSError as error:
        raise ValueError(f"lookup {kind}/{port}: unknown port") from error
    if number > 65535:
        raise ValueError(f"address {port}: invalid port")
    try:
        # As bytes, so that no codec is looked for.
        found = socket.getaddrinfo(host.encode() or b"localhost", number, type=KINDS["tcp"][0])
    except (OSError, UnicodeError) as error:
        raise ValueError(f"lookup {host}: {_no_host(error)}") from error
    addresses = [Address(family, where[0], number) for family, _, _, _, where in found if isinstance(where[0], str)]
    return sorted(dict.fromkeys(addresses), key=lambda one: one.family != socket.AF_INET)


def _no_host(error: Exception) -> str:
    temporary = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    return "server misbehaving" if temporary else "no such host"


def peer(where: Any) -> str:
    """Return an address of a socket as Go writes it, with an IPv4 address for a mapped one."""
    host, port = where[0].partition("%")[0], where[1]
    return joined(host.removeprefix(_MAPPED), port)


def new_socket(family: int, kind: str) -> socket.socket:
    """Return a socket of a protocol; that of SCTP may be one in user space. Raises OSError."""
    made: socket.socket = sctp.open_socket(family) if kind == "sctp" else socket.socket(family, *KINDS[kind])
    return made


def listen(kind: str, port: int, host: str = "") -> socket.socket:
    """Return a socket that listens on a port, on both IP families unless ``host`` names an address.

    Raises:
      OSError, OverflowError: also for a kernel without the protocol.
    """
    if host:
        return _bound(socket.AF_INET6 if ":" in host else socket.AF_INET, kind, port, host)
    try:
        return _bound(socket.AF_INET6, kind, port, "")
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
        return _bound(socket.AF_INET, kind, port, "")


def _bound(family: int, kind: str, port: int, host: str) -> socket.socket:
    made = new_socket(family, kind)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind != "udp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        if kind != "udp":
            made.listen(_BACKLOG)
    except (OSError, OverflowError):
        made.close()
        raise
    return made


def why(error: BaseException) -> str:
    """Return the text of an error as Go has it, in small letters."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


def in_thread(work: Callable[..., object], *arguments: object) -> None:
    """Run a function beside this one, to the end of the process."""
    threading.Thread(target=work, args=arguments, daemon=True).start()


def accept_forever(listener: socket.socket, serve: Callable[[socket.socket, str], None]) -> None:
    """Serve each connection in a thread of its own; the number of threads is bounded.

    Raises:
      OSError: when the socket fails.
    """
    while True:
        try:
            connection, where = listener.accept()
        except ConnectionAbortedError:
            continue
        _MOST_THREADS.acquire()
        in_thread(_serve, serve, connection, peer(where))


def _serve(serve: Callable[[socket.socket, str], None], connection: socket.socket, where: str) -> None:
    try:
        with connection:
            serve(connection, where)
    except OSError:
        # The client is gone.
        return
    finally:
        _MOST_THREADS.release()
