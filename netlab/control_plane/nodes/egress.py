"""The API server's way into the lab: a proxy on a Unix socket in the API server's folder.

The API server is on the host's network, which does not reach a lab. It sends ``CONNECT ADDRESS:PORT`` to this socket,
and then speaks with the pod. No other program sees the socket. The proxy has a thread of its own, with an event loop.

Source: Kubernetes, EgressSelectorConfiguration (apiserver.k8s.io/v1beta1), HTTPConnect over a Unix socket;
k8s.io/apiserver, pkg/server/egressselector.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from netlab.control_plane.nodes.connecting import connect
from netlab.control_plane.nodes.connections import all_of, copy, held
from netlab.control_plane.nodes.reachable import Place, Unreachable
from netlab.errors import NetlabError
from netlab.kernel.machine import Inside
from netlab.kernel.program import OWN_FOLDER
from netlab.kernel.sudo_user import NOBODY

_SOCKET = "egress.sock"
CONFIG = "egress.json"
"""The name of the file that tells the API server of the socket."""
_MOST_HEAD = 8 << 10
_CHUNK = 1 << 16
# Seconds: for the request, and for the connection inside the lab.
_HEAD_SECONDS, _CONNECT_SECONDS = 10.0, 10.0
_BACKLOG, _MOST_CONNECTIONS = 128, 1000
_OK, _BAD, _FORBIDDEN, _REFUSED, _BUSY, _LATE = 200, 400, 403, 502, 503, 504


def config() -> bytes:
    """Return the EgressSelectorConfiguration: what goes to the cluster goes by the socket."""
    transport = {"uds": {"udsName": f"{OWN_FOLDER}/{_SOCKET}"}}
    connection = {"proxyProtocol": "HTTPConnect", "transport": transport}
    value = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }
    return json.dumps(value).encode()


class Egress:
    """The proxy of a lab.

    Args:
      find: returns where a host and port are; raises Unreachable.
      inside: enters a network namespace, as ``Machine.inside``.
    """

    def __init__(self, find: Callable[[str, int], Place], inside: Inside) -> None:
        self._find, self._inside = find, inside
        self._open = 0

    def start(self, folder: Path) -> None:
        """Listen in the API server's folder, and answer in a thread of its own. Raises OSError."""
        listening = _listen(folder)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.start_unix_server(held(self.answer), sock=listening, limit=_MOST_HEAD))
        threading.Thread(target=loop.run_forever, daemon=True).start()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and pass the bytes of both sides on until both have ended."""
        self._open += 1
        try:
            # A side that breaks off is no error.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(reader, writer)
        finally:
            self._open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open > _MOST_CONNECTIONS:
            await _say(writer, _BUSY, "too many connections into the lab")
            return
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return
        asked = _asked(head)
        if asked is None:
            await _say(writer, _BAD, "not a request to connect")
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                opened = await connect(self._inside, self._find(*asked))
        except Unreachable as error:
            await _say(writer, _FORBIDDEN, str(error))
        except TimeoutError:
            await _say(writer, _LATE, f"no answer after {_CONNECT_SECONDS:g} s")
        except OSError as error:
            # asyncio adds the address to the kernel's words, and the API server has said it already.
            await _say(writer, _REFUSED, os.strerror(error.errno) if error.errno else str(error))
        except NetlabError as error:
            await _say(writer, _REFUSED, str(error))
        else:
            await self._pass_on(reader, writer, opened)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: socket.socket) -> None:
        inner, outer = await asyncio.open_connection(sock=opened)
        try:
            await _say(writer, _OK, "Connection established")
            # The API server takes bytes that come with the answer for a fault, and always speaks first.
            first = await reader.read(_CHUNK)
            outer.write(first)
            if first:
                await all_of(copy(reader, outer), copy(inner, writer))
            else:
                outer.write_eof()
                await copy(inner, writer)
        finally:
            outer.close()


async def _say(writer: asyncio.StreamWriter, status: int, text: str) -> None:
    """Answer a request. The API server shows the first line to its user, so the text is there."""
    line = " ".join(text.split()).encode("ascii", "replace").decode()[:500]
    writer.write(f"HTTP/1.1 {status} {line}\r\n\r\n".encode())
    await writer.drain()


def _asked(head: bytes) -> tuple[str, int] | None:
    """Return the host and port of a request, None for one that is not CONNECT."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or words[0] != "CONNECT":
        return None
    host, _, port = words[1].rpartition(":")
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen(folder: Path) -> socket.socket:
    """Return a socket in a folder that netlab alone can write; only the program of the folder may connect."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_SOCKET, dir_fd=at)
            # The path of a socket has at most 107 bytes, and the name of a lab 63.
            listening.bind(f"/proc/self/fd/{at}/{_SOCKET}")
            os.chmod(_SOCKET, 0o600, dir_fd=at)
            os.chown(_SOCKET, NOBODY, NOBODY, dir_fd=at, follow_symlinks=False)
        finally:
            os.close(at)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
