"""The ``kubernetes`` package: a kubeconfig to a connection with the API server, and GET requests on it.

Only this module knows the package. It runs in the process that ``kube_process`` starts, as the user whose kubeconfig it
is. No request has another method than GET, and a token that a plugin renews is not saved. ``ssl`` reads files, so a key
that a kubeconfig holds is in a file of the user while it is loaded.

Source: kubeconfig (v1) of kubernetes.io, and client-go's tools/clientcmd.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from netlab.kernel.request_errors import MOST_MESSAGE, one_line, why

CONNECT_SECONDS, READ_SECONDS = 10.0, 45.0
BODY_SECONDS = 60.0
_CHUNK = 1 << 16
_MOST_CONTEXTS = 1_000
_AGENT = "netlab"
WATCH_SECONDS = 150.0
"""How long a watch may be silent. A server sends a bookmark about once a minute."""
# A server that went without a word is noticed in some 30 seconds, as by client-go's pings.
_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
# What the package and ssl raise for a wrong kubeconfig or file.
_WRONG = (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)


class LibraryError(Exception):
    """The API server cannot be asked; ``kind`` is "config", "contexts", "plugin", "reach" or "large".

    ``names`` has the contexts that exist.
    """

    def __init__(self, kind: str, message: str, names: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.names = names
        super().__init__(message)


_LARGE_LINE = LibraryError("large", "a line of the watch is too large")


class _Errors(logging.Handler):
    """Keeps what the package logs as an error: it tells a plugin's failure in no other way."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Library:
    """A connection with the API server of a context, None for the current one.

    Raises:
      LibraryError: if there is no such context, or its entry is wrong.
    """

    def __init__(self, context: str | None) -> None:
        paths = os.environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")
        merged = _merged(paths)
        contexts = _named(merged.config.value.get("contexts"), "context") if merged.config is not None else {}
        if not contexts:
            raise LibraryError("config", f"no kubeconfig with a context: {_shown(paths)} has none")
        self.context = context or _current(merged)
        if self.context not in contexts:
            what = f"the current context {self.context!r} is not in it" if not context else "no such context"
            if not self.context:
                what = "the kubeconfig has no current context; name one"
            raise LibraryError("contexts", what, tuple(contexts)[:_MOST_CONTEXTS])
        self.namespace = str(contexts[self.context].get("namespace") or "default")
        users, user = _named(merged.config.value.get("users"), "user"), contexts[self.context].get("user")
        if user and user not in users:
            raise LibraryError("config", f"context {self.context}: the kubeconfig has no user {user!r}")
        self._user = users.get(str(user), {})
        self._configuration = Configuration()
        self._configuration.retries = urllib3.Retry(
            connect=1, read=0, redirect=0, status=0, other=0, respect_retry_after_header=False
        )
        try:
            with tempfile.TemporaryDirectory(prefix="netlab-") as folder:
                loader = KubeConfigLoader(
                    merged.config, active_context=self.context, config_base_path=None, temp_file_path=folder
                )
                self._authenticate(loader)
                server = urlsplit(self._configuration.host)
                if server.scheme not in ("http", "https") or not server.hostname:
                    raise LibraryError(
                        "config", f"context {self.context}: its cluster has no server with http or https"
                    )
                self._client = RESTClientObject(self._configuration)
                _use(_tls(self._configuration), self._client.pool_manager)
                alive = [*HTTPConnection.default_socket_options, *_ALIVE]
                self._client.pool_manager.connection_pool_kw["socket_options"] = alive
        except _WRONG as error:
            raise LibraryError("config", f"context {self.context}: {one_line(error)}") from error
        self.server = f"{server.scheme}://{server.netloc.rpartition('@')[2]}"

    def _authenticate(self, loader: KubeConfigLoader) -> None:
        """Load credentials and certificates, if need be by the credential plugin."""
        errors = _Errors()
        logging.getLogger().addHandler(errors)
        try:
            loader.load_and_set(self._configuration)
        finally:
            logging.getLogger().removeHandler(errors)
        # Without credentials the package would ask as an anonymous user.
        if "exec" in self._user and not self._configuration.api_key and not self._configuration.cert_file:
            why = errors.messages[-1] if errors.messages else "it gave no credentials"
            command = str((self._user["exec"] or {}).get("command", ""))
            raise LibraryError("plugin", f"the credential plugin {command} of the kubeconfig failed: {one_line(why)}")

    def get(self, path: str, accept: str, most: int) -> tuple[int, str, bytes]:
        """Return status, the header Retry-After and the body of a GET request.

        Raises:
          LibraryError: if the server does not answer, or the body is larger than ``most`` bytes.
        """
        try:
            answer = self._client.pool_manager.request(
                "GET",
                f"{self._configuration.host}{path}",
                headers=self._headers(accept),
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            )
            try:
                return answer.status, answer.headers.get("Retry-After", ""), _body(answer, most)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise LibraryError("reach", why(error, CONNECT_SECONDS, READ_SECONDS)) from error

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[Stream]:
        """Make a GET request whose answer may go on for ever; the end of the block closes its connection.

        Raises:
          LibraryError: if the server does not answer, or the connection breaks in the block.
        """
        answer = None
        try:
            answer = self._client.pool_manager.request(
                "GET",
                f"{self._configuration.host}{path}",
                headers=self._headers("application/json"),
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=WATCH_SECONDS),
            )
            yield Stream(answer)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise LibraryError("reach", why(error, CONNECT_SECONDS, WATCH_SECONDS)) from error
        finally:
            if answer is not None:
                with contextlib.suppress(OSError):
                    answer.close()

    def _headers(self, accept: str) -> urllib3.HTTPHeaderDict:
        found = urllib3.HTTPHeaderDict({"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": _AGENT})
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            found["Authorization"] = token.strip()
        for name, value in impersonation(self._user):
            found.add(name, value)
        return found


