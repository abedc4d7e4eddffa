"""A program that answers HTTP, TCP and UDP with what it sees of the client, as Kubernetes' ``agnhost netexec`` does.

``python -m netlab.programs.echo --http 8080 --tcp 5432 --udp 5353`` listens on both IP families and prints nothing.

- HTTP answers every path with JSON: hostname, client, method, path, host and headers. ``/hostname``, ``/clientip`` and
  ``/echo?msg=TEXT`` answer with text.
- TCP and UDP answer ``hostname`` and ``clientip`` with text and ``echo TEXT`` with TEXT. They send all else back.

It needs the standard library only. It imports nothing while it runs, as its user may not be able to read modules. The
number of connections, the size of a request and the time of a connection are bounded.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

from netlab.frozen import NamedTuple

CONNECTIONS = 256
REQUEST = 1 << 16
"""The largest request in bytes, its body included; also the largest text that waits to be sent."""
IDLE = 30.0
"""Seconds without traffic after which a connection is closed."""

HTTP, TCP, UDP = "http", "tcp", "udp"
_CHUNK = 1 << 14
_DATAGRAM = 1 << 16
_END_OF_HEAD = b"\r\n\r\n"


def listening(kind: str, port: int) -> socket.socket:
    """Return a socket that listens on a port of both IP families, or of IPv4 if the kernel has no IPv6.

    Raises:
      OSError: when the port is in use, or this user may not listen on it.
    """
    try:
        return _bound(socket.AF_INET6, kind, port)
    except OSError as error:
        if error.errno is not None and error.errno in _NO_IPV6:
            return _bound(socket.AF_INET, kind, port)
        raise


Listener = tuple[str, socket.socket, str]
"""What a socket answers (``HTTP``, ``TCP`` or ``UDP``), the socket, and the hostname to answer with."""


class Request(NamedTuple):
    """A request of HTTP; ``named`` are its headers by their names in lower case, ``client`` is address and port."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    named: Mapping[str, str]
    client: str


Page = Callable[[Request, str], tuple[HTTPStatus, str, bytes]]
"""A request, and the hostname to answer with, to the status, the type and the body of the answer."""


def serve(
    listeners: Sequence[Listener],
    until: Callable[[], bool] = lambda: False,
    every: float = 1.0,
    page: Page | None = None,
) -> None:
    """Answer on sockets of ``listening`` until ``until`` returns True; ``every``: the seconds between two calls.

    ``page`` answers HTTP, by default with what is seen of the client.
    """
    answers_http = partial(_answers_http, page or _page)
    open_now: dict[int, _Connection] = {}
    with selectors.DefaultSelector() as selector:
        for kind, listener, hostname in listeners:
            listener.setblocking(False)
            answer = partial(_answer_datagram, listener, hostname)
            answers = answers_http if kind == HTTP else _answers_text
            accept = partial(_accept, listener, answers, hostname, selector, open_now)
            selector.register(listener, selectors.EVENT_READ, answer if kind == UDP else accept)
        try:
            while not until():
                for key, _ in selector.select(every):
                    key.data()
                now = time.monotonic()
                for number, connection in list(open_now.items()):
                    if connection.ended or now - connection.used > IDLE:
                        connection.close()
                        del open_now[number]
        finally:
            for connection in open_now.values():
                connection.close()


# What came, the peer and the hostname to each answer: the bytes used, the answer, and whether it is the last one.
_Answers = Callable[[bytes, Any, str], Iterator[tuple[int, bytes, bool]]]
_NO_IPV6 = frozenset({97, 99})  # EAFNOSUPPORT, EADDRNOTAVAIL


