"""The kubelets of all nodes: an HTTPS server that the API server asks about pods.

Only the API server may ask: the certificate of the client must be the one that it has for kubelets. The server has a
thread of its own, with an event loop.

Source: Kubernetes, the kubelet's server (pkg/kubelet/server).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from netlab.control_plane.certificates import KUBELET_CLIENT
from netlab.control_plane.nodes import port_forward, remote_command, spdy_channels
from netlab.control_plane.nodes.connections import held
from netlab.control_plane.nodes.logs import shown, wishes_of
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.control_plane.nodes.websocket import WebSocket, accept
from netlab.errors import NetlabError
from netlab.frozen import NamedTuple
from netlab.kernel.loopback import ADDRESS

_SECONDS = 30.0
_MOST_HEAD = 64 << 10
_LOOK, _LAST_SECONDS = 0.2, 1.0
_UNKNOWN = "netlab answers over WebSocket (v5.channel.k8s.io) and SPDY (v4.channel.k8s.io) only\n"

Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Takes a pod and a port, and returns a connection."""


class Inside(NamedTuple):
    """What the server asks about the lab; each may be called in another thread.

    ``find``: the Pod of a reference, None where there is none. ``exists``: whether the lab has it. ``pods``: all Pods.
    ``metrics``: numbers by their name. ``runs``: whether the program of a container, by the Pod and its name, runs or
    will run; a pause does as long as its pod.
    """

    find: Callable[[str], dict[str, Any] | None]
    exists: Callable[[str], bool]
    pods: Callable[[], list[dict[str, Any]]]
    metrics: Callable[[], Mapping[str, float]]
    runs: Callable[[Mapping[str, Any], str], bool]
    stopped: Callable[[str], str]


