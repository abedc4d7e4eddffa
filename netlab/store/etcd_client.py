"""Requests to etcd v3 through its JSON gateway, by the package ``etcd3gw``; only this module and its streams know it.

``etcd3gw`` has one endpoint and no users, so both are here: a request goes to the endpoint that answered last, and to
the next one if that does not answer. Sources: etcd.io, "gRPC gateway" and "Role-based access control" (v3.4); the codes
are those of google.rpc.Code.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from netlab.errors import HostError, UsageError, printable
from netlab.store.etcd_settings import EtcdSettings

Body = Mapping[str, Any]
_UNAVAILABLE, _DEADLINE, _UNAUTHENTICATED, _EXHAUSTED, _DENIED, _NOT_FOUND = 14, 4, 16, 8, 7, 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
# What etcd says about a token of before its restart, or of before a change of users.
_OLD_TOKEN = ("invalid auth token", "auth store is old")


class Unreachable(HostError):
    """No endpoint answered in time."""


class Refused(HostError):
    """etcd refused a request; ``code`` and ``text`` are etcd's own."""

    def __init__(self, what: str, code: int, text: str, fix: str = "") -> None:
        self.code, self.text = code, text
        super().__init__(f"{what}: {printable(text)}", fix)

    @property
    def not_found(self) -> bool:
        """Whether what the request names does not exist, such as a lease that expired."""
        return self.code == _NOT_FOUND or "not found" in self.text

    @property
    def of_old_token(self) -> bool:
        """Whether the user has to show its password again."""
        return any(text in self.text for text in _OLD_TOKEN)


class _Try(Exception):
    """An endpoint did not answer; ``certain`` means that a later try fails too."""

    def __init__(self, why: str, certain: bool = False) -> None:
        self.certain = certain
        super().__init__(why)