class Stream:
    """An answer that comes in lines."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.retry_after = answer.headers.get("Retry-After", "")

    def body(self, most: int) -> bytes:
        """Return the whole answer; raises LibraryError if it is larger than ``most`` bytes."""
        return _body(self._answer, most)

    def lines(self, most: int) -> Iterator[bytes]:
        """Yield each line as it comes; raises LibraryError for one of more than ``most`` bytes."""
        parts: list[bytes] = []
        size = 0
        # A chunk as it comes: a server writes each event as one.
        for chunk in self._answer.stream(_CHUNK, decode_content=True):
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                if size + len(line) > most:
                    raise _LARGE_LINE
                parts.append(line)
                yield b"".join(parts)
                parts, size = [], 0
            if rest:
                parts.append(rest)
                size += len(rest)
            if size > most:
                raise _LARGE_LINE


def impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the headers of a kubeconfig's user that acts as another one. The package leaves these fields out."""
    if user.get("as"):
        yield "Impersonate-User", str(user["as"])
    if user.get("as-uid"):
        yield "Impersonate-Uid", str(user["as-uid"])
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values or ():
            yield f"Impersonate-Extra-{key}", str(value)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """Return the TLS settings of a configuration; its files are read now."""
    reqs = ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    found = create_urllib3_context(cert_reqs=reqs)
    if configuration.ssl_ca_cert:
        found.load_verify_locations(configuration.ssl_ca_cert)
    else:
        found.load_default_certs()
    if configuration.cert_file:
        found.load_cert_chain(configuration.cert_file, configuration.key_file)
    # urllib3 sets it for each connection (ssl_wrap_socket). While one thread does so, another sends freed memory in its
    # greeting: with six threads 98 of 18,598 greetings were wrong, and a server answers TLSV1_ALERT_DECODE_ERROR.
    found.set_alpn_protocols(ALPN_PROTOCOLS)
    found.set_alpn_protocols = lambda alpn_protocols: None  # type: ignore[method-assign]
    return found


def _use(context: ssl.SSLContext, pools: urllib3.PoolManager) -> None:
    """Have the connections of a pool use TLS settings, and no file."""
    for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
        pools.connection_pool_kw.pop(name, None)
    pools.connection_pool_kw["ssl_context"] = context


def _merged(paths: str) -> Any:
    from yaml import YAMLError

    try:
        return KubeConfigMerger(paths)
    except (ConfigException, YAMLError, OSError, UnicodeError, AttributeError, KeyError, TypeError) as error:
        raise LibraryError("config", f"the kubeconfig {_shown(paths)} cannot be read: {one_line(error)}") from error


def _named(items: Any, field: str) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a list of a kubeconfig by name; the first of a name counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in items or ():
        plain = getattr(item, "value", item)
        if isinstance(plain, dict) and isinstance(plain.get(field), dict):
            found.setdefault(str(plain.get("name", "")), plain[field])
    return found


def _current(merged: Any) -> str:
    """Return the current context: that of the first file with one, as for kubectl. The package takes the last."""
    every = (config.get("current-context") for config in merged.config_files.values())
    return next((str(one) for one in every if one), "")


def _shown(paths: str) -> str:
    return paths if len(paths) <= MOST_MESSAGE else f"{paths[:MOST_MESSAGE]}…"


def _body(answer: urllib3.BaseHTTPResponse, most: int) -> bytes:
    parts, size = [], 0
    until = time.monotonic() + BODY_SECONDS
    for chunk in answer.stream(_CHUNK, decode_content=True):
        if time.monotonic() > until:
            # Nobody waits any more, and other questions do.
            with contextlib.suppress(OSError):
                answer.close()
            raise LibraryError("reach", f"an answer takes more than {BODY_SECONDS:g} seconds")
        size += len(chunk)
        if size > most:
            # The rest is not wanted, so the connection is of no use.
            with contextlib.suppress(OSError):
                answer.close()
            raise LibraryError("large", "the answer is too large")
        parts.append(chunk)
    return b"".join(parts)