def _bound(family: int, kind: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM if kind == UDP else socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        if kind != UDP:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", port))
        if kind != UDP:
            made.listen(CONNECTIONS)
    except OSError:
        made.close()
        raise
    return made


def _accept(
    listener: socket.socket,
    answers: _Answers,
    hostname: str,
    selector: selectors.BaseSelector,
    open_now: dict[int, _Connection],
) -> None:
    """Accept a connection, and close it at once if there are too many."""
    with contextlib.suppress(OSError):  # the client may have gone again
        accepted, peer = listener.accept()
        if len(open_now) >= CONNECTIONS:
            accepted.close()
            return
        accepted.setblocking(False)
        connection = _Connection(accepted, answers, peer, hostname, selector)
        open_now[accepted.fileno()] = connection


class _Connection:
    """A TCP connection: its received bytes, the bytes to send, and when it was last used."""

    def __init__(
        self,
        accepted: socket.socket,
        answers: _Answers,
        peer: Any,
        hostname: str,
        selector: selectors.BaseSelector,
    ) -> None:
        self._socket, self._answers, self._peer, self._hostname = accepted, answers, peer, hostname
        self._selector = selector
        self._came, self._waits = b"", b""
        self._last = False
        self.ended = False
        self.used = time.monotonic()
        selector.register(accepted, selectors.EVENT_READ, self.act)

    def act(self) -> None:
        """Read, answer, and send as much as fits."""
        self.used = time.monotonic()
        try:
            if not self._waits:
                self._read()
            if self._waits:
                self._waits = self._waits[self._socket.send(self._waits) :]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
            return
        if self._last and not self._waits:
            self.ended = True
            return
        self._selector.modify(self._socket, selectors.EVENT_WRITE if self._waits else selectors.EVENT_READ, self.act)

    def _read(self) -> None:
        chunk = self._socket.recv(_CHUNK)
        self._came += chunk
        for used, answer, last in self._answers(self._came, self._peer, self._hostname):
            self._came = self._came[used:]
            self._waits += answer
            self._last = last
        if not chunk or len(self._came) > REQUEST:
            self._last = True

    def close(self) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(self._socket)
        self._socket.close()


def _answers_text(came: bytes, peer: Any, hostname: str) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the number of bytes used, the answer, and whether it is the last one."""
    if came:
        yield len(came), _text(came, peer, hostname), False


def _text(came: bytes, peer: Any, hostname: str) -> bytes:
    command, _, rest = came.rstrip(b"\r\n").partition(b" ")
    end = b"\n" if came.endswith(b"\n") else b""
    match command.lower(), rest:
        case b"hostname", b"":
            return hostname.encode() + end
        case b"clientip", b"":
            return client(peer).encode() + end
        case b"echo", text if text:
            return text + end
    return came


def client(peer: Any) -> str:
    """Return the address and port of a client as text; an IPv4 client of an IPv6 socket has its IPv4 address."""
    address = ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    shown = mapped or address
    return f"[{shown}]:{peer[1]}" if shown.version == 6 else f"{shown}:{peer[1]}"


def _answer_datagram(listener: socket.socket, hostname: str) -> None:
    """Answer a datagram from the address that it was sent to."""
    with contextlib.suppress(OSError):
        came, about, _, peer = listener.recvmsg(_DATAGRAM, 128)
        kept = [one for one in about if one[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)]
        listener.sendmsg([_text(came, peer, hostname)], kept, 0, peer)


def _answers_http(page: Page, came: bytes, peer: Any, hostname: str) -> Iterator[tuple[int, bytes, bool]]:
    """Yield for each whole request the number of bytes used, the answer, and whether the connection ends."""
    while _END_OF_HEAD in came:
        head, _, rest = came.partition(_END_OF_HEAD)
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        named = {name.lower(): value for name, value in headers}
        length = named.get("content-length", "0")
        bad = len(words) != 3 or not words[2].startswith("HTTP/1.") or not length.isdecimal()
        if bad or "transfer-encoding" in named or int(length) > REQUEST - len(head):
            yield len(came), _response(HTTPStatus.BAD_REQUEST, "text/plain", b"bad request\n", last=True), True
            return
        if len(rest) < int(length):
            return
        last = "close" in named.get("connection", "").lower() or words[2] == "HTTP/1.0"
        status, kind, body = page(Request(words[0], words[1], headers, named, client(peer)), hostname)
        answer = _response(status, kind, body, last=last, without_body=words[0] == "HEAD")
        used = len(head) + len(_END_OF_HEAD) + int(length)
        came = came[used:]
        yield used, answer, last
        if last:
            return


def _page(request: Request, hostname: str) -> tuple[HTTPStatus, str, bytes]:
    with contextlib.suppress(ValueError):  # urlsplit refuses "//["
        url = urlsplit(request.target)
        texts = {"/hostname": hostname, "/clientip": request.client, "/echo": parse_qs(url.query).get("msg", [""])[0]}
        if url.path in texts:
            return HTTPStatus.OK, "text/plain", texts[url.path].encode("utf-8", "replace")
    seen = {
        "hostname": hostname,
        "client": request.client,
        "method": request.method,
        "path": request.target,
        "host": request.named.get("host", ""),
        "headers": [list(header) for header in request.headers],
    }
    return HTTPStatus.OK, "application/json", json.dumps(seen, indent=1).encode() + b"\n"


def _response(status: HTTPStatus, kind: str, body: bytes, *, last: bool, without_body: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: {'close' if last else 'keep-alive'}\r\n\r\n"
    )
    return head.encode() + (b"" if without_body else body)


USAGE = """\
usage: python -m netlab.programs.echo [--http PORT]... [--tcp PORT]... [--udp PORT]... [--name NAME] [--seconds N]

Answer HTTP, TCP and UDP with what is seen of the client; by default HTTP on port 8080.

  --name NAME    the name to answer with; by default the hostname
  --seconds N    end after so many seconds; by default never
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return 1 if a port cannot be opened, and 2 for wrong arguments."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted: list[tuple[str, int]] = []
    name, end = os.uname().nodename, float("inf")
    # argparse would import more modules when it is called.
    try:
        for option, value in zip(given[::2], given[1::2], strict=True):
            if option in ("--http", "--tcp", "--udp"):
                wanted.append((option[2:], int(value)))
            elif option == "--name":
                name = value
            elif option == "--seconds":
                end = time.monotonic() + float(value)
            else:
                raise ValueError(option)
    except ValueError:
        print(USAGE, end="", file=sys.stderr)  # noqa: T201  a program of its own
        return 2
    wanted = wanted or [(HTTP, 8080)]
    with contextlib.ExitStack() as stack:
        listeners = []
        for kind, port in wanted:
            try:
                listeners.append((kind, stack.enter_context(listening(kind, port)), name))
            except (OSError, OverflowError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no port"
                print(f"{kind} port {port}: {reason}", file=sys.stderr)  # noqa: T201  a program of its own
                return 1
        with contextlib.suppress(KeyboardInterrupt):
            serve(listeners, lambda: time.monotonic() > end)
    return 0


if __name__ == "__main__":
    sys.exit(main())
