"""``agnhost serve-hostname``: it answers with the name of its host, over HTTP, TCP or UDP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

from netlab.programs.agnhost import flags, http
from netlab.programs.agnhost.sockets import accept_forever, at_end, fatal, in_thread, listen, log, peer, why

FLAGS = {"tcp": False, "udp": False, "http": True, "close": False, "port": 9376}
_AWAIT = 60.0


def main(words: Sequence[str]) -> int:
    """Serve until SIGTERM and a minute more, as a pod's end is waited for."""
    found, _ = flags.parse(words, FLAGS)
    if found["http"] and (found["tcp"] or found["udp"]):
        fatal("Can't server TCP/UDP mode and HTTP mode at the same time")
    name, port = socket.gethostname().encode(), found["port"]
    stopped = threading.Event()
    at_end(stopped.set)

    def by_tcp(connection: socket.socket, client: str) -> None:
        log(f"TCP request from {client}")
        connection.sendall(name)

    def by_http(request: http.Request) -> http.Answer:
        log(f"HTTP request from {request.client}")
        return http.Answer(name, headers={"Connection": "close"} if found["close"] else {})

    if found["tcp"]:
        _start("tcp", port, lambda listener: accept_forever(listener, by_tcp))
    if found["udp"]:
        _start("udp", port, lambda listener: _datagrams(listener, name))
    if found["http"]:
        _start("tcp", port, lambda listener: http.serve(listener, by_http))
    log(f"Serving on port {port}.")
    # A handler runs in this thread only, so it must wake up.
    while not stopped.wait(_AWAIT):
        pass
    log("Shutting down after receiving signal: terminated.")
    log("Awaiting pod deletion.")
    time.sleep(_AWAIT)
    return 0


def _datagrams(listener: socket.socket, name: bytes) -> None:
    while True:
        _, where = listener.recvfrom(16)
        log(f"UDP request from {peer(where)}")
        try:
            listener.sendto(name, where)
        except OSError:
            # A policy may deny the answer.
            continue


def _start(kind: str, port: int, serve: Callable[[socket.socket], None]) -> None:
    try:
        listener = listen(kind, port)
    except (OSError, OverflowError) as error:
        fatal(f"Error from net.Listen(): listen {kind} :{port}: bind: {why(error)}")
    in_thread(serve, listener)
