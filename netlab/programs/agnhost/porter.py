"""``agnhost porter``: it serves a text on each port that an environment variable such as ``SERVE_PORT_80`` names."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Sequence

from netlab.programs.agnhost import flags, http, sctp, tls
from netlab.programs.agnhost.sockets import accept_forever, at_end, end, fatal, in_thread, listen, log, why

FLAGS = {"json-response": False}
_PREFIXES = {
    "SERVE_PORT_": "tcp",
    "SERVE_TCP_PORT_": "tcp",
    "SERVE_UDP_PORT_": "udp",
    sctp.SERVE: "sctp",
    "SERVE_TLS_PORT_": "tls",
}
# How a program of Go ends at a signal that it does not handle.
_BY_SIGNAL = 2


def main(words: Sequence[str]) -> int:
    """Serve until a signal ends it."""
    found, _ = flags.parse(words, FLAGS)
    at_end(lambda: end(_BY_SIGNAL))
    for key, value in os.environ.items():
        for prefix, kind in _PREFIXES.items():
            if key.startswith(prefix):
                _start(kind, key.removeprefix(prefix), os.fsencode(value), found["json-response"])
    while True:
        signal.pause()


def _start(kind: str, port: str, value: bytes, as_json: bool) -> None:
    if kind == "tls":
        _start_tls(port, lambda request: _answer(request, value, as_json))
        return
    try:
        listener = listen(kind, int(port))
    except (OSError, OverflowError, ValueError) as error:
        if kind == "tcp":
            log(f'server on port "{port}" failed: listen tcp 0.0.0.0:{port}: bind: {why(error)}')
            return
        what = f"UDP: failed to listen on port {port}:" if kind == "udp" else "Failed to listen SCTP. error:"
        fatal(f"{what} {why(error)}")
    if kind == "tcp":
        in_thread(http.serve, listener, lambda request: _answer(request, value, as_json))
    elif kind == "udp":
        log(f"Started UDP server on port {port}")
        in_thread(_datagrams, listener, value)
    else:
        log("Started SCTP server")
        in_thread(accept_forever, listener, lambda connection, client: connection.sendall(value))


def _start_tls(port: str, answer: Callable[[http.Request], http.Answer]) -> None:
    certificate, key = os.environ.get("CERT_FILE") or tls.CERTIFICATE, os.environ.get("KEY_FILE") or tls.KEY
    try:
        listener = listen("tcp", int(port))
    except (OSError, OverflowError, ValueError) as error:
        failed = f"listen tcp 0.0.0.0:{port}: bind: {why(error)}"
    else:
        try:
            in_thread(http.serve, listener, answer, tls.wrapper(certificate, key))
            return
        except OSError as error:
            listener.close()
            failed = why(error)
    files = f'certFile="{certificate}", keyFile="{key}"'
    log(f'tls server on port "{port}" with {files} failed: {failed}')


def _answer(request: http.Request, value: bytes, as_json: bool) -> http.Answer:
    if not as_json:
        return http.Answer(value, kind=http.kind_of(value))
    data = {"Method": request.method, "Body": value.decode(errors="replace")}
    return http.Answer(json.dumps(data, separators=(",", ":")).encode(), kind=http.JSON)


def _datagrams(listener: socket.socket, value: bytes) -> None:
    while True:
        _, where = listener.recvfrom(16)
        try:
            listener.sendto(value, where)
        except OSError as error:
            log(f"UDP: error from WriteTo(): {why(error)}")
