"""``/dial`` of ``netexec``: it asks another server, and answers with what that said, as JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

from netlab.programs.agnhost.http import Answer, Request, error
from netlab.programs.agnhost.sockets import Address, joined, log, new_socket, resolve, why

_SECONDS = 5.0
_MOST, _MOST_TRIES = 16 << 20, 10_000
_CHUNK = 1 << 16


def dial(request: Request) -> Answer:
    """Answer a request for ``/dial?host=H&port=P&request=R&protocol=http|udp|sctp&tries=N``."""
    fields = {name: values[0] for name, values in request.query.items()}
    host, port, asked = fields.get("host", ""), fields.get("port", ""), fields.get("request", "")
    protocol, tries = fields.get("protocol", ""), fields.get("tries", "")
    log(f"GET /dial?host={host}&protocol={protocol}&port={port}&request={asked}&tries={tries}")
    try:
        number = int(tries or 1)
    except ValueError:
        return error(f'tries parameter is invalid. strconv.Atoi: parsing "{tries}": invalid syntax', 400)
    if not asked:
        return error("request parameter not specified. <nil>", 400)
    ways: dict[str, tuple[str, Callable[[str, Address], str]]] = {
        "": ("tcp", _http),
        "http": ("tcp", _http),
        "udp": ("udp", lambda text, where: _packet("udp", text, where)),
        "sctp": ("sctp", lambda text, where: _packet("sctp", text, where)),
    }
    if protocol.lower() not in ways:
        return error(f"unsupported protocol. {protocol}", 400)
    kind, ask = ways[protocol.lower()]
    try:
        address = resolve(joined(host, port), kind)[0]
    except ValueError as wrong:
        return error(f"host and/or port param are invalid. {wrong}", 400)
    responses, errors, last = [], [], ""
    for _ in range(min(number, _MOST_TRIES)):
        try:
            last = ask(asked, address)
            responses.append(last)
        except OSError as wrong:
            last = ""
            errors.append(str(wrong))
    found = ({"errors": errors} if errors else {}) | ({"responses": responses} if last else {})
    return Answer(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))


def _packet(kind: str, text: str, address: Address) -> str:
    """Send a packet and return the answer; raises OSError with Go's words."""
    step = f"{kind} dial failed. err:"
    try:
        with new_socket(address.family, kind) as made:
            made.settimeout(_SECONDS)
            made.connect((address.host, address.port))
            step = f"{kind} connection write failed. err:"
            made.send(text.encode(errors="surrogateescape"))
            step = f"reading from {kind} connection failed. err:"
            return made.recv(2048).decode(errors="replace")
    except TimeoutError as error:
        raise OSError(f"{step}'read {kind} {address}: i/o timeout'") from error
    except OSError as error:
        raise OSError(f"{step}'read {kind} {address}: {why(error)}'") from error


def _http(path: str, address: Address) -> str:
    """Return the body of an answer, after redirections; raises OSError with Go's words."""
    url = f"http://{address}/{path}"
    try:
        with socket.create_connection((address.host, address.port), _SECONDS) as made:
            lines = (f"GET /{path} HTTP/1.1", f"Host: {address}", "User-Agent: Go-http-client/1.1", "Connection: close")
            made.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode(errors="surrogateescape"))
            data = b""
            while len(data) < _MOST and (part := made.recv(_CHUNK)):
                data += part
    except TimeoutError as error:
        raise OSError(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error
    except OSError as error:
        raise OSError(f'Get "{url}": dial tcp {address}: connect: {why(error)}') from error
    first, _, body = data.partition(b"\r\n\r\n")
    if not first:
        raise OSError(f'Get "{url}": EOF')
    if b"\r\ntransfer-encoding: chunked" in first.lower():
        body = _unchunked(body)
    return body.decode(errors="replace")


def _unchunked(data: bytes) -> bytes:
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        try:
            number = int(size.partition(b";")[0], 16)
        except ValueError:
            break
        if not number:
            break
        parts.append(data[:number])
        data = data[number + 2 :]
    return b"".join(parts)