class EtcdClient:
    """Requests to one etcd. Threads may share it: each has connections of its own, and so has a forked process.

    ``waiting`` is called once for a request that no endpoint answers for a second, with the reason.

    Raises:
      HostError: if the package is not installed.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        try:
            import etcd3gw  # noqa: F401
        except ImportError as error:
            fix = "install it beside netlab: pip install etcd3gw"
            raise HostError("etcd needs the package etcd3gw", fix) from error
        self.settings = settings
        self.waiting: Callable[[str], object] = lambda why: None
        self._own = threading.local()
        self._at = 0
        self._token = ""

    def key(self, *parts: str) -> str:
        """Return a key below the prefix; its parts are validated names."""
        return self.settings.prefix + "/".join(parts)

    # --- requests -----------------------------------------------------------------------------------------------

    def call(self, path: str, body: Body, patience: float | None = None, answer: float | None = None) -> dict[str, Any]:
        """Return the answer to a request, of the first endpoint that answers.

        A request may have an effect twice, if etcd dies before it answers; callers ask for the same thing again.

        Args:
          path: the path after ``/v3/``.
          body: the request.
          patience: seconds for all tries, at least one at each endpoint; None for that of the settings.
          answer: seconds for the answer of one endpoint; None for those of the settings.

        Raises:
          Unreachable: if no endpoint answers in time.
          Refused: if etcd refuses the request.
        """
        began, called = time.monotonic(), False
        until = began + (self.settings.patience if patience is None else patience)
        pause, renewed = _FIRST_PAUSE, False
        while True:
            certain, why = True, ""
            for _ in self.settings.endpoints:
                try:
                    return self._ask(path, body, self.settings.answer if answer is None else answer)
                except _Try as error:
                    certain, why = certain and error.certain, f"{self.settings.endpoints[self._at]}: {error}"
                    self._at = (self._at + 1) % len(self.settings.endpoints)
                except Refused as error:
                    # etcd forgets tokens when it starts.
                    if renewed or not error.of_old_token:
                        raise
                    self._token, renewed, certain = "", True, False
                    break
            else:
                if certain or time.monotonic() + pause > until:
                    raise Unreachable(f"etcd is not reached: {why}", "check that it runs and that the address is right")
                if not called and time.monotonic() > began + 1:
                    called = True
                    self.waiting(why)
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def stream(self, path: str, body: Body, idle: float) -> Any:
        """Return the open answer to a request whose answer does not end; it breaks after ``idle`` silent seconds.

        Raises:
          Unreachable, Refused: as ``call`` does; one endpoint is tried.
        """
        import requests

        client = self._session()
        try:
            answer = client.session.post(
                client.get_url(path),
                json=body,
                stream=True,
                allow_redirects=False,
                timeout=(self.settings.connect, idle),
            )
        except (requests.exceptions.RequestException, OSError) as error:
            self._at = (self._at + 1) % len(self.settings.endpoints)
            raise Unreachable(f"etcd is not reached: {self._why(error)}") from error
        if answer.status_code != 200:
            text = answer.text
            answer.close()
            refused = self._refused(text)
            if refused is None or refused.code in (_UNAVAILABLE, _DEADLINE) or refused.of_old_token:
                # The caller tries again, by ``call`` at first, which finds a member and renews the token.
                self._at = (self._at + 1) % len(self.settings.endpoints)
                raise Unreachable(f"etcd is not reached: {refused.text if refused else answer.status_code}")
            raise refused
        return answer

    def close(self) -> None:
        """Close the connections of this thread."""
        for client in getattr(self._own, "clients", {}).values():
            client.session.close()
        self._own = threading.local()

    def _ask(self, path: str, body: Body, answer: float) -> dict[str, Any]:
        client = self._session()
        client.timeout = (self.settings.connect, answer)
        return self._post(client, path, body)

    def _session(self) -> Any:
        """Return this thread's connection with the current endpoint, as the user of the settings."""
        client = self._connection()
        if self.settings.user:
            if not self._token:
                self._token = self._authenticate(client)
            client.session.headers["Authorization"] = self._token
        return client

    def _authenticate(self, client: Any) -> str:
        client.session.headers.pop("Authorization", None)
        who = {"name": self.settings.user, "password": self.settings.password}
        try:
            return str(self._post(client, "auth/authenticate", who)["token"])
        except KeyError:
            raise _Try("it gave no token") from None
        except Refused as error:
            if "authentication is not enabled" in error.text:
                raise UsageError("etcd has no users: authentication is not enabled there; leave user out") from error
            raise

    def _connection(self) -> Any:
        if getattr(self._own, "pid", 0) != os.getpid():
            self._own.pid, self._own.clients = os.getpid(), {}
        url = self.settings.endpoints[self._at]
        if url not in self._own.clients:
            self._own.clients[url] = _new(url, self.settings)
        return self._own.clients[url]

    def _post(self, client: Any, path: str, body: Body) -> dict[str, Any]:
        import requests
        from etcd3gw.exceptions import Etcd3Exception

        try:
            answer = client.post(client.get_url(path), json=body, allow_redirects=False)
        except Etcd3Exception as error:
            refused = self._refused(error.detail_text or "")
            if refused is None or refused.code in (_UNAVAILABLE, _DEADLINE):
                cause = error.__context__ or error
                why = refused.text if refused else self._why(cause, client.timeout[1])
                raise _Try(why, certain="certificate" in why) from error
            raise refused from error
        except (requests.exceptions.RequestException, ValueError, OSError) as error:
            raise _Try(self._why(error)) from error
        if not isinstance(answer, dict):
            raise _Try("it is no etcd")
        # A stream with one answer has it in a field of its own.
        found = answer.get("result", answer)
        return found if isinstance(found, dict) else answer

    def _refused(self, text: str) -> Refused | None:
        """Return the error of an answer's text; None where it is not one of etcd."""
        try:
            data = json.loads(text)
            code, said = int(data["code"]), str(data["error"])[:500]
        except (ValueError, TypeError, KeyError):
            return None
        said = said.removeprefix("etcdserver: ")
        fix = ""
        if code == _EXHAUSTED and "space" in said:
            fix = "its database is full; compact and defragment it, then: etcdctl alarm disarm"
        elif "user name is empty" in said:
            fix = "it has users; give a user and a password"
        elif code == _DENIED:
            fix = f"grant the user read and write of keys with the prefix {self.settings.prefix}"
        return Refused(f"etcd refused at {self.settings.endpoints[self._at]}", code, said, fix)

    def _why(self, error: BaseException, limit: float = 0) -> str:
        from netlab.kernel.request_errors import why

        inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
        return printable(why(inner, self.settings.connect, limit or self.settings.answer))


def _new(url: str, settings: EtcdSettings) -> Any:
    """Return a client of etcd3gw for one endpoint; no variable of the environment, proxy or netrc changes it."""
    import requests
    from etcd3gw.client import Etcd3Client

    session = requests.Session()
    session.trust_env = False
    if settings.ca:
        session.verify = settings.ca
    if settings.cert:
        session.cert = (settings.cert, settings.key)
    scheme, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    limits = (settings.connect, settings.answer)
    return Etcd3Client(host.strip("[]"), int(port), scheme, timeout=limits, api_path="/v3/", session=session)


# --- bodies -----------------------------------------------------------------------------------------------------


def b64(text: str | bytes) -> str:
    """Return a key or value as the gateway takes it."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(text: str) -> bytes:
    """Return a key or value of an answer."""
    return base64.b64decode(text)


def below(prefix: str) -> dict[str, str]:
    """Return the fields of a request that name all keys with a prefix."""
    return {"key": b64(prefix), "range_end": b64(after(prefix))}


def after(prefix: str) -> bytes:
    """Return the first key after all keys with a prefix, which ends in an ASCII character."""
    data = prefix.encode()
    return data[:-1] + bytes((data[-1] + 1,))


def revision_of(answer: Body) -> int:
    """Return the revision of etcd in an answer."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return int(answer["header"]["revision"])
    raise HostError("etcd gave an answer without a revision; is it etcd?")
