"""A small server of HTTP/1.1 whose connections stay open, with a thread for each of them."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from netlab.programs.agnhost.sockets import accept_forever
from netlab.programs.agnhost.tls import Wrap

_IDLE = 300.0
_MOST_HEAD, MOST_BODY = 1 << 20, 32 << 20
_CHUNK = 1 << 16
TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"


@dataclass(frozen=True)
class Request:
    """A request; ``headers`` have the names that Go gives them, such as ``X-Forwarded-For``."""

    method: str
    target: str
    headers: Mapping[str, list[str]]
    body: bytes
    client: str

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path) or "/"

    def value(self, name: str) -> str:
        """Return the first value of a field of the form or the query, "" where there is none."""
        fields: dict[str, list[str]] = {}
        if self.header("Content-Type").partition(";")[0].strip() == "application/x-www-form-urlencoded":
            fields = parse_qs(self.body.decode("latin-1"), keep_blank_values=True)
        return (fields.get(name) or self.query.get(name) or [""])[0]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        return (self.headers.get(canonical(name)) or [""])[0]


@dataclass(frozen=True)
class Answer:
    """An answer; ``then`` is called when it was sent."""

    body: bytes = b""
    status: int = 200
    kind: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], None] = lambda: None


# The first tag of a page, as Go's DetectContentType knows it (mimesniff.spec.whatwg.org).
_TAGS = b"!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
_PAGE = re.compile(rb"[\t\n\x0c\r ]*<(?:(?:%s)[ >]|!--)" % _TAGS, re.IGNORECASE)
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
)


def error(text: str, status: int) -> Answer:
    """Return an answer that says what is wrong, as Go's ``http.Error`` does."""
    return Answer(f"{text}\n".encode(), status, headers={"X-Content-Type-Options": "nosniff"})


def kind_of(text: bytes) -> str:
    """Return the Content-Type of a body for which a program names none: a page of HTML, or plain text."""
    return HTML if _PAGE.match(text) else TEXT


def canonical(name: str) -> str:
    """Return the name of a header as Go writes it."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def serve(listener: socket.socket, answer: Callable[[Request], Answer], wrap: Wrap | None = None) -> None:
    """Answer requests until the socket fails; with ``wrap``, over TLS. Raises OSError."""

    def talk(connection: socket.socket, client: str) -> None:
        if wrap is None:
            _talk(connection, client, answer)
        else:
            with wrap(connection) as encrypted:
                _talk(encrypted, client, answer)

    accept_forever(listener, talk)


def _talk(connection: socket.socket, client: str, answer: Callable[[Request], Answer]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(_IDLE)
    reader = _Reader(connection)
    while True:
        # A first line that is none of HTTP is answered at once, without waiting for more.
        words = reader.first_line().decode("latin-1").split(" ")
        if words == [""]:
            return
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            connection.sendall(_BAD_REQUEST)
            return
        head = reader.until(b"\r\n\r\n")
        if not head:
            return
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers: dict[str, list[str]] = {}
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            headers.setdefault(canonical(name.strip()), []).append(value.strip())
        if headers.get("Expect") == ["100-continue"]:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = reader.body(headers)
        if body is None:
            connection.sendall(b"HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\n\r\n")
            return
        # Go keeps the host apart from the headers.
        headers.pop("Host", None)
        said = answer(Request(words[0], words[1], headers, body, client))
        asked = ",".join(headers.get("Connection", ())).lower()
        keeps = "close" not in asked and (words[2] == "HTTP/1.1" or "keep-alive" in asked)
        keeps = keeps and said.headers.get("Connection") != "close"
        connection.sendall(_encoded(said, keeps=keeps, with_body=words[0] != "HEAD"))
        said.then()
        if not keeps:
            return


def _encoded(said: Answer, *, keeps: bool, with_body: bool) -> bytes:
    try:
        phrase = HTTPStatus(said.status).phrase
    except ValueError:
        phrase = f"status code {said.status}"
    headers = {
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Length": str(len(said.body)),
        **({"Content-Type": said.kind} if said.body else {}),
        **said.headers,
        **({} if keeps else {"Connection": "close"}),
    }
    lines = [f"HTTP/1.1 {said.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + (said.body if with_body else b"")


class _Reader:
    """What comes over a connection, in parts; ends of it are empty parts."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._data = connection, b""

    def until(self, end: bytes) -> bytes:
        """Return what comes before an end, b"" if the connection ends first."""
        while end not in self._data:
            if len(self._data) > _MOST_HEAD or not self._more():
                return b""
        found, _, self._data = self._data.partition(end)
        return found

    def first_line(self) -> bytes:
        """Return the next line, which stays; b"" if the connection ends first."""
        while b"\n" not in self._data:
            if len(self._data) > _MOST_HEAD or not self._more():
                return b""
        return self._data.partition(b"\n")[0].rstrip(b"\r") or b" "

    def body(self, headers: Mapping[str, list[str]]) -> bytes | None:
        """Return a request's body, None for one that is too large or cut."""
        if "chunked" in ",".join(headers.get("Transfer-Encoding", ())).lower():
            return self._chunked()
        size = (headers.get("Content-Length") or ["0"])[0]
        return self._exactly(int(size)) if size.isdecimal() else None

    def _exactly(self, size: int) -> bytes | None:
        if size > MOST_BODY:
            return None
        while len(self._data) < size:
            if not self._more():
                return None
        found, self._data = self._data[:size], self._data[size:]
        return found

    def _chunked(self) -> bytes | None:
        parts: list[bytes] = []
        while True:
            try:
                size = int(self.until(b"\r\n").partition(b";")[0], 16)
            except ValueError:
                return None
            if size == 0:
                while self.until(b"\r\n"):
                    pass
                return b"".join(parts)
            part = self._exactly(size)
            if part is None or sum(map(len, parts)) + size > MOST_BODY:
                return None
            parts.append(part)
            self.until(b"\r\n")

    def _more(self) -> bool:
        try:
            data = self._connection.recv(_CHUNK)
        except OSError:
            return False
        self._data += data
        return bool(data)
