"""Servers of UDP and SCTP that answer the words ``hostname``, ``echo``, ``envvar``, ``clientip`` and ``serverport``."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from netlab.programs.agnhost.sockets import accept_forever, fatal, in_thread, listen, log, peer, why

_MOST = 2048


def start(kind: str, port: int, host: str, ready: Callable[[bool], object]) -> None:
    """Answer on a port, in a thread; ``ready`` is told when that begins and ends. A failure ends the process."""
    in_thread(_run, kind, port, host, ready)


def _run(kind: str, port: int, host: str, ready: Callable[[bool], object]) -> None:
    try:
        listener = listen(kind, port, host)
    except (OSError, OverflowError) as error:
        what = f"UDP address {peer((host, port))}" if kind == "udp" else f"SCTP address :{port}"
        fatal(f"Error occurred: failed to create listener for {what}:listen {kind} :{port}: bind: {why(error)}")
    log(f"Started UDP server on port {host} {port}" if kind == "udp" else "Started SCTP server")
    ready(True)
    try:
        if kind == "udp":
            _datagrams(listener, port)
        else:
            accept_forever(listener, lambda connection, client: _connection(connection, client, port))
    except OSError as error:
        ready(False)
        fatal(f"Error occurred: failed accepting {kind.upper()} connections:{why(error)}")


def _datagrams(listener: socket.socket, port: int) -> None:
    while True:
        data, where = listener.recvfrom(_MOST)
        said = answer(data, peer(where), port, "UDP")
        if said is not None:
            try:
                listener.sendto(said, where)
            except OSError as error:
                # A policy may deny the answer.
                log(f"failed to write to UDP client {peer(where)}: {why(error)}")


def _connection(connection: socket.socket, client: str, port: int) -> None:
    said = answer(connection.recv(_MOST), client, port, "SCTP")
    if said is not None:
        connection.sendall(said)


def answer(data: bytes, client: str, port: int, kind: str) -> bytes | None:
    """Return the answer to a packet, None for one that gets none."""
    raw = data.decode(errors="surrogateescape").strip()
    text = raw.lower()
    word, _, rest = text.partition(" ")
    if text == "hostname":
        log(f"Sending {'udp' if kind == 'UDP' else kind} hostName response")
        said = socket.gethostname()
    elif word == "echo" and rest:
        log(f"Echoing {rest} to {kind} client {client}")
        said = rest
    elif word == "envvar" and rest:
        name = raw.partition(" ")[2].strip()
        log(f"Sending {kind} envvar response for {name}")
        said = os.environ.get(name, "")
    elif text == "clientip":
        log(f"Sending clientip back to {kind} client {client}")
        said = client
    elif text == "serverport":
        log(f"Sending server port to {kind} client {port}")
        said = str(port)
    else:
        if text:
            log(f"Unknown {kind} command received from {client}: {text}")
        return None
    return said.encode(errors="surrogateescape")
