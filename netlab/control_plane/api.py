"""Requests to the API server of a lab's control plane, with a certificate of its own.

A client has one connection in each thread. netlab started the server that answers; strangers wrote
the objects in the answers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from netlab.errors import HostError, NetlabError
from netlab.kernel.loopback import ADDRESS

Object = dict[str, Any]
SECONDS = 30.0
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
MANAGER = "netlab"
_JSON = "application/json"
_MOST = 512 << 20
_MOST_LINE = 32 << 20
_LOST = (http.client.HTTPException, OSError)
_AGAIN = frozenset({429, 500, 502, 503, 504})


class ApiError(NetlabError):
    """The API server refused a request; ``status`` is the number, ``reason`` its word."""

    exit_code = 2

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _AGAIN


class Client:
    """A user of the API server: ``NAME.crt`` and ``NAME.key`` of the folder of certificates."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self._context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self._context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        self._port = port
        self._local = threading.local()

    def get(self, path: str, **query: str) -> Object:
        return self.request("GET", _with_query(path, query))

    def post(self, path: str, body: Object) -> Object:
        return self.request("POST", path, body)

    def merge(self, path: str, body: Object) -> Object:
        """Patch an object: fields of the body replace those of the object, null removes one."""
        return self.request("PATCH", path, body, MERGE)

    def apply(self, path: str, body: Object) -> Object:
        """Create an object or bring its fields to those of the body, as ``kubectl apply --server-side`` does."""
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        return self.request("PATCH", _with_query(path, query), body, APPLY)

    def delete(self, path: str, body: Object | None = None) -> Object:
        return self.request("DELETE", path, body)

    def post_as(self, user: str, group: str, path: str, body: Object) -> Object:
        """Post as another user, if this one may; raises ApiError, HostError."""
        return self._request("POST", path, body, _JSON, {"Impersonate-User": user, "Impersonate-Group": group})

    def request(self, method: str, path: str, body: Object | None = None, kind: str = _JSON) -> Object:
        """Return the answer to a request.

        A connection that the server has closed meanwhile is made anew.

        Raises:
          ApiError: when the server refuses the request.
          HostError: when it does not answer, or not as an API server does.
        """
        return self._request(method, path, body, kind, {})

    def _request(self, method: str, path: str, body: Object | None, kind: str, more: Mapping[str, str]) -> Object:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": _JSON, "Content-Type": kind, "User-Agent": MANAGER, **more}
        for attempt in (0, 1):
            connection = self._connection()
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                text = answer.read(_MOST)
            except _LOST as error:
                self.close()
                if attempt or method == "POST":
                    raise HostError(f"the API server does not answer: {error}", _SEE) from error
                continue
            return _value(answer.status, text)
        raise AssertionError

    def is_ready(self, path: str = "/readyz") -> bool:
        """Return whether the server says that it is ready."""
        try:
            self.request("GET", path)
        except (ApiError, HostError):
            return False
        return True

    @contextlib.contextmanager
    def lines(self, path: str, seconds: float, **query: str) -> Iterator[Iterator[Object]]:
        """Yield the values of a stream, one a line, on a connection of its own that ends with the block.

        ``seconds`` is the longest silence.

        Raises:
          ApiError, HostError: also while the values are read.
        """
        connection = http.client.HTTPSConnection(ADDRESS, self._port, context=self._context, timeout=seconds)
        try:
            connection.request("GET", _with_query(path, query), headers={"Accept": _JSON, "User-Agent": MANAGER})
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                _value(answer.status, answer.read(_MOST))
            yield _lines(answer)
        except _LOST as error:
            raise HostError(f"the API server does not answer: {error}", _SEE) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close this thread's connection; the next request makes another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(ADDRESS, self._port, context=self._context, timeout=SECONDS)
            self._local.connection = connection
        return connection


_SEE = "netlab control-plane status says which program does not run"


def _with_query(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _lines(answer: http.client.HTTPResponse) -> Iterator[Object]:
    while line := answer.readline(_MOST_LINE):
        value = json.loads(line)
        if isinstance(value, dict):
            yield value


def _value(status: int, text: bytes) -> Object:
    try:
        value = json.loads(text) if text[:1] == b"{" else {"text": text.decode(errors="replace")}
    except ValueError:
        value = {"text": text.decode(errors="replace")}
    if status >= http.HTTPStatus.BAD_REQUEST:
        message = value.get("message") or value.get("text") or f"status {status}"
        raise ApiError(status, str(value.get("reason") or ""), " ".join(str(message).split())[:2000])
    return dict(value)
