"""Questions that a scenario asks inside an endpoint: the addresses of a name, and the answer to an HTTP request.

They use the standard library, and so the resolver of the C library with the endpoint's own ``/etc``. The functions run
in a process without privilege, which may not be able to read modules. So this module imports all that they need.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  socket.getaddrinfo imports it when it is called
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from netlab.errors import UsageError
from netlab.frozen import frozen

BODY = 1 << 15
"""How many bytes of a body are read."""

# Characters of a message; http.client has the server's whole line in one.
_LONGEST_ERROR = 200
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NO_NAME = {socket.EAI_NONAME, socket.EAI_NODATA, getattr(socket, "EAI_ADDRFAMILY", socket.EAI_NONAME)}


@frozen
class Question:
    """A question of a kind, ``get`` or ``lookup``, with its arguments; a call writes the answer to descriptor 1."""

    kind: str
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        os.write(1, (get if self.kind == "get" else lookup)(*self.arguments))

    @classmethod
    def of(cls, *values: object) -> Self:
        """Return a question that another machine asks: its kind and arguments; raises UsageError where it is none."""
        match values:
            case ("get", str(), [*at], None | 4 | 6, int() | float()) if all(isinstance(one, str) for one in at):
                pass
            case ("lookup", str(), None | 4 | 6, str()):
                pass
            case _:
                raise UsageError("a question that cannot be read")
        return cls(str(values[0]), values[1:])


def lookup(name: str, family: int | None, known: str) -> bytes:
    """Return as JSON the ``addresses`` of a name, empty if there is no such name, or the ``error`` of the resolver.

    ``known`` is a name that the lab has. The lab's server refuses names outside of the cluster. The resolver reports a
    refusal and a server that does not answer as the same error, so ``known`` is asked next.
    """
    try:
        found = _addresses(name, family)
    except (OSError, UnicodeError) as error:
        if not (isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN and _answers(known)):
            return json.dumps({"error": _text(error)}).encode()
        found = []
    return json.dumps({"addresses": found}).encode()


def _answers(known: str) -> bool:
    try:
        return bool(_addresses(known, None))
    except OSError:
        return False


def get(url: str, at: Sequence[str], family: int | None, seconds: float) -> bytes:
    """Send a GET request; return as JSON the ``status``, ``body`` and ``address`` of the answer, or the ``error``.

    ``at`` has addresses to connect to, in place of those of the URL's host. The request keeps the host. No certificate
    is checked and no redirect is followed. ``seconds`` limits the whole request.
    """
    return json.dumps(_get(url, at, family, time.monotonic() + seconds)).encode()


def _get(url: str, at: Sequence[str], family: int | None, until: float) -> dict[str, Any]:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme.lower() == "https"
    port = parts.port or (443 if secure else 80)
    try:
        addresses = list(at) or _addresses(host, family)
    except (OSError, UnicodeError) as error:
        return {"error": f"{host} is not resolved: {_text(error)}"}
    if not addresses:
        return {"error": f"{host} is not resolved: no such name"}
    connection = http.client.HTTPConnection(host, port)
    problem = ""
    for number, address in enumerate(addresses):
        left = (until - time.monotonic()) / (len(addresses) - number)
        shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            connection.sock = socket.create_connection((address, port), max(0.01, left))
        except OSError as error:
            problem = problem or f"{shown}: {_text(error)}"
            continue
        try:
            connection.sock.settimeout(max(0.01, until - time.monotonic()))
            if secure:
                # It takes the socket over, and leaves it open where the host is no name of TLS.
                host.encode("idna")
                connection.sock = _unchecked().wrap_socket(connection.sock, server_hostname=host)
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            # As browsers write it: with the port only if the URL has one.
            connection.request("GET", path, headers={"Host": parts.netloc, "Connection": "close"})
            answer = connection.getresponse()
            body = answer.read(BODY).decode(errors="replace")
            return {"status": answer.status, "body": body, "address": shown}
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: a chunk of a negative length, or a host that is no name of TLS.
            return {"error": f"{shown}: {_text(error)}"}
        finally:
            connection.close()
    return {"error": problem}


def _addresses(name: str, family: int | None) -> list[str]:
    """Return the addresses of a name, empty if there is no such name; raises OSError if no server answers."""
    try:
        found = socket.getaddrinfo(name, None, _FAMILIES.get(family or 0, 0), socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_NAME:
            return []
        raise
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _text(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "no server answers"
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}…"