class Kubelet:
    """The server of a lab's nodes.

    Args:
      programs: the programs of its pods.
      inside: what it asks about the lab.
      connect: connects to a port of a pod's loopback address; raises OSError, NetlabError.
      pki: the folder of its certificate and of the authority.
      port: where it listens.
    """

    def __init__(self, programs: PodPrograms, inside: Inside, connect: Connect, pki: Path, port: int) -> None:
        self._programs, self._inside, self._connect, self._port = programs, inside, connect, port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
        self._context.load_verify_locations(pki / "ca.crt")
        self._context.verify_mode = ssl.CERT_REQUIRED

    def start(self) -> None:
        """Listen, and answer in a thread of its own; return when it listens. Raises OSError."""
        loop = asyncio.new_event_loop()
        started = asyncio.start_server(
            held(self._answer), ADDRESS, self._port, ssl=self._context, limit=_MOST_HEAD, ssl_handshake_timeout=_SECONDS
        )
        loop.run_until_complete(started)
        threading.Thread(target=loop.run_forever, daemon=True).start()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client may close the connection at any time.
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
            case ["logs", *_]:
                # The files of a node's /var/log: it has none.
                await _send(writer, 200, "<!doctype html>\n<pre>\n</pre>\n", "text/html; charset=utf-8")
            case ["pods"]:
                pods = {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": self._inside.pods()}
                await _send(writer, 200, json.dumps(pods), "application/json")
            case [("containerLogs" | "exec" | "attach") as what, namespace, name, container, *_]:
                await self._of_pod(request, what, f"{namespace}/{name}", container, reader, writer)
            case ["portForward" as what, namespace, name, *_]:
                await self._of_pod(request, what, f"{namespace}/{name}", "", reader, writer)
            case _:
                await _send(writer, 501, f"netlab does not answer /{'/'.join(request.parts)}\n")

    async def _of_pod(
        self,
        request: Request,
        what: str,
        ref: str,
        container: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Answer a request for a pod; break off when the pod is gone, or its node stops."""
        pod = self._inside.find(ref)
        if pod is None:
            await _send(writer, 404, f"pod {ref} is not on this node\n")
        elif node := self._inside.stopped(ref):
            await _send(writer, 503, f"node {node} is stopped: its kubelet does not answer\n")
        elif what == "containerLogs":
            await self._while_there(ref, pod, self._logs(request, pod, container, writer))
        elif not self._inside.exists(ref):
            await _send(writer, 404, f"pod {ref} does not run\n")
        elif what == "portForward":
            await self._while_there(ref, pod, self._forwarded(request, ref, reader, writer))
        else:
            of = _Container(ref, pod, container)
            await self._while_there(ref, pod, self._attached(request, what, of, reader, writer))

    async def _while_there(self, ref: str, pod: dict[str, Any], work: Coroutine[Any, Any, None]) -> None:
        """Do work as long as a pod is there and its node runs."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK))[0] and not self._inside.stopped(ref):
                now = self._inside.find(ref)
                if now is None or now["metadata"]["uid"] != pod["metadata"]["uid"]:
                    # How its programs have ended is said first.
                    await asyncio.wait({task}, timeout=_LAST_SECONDS)
                    break
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _forwarded(
        self, request: Request, ref: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not await port_forward.serve(ref, partial(self._connect, ref), request.headers, reader, writer):
            await _send(writer, 400, "ask for a WebSocket, or for SPDY/3.1\n")

    async def _logs(self, request: Request, pod: dict[str, Any], container: str, writer: asyncio.StreamWriter) -> None:
        """Answer with the output of a container; with ``follow`` until it has ended, or the client is gone."""
        uid, logs = pod["metadata"]["uid"], self._programs.logs
        try:
            wishes = wishes_of(request.query, time.time_ns())
            if request.query.get("follow") != ["true"]:
                log = logs.read(uid, container, previous=request.query.get("previous") == ["true"])
                if request.query.get("previous") == ["true"] and not log:
                    await _send(writer, 400, f'previous terminated container "{container}" not found\n')
                    return
                await _send(writer, 200, shown(log, wishes))
                return
            following = logs.follow(uid, container)
        except (ValueError, NetlabError) as error:
            await _send(writer, 400, f"{error}\n")
            return
        with following:
            writer.write(_head(200, "text/plain", None) + shown(following.new(), wishes))
            await writer.drain()
            goes_on = True
            while goes_on and not writer.is_closing():
                await asyncio.sleep(_LOOK)
                goes_on = self._inside.runs(pod, container)
                if data := following.new():
                    writer.write(shown(data, wishes._replace(tail=-1)))
                    await writer.drain()

    async def _attached(
        self, request: Request, what: str, of: _Container, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        socket = await _channels(request, reader, writer)
        if socket is None:
            return
        uid = of.pod["metadata"]["uid"]
        if what == "attach":
            with self._programs.logs.follow(uid, of.name) as following:
                await remote_command.attach(socket, following.new, lambda: self._inside.runs(of.pod, of.name))
            return
        argv, terminal = request.query.get("command", []), request.query.get("tty") in (["1"], ["true"])
        start = partial(self._programs.attached, of.ref, of.pod, of.name, argv, terminal=terminal)
        await remote_command.execute(socket, lambda: asyncio.to_thread(start))


class _Container(NamedTuple):
    """A container: the reference of its pod, the pod, and its name."""

    ref: str
    pod: dict[str, Any]
    name: str


async def _channels(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> remote_command.Channels | None:
    """Upgrade a connection, and return it when its channels are open; None for a client that cannot be answered."""
    if answer := spdy_channels.accept(request.headers):
        writer.write(answer)
        streams = spdy_channels.Channels(reader, writer)
        return streams if await streams.open(spdy_channels.wanted(request.query)) else None
    opened = accept(request.headers, remote_command.PROTOCOLS)
    if opened is None or not opened[0]:
        await _send(writer, 400, _UNKNOWN)
        return None
    writer.write(opened[1])
    return WebSocket(reader, writer)


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
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines if line):
        # One that comes several times is a list: so clients name the protocols that they speak.
        known = headers.get(name.strip().lower())
        headers[name.strip().lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    return Request([unquote(part) for part in url.path.strip("/").split("/")], parse_qs(url.query), headers)


def _is_api_server(writer: asyncio.StreamWriter) -> bool:
    certificate = writer.get_extra_info("peercert") or {}
    names = {value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"}
    return names == {KUBELET_CLIENT}


def _head(status: int, kind: str, size: int | None) -> bytes:
    length = [] if size is None else [f"Content-Length: {size}"]
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    lines = [first, f"Content-Type: {kind}", *length, "Connection: close", "", ""]
    return "\r\n".join(lines).encode()


async def _send(
    writer: asyncio.StreamWriter, status: int, text: str | bytes, kind: str = "text/plain; charset=utf-8"
) -> None:
    data = text.encode() if isinstance(text, str) else text
    writer.write(_head(status, kind, len(data)) + data)
    await writer.drain()
