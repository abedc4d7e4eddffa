"""One question to a TCP port, from the network namespace of the calling thread."""

from __future__ import annotations

import socket
from typing import Literal

_MOST = 4096

Answer = bytes | Literal["nobody", "silence"]


def ask(address: str, port: int, seconds: float, question: bytes = b"") -> Answer:
    """Connect to a port, send a question if there is one, and return the beginning of the answer.

    "nobody": the port is closed. "silence": nothing came in time, or the connection broke off. Without a question, the
    answer to a connection is empty.
    """
    try:
        with socket.create_connection((address, port), timeout=seconds) as opened:
            if not question:
                return b""
            opened.sendall(question)
            return opened.recv(_MOST) or "silence"
    except ConnectionRefusedError:
        return "nobody"
    except OSError:
        return "silence"
