"""The kubelets of all nodes: an HTTPS server that the API server asks about pods.

Only the API server may ask: the certificate of the client must be the one that it has for kubelets. The server has a
thread of its own, with an event loop.

Source: Kubernetes, the kubelet's server (pkg/kubelet/server).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from netlab.control_plane.certificates import KUBELET_CLIENT
from netlab.control_plane.nodes import remote_command
from netlab.control_plane.nodes.websocket import WebSocket, accept
from netlab.kernel.loopback import ADDRESS

_SECONDS = 30.0
_MOST_HEAD = 64 << 10
_PAUSE = 1.0
_ONLY_WEBSOCKET = (
    "netlab answers over WebSocket (v5.channel.k8s.io) only: the API server and kubectl must be 1.36 or newer\n"
)
_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Inside(NamedTuple):
    """What the server asks about the lab; each may be called in another thread.

    ``exists``: whether the lab has a pod of a reference. ``pods``: the Pod objects. ``metrics``: numbers by their name.
    ``stopped``: the node of a pod if it is stopped, else "".
    """

    exists: Callable[[str], bool]
    pods: Callable[[], list[dict[str, Any]]]
    metrics: Callable[[], Mapping[str, float]]
    stopped: Callable[[str], str] = lambda ref: ""


class Kubelet:
    """The server of a lab's nodes."""

    def __init__(self, lab: str, inside: Inside, pki: Path, port: int) -> None:
        self._lab, self._inside, self._port = lab, inside, port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
        self._context.load_verify_locations(pki / "ca.crt")
        self._context.verify_mode = ssl.CERT_REQUIRED

    def start(self) -> None:
        """Listen, and answer in a thread of its own; return when it listens. Raises OSError."""
        loop = asyncio.new_event_loop()
        started = asyncio.start_server(
            self._answer, ADDRESS, self._port, ssl=self._context, limit=_MOST_HEAD, ssl_handshake_timeout=_SECONDS
        )
        loop.run_until_complete(started)
        threading.Thread(target=loop.run_forever, daemon=True).start()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client that breaks off is no error.
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError
            ):
                async with asyncio.timeout(_SECONDS):
                    request = await _read_head(reader)
                if request is None:
                    await _send(writer, 400, "not a request of HTTP\n")
                elif not _is_api_server(writer):
                    await _send(writer, 403, "only the API server may ask\n")
                else:
                    await self._route(request, reader, writer)
        except TimeoutError:
            return
        finally:
            writer.close()

    async def _route(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match request.parts:
            case ["healthz"]:
                await _send(writer, 200, "ok")
            case ["metrics"] | ["metrics", _]:
                text = "".join(f"{name} {value:g}\n" for name, value in self._inside.metrics().items())
                await _send(writer, 200, text)
            case ["pods"]:
                pods = {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": self._inside.pods()}
                await _send(writer, 200, json.dumps(pods), "application/json")
            case ["containerLogs" | "exec" | "attach" as what, namespace, name, *_]:
                ref = f"{namespace}/{name}"
                if not self._inside.exists(ref):
                    await _send(writer, 404, f"pod {ref} is not on this node\n")
                elif node := self._inside.stopped(ref):
                    await _send(writer, 503, f"node {node} is stopped: its kubelet does not answer\n")
                elif what == "containerLogs":
                    await self._logs(request, ref, writer)
                else:
                    await self._attached(request, what, ref, reader, writer)
            case _:
                await _send(writer, 501, f"netlab does not answer /{'/'.join(request.parts)}\n")

    async def _logs(self, request: Request, ref: str, writer: asyncio.StreamWriter) -> None:
        """Answer with the output of a pause, which is none; with ``follow`` until the pod or the client is gone."""
        if request.query.get("follow") != ["true"]:
            await _send(writer, 200, "")
            return
        writer.write(_head(200, "text/plain", None))
        await writer.drain()
        while self._inside.exists(ref) and not writer.is_closing():
            await asyncio.sleep(_PAUSE)

    async def _attached(
        self, request: Request, what: str, ref: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        opened = accept(request.headers, remote_command.PROTOCOLS)
        if opened is None or not opened[0]:
            await _send(writer, 400, _ONLY_WEBSOCKET)
            return
        writer.write(opened[1])
        socket = WebSocket(reader, writer)
        if what == "attach":
            await remote_command.attach(socket, lambda: self._inside.exists(ref))
            return
        argv = remote_command.argv_of(self._lab, ref, request.query.get("command", []))
        await remote_command.execute(socket, argv, terminal=request.query.get("tty") in (["1"], ["true"]))


class Request(NamedTuple):
    """The head of a request: the parts of its path, its query, and its headers by lower-case names."""

    parts: list[str]
    query: dict[str, list[str]]
    headers: dict[str, str]


async def _read_head(reader: asyncio.StreamReader) -> Request | None:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return None
    url = urlsplit(words[1])
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    return Request([unquote(part) for part in url.path.strip("/").split("/")], parse_qs(url.query), headers)


def _is_api_server(writer: asyncio.StreamWriter) -> bool:
    certificate = writer.get_extra_info("peercert") or {}
    names = {value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"}
    return names == {KUBELET_CLIENT}


def _head(status: int, kind: str, size: int | None) -> bytes:
    length = [] if size is None else [f"Content-Length: {size}"]
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Type: {kind}", *length, "Connection: close", "", ""]
    return "\r\n".join(lines).encode()


async def _send(writer: asyncio.StreamWriter, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
    data = text.encode()
    writer.write(_head(status, kind, len(data)) + data)
    await writer.drain()
