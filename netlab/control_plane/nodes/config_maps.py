"""Reads the ConfigMaps that containers name, and remembers each for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from netlab.control_plane.api import ApiError, Client
from netlab.errors import NetlabError

_SECONDS = 2.0
_MOST = 1000
_NOT_FOUND = 404
_ROOT_CA = "kube-root-ca.crt"


class ConfigMaps:
    """The ConfigMaps of a cluster; several threads may read.

    Args:
      client: a client of the API server.
      authority: the certificate of the API server's authority. The controllers write it into a ConfigMap of each
        namespace, a moment after pods may be there.
      clock: the time in seconds.
    """

    def __init__(self, client: Client, authority: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._authority, self._clock = client, authority, clock
        self._known: dict[tuple[str, str], tuple[float, Mapping[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def read(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return a ConfigMap, None where there is none or it cannot be read."""
        key, now = (namespace, name), self._clock()
        with self._lock:
            known = self._known.get(key)
            if known is not None and now - known[0] < _SECONDS:
                return known[1]
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps/{quote(name, safe='')}"
        try:
            found: Mapping[str, Any] | None = self._client.get(path)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                return None
            found = {"data": {"ca.crt": self._authority}} if name == _ROOT_CA else None
        except (NetlabError, OSError):
            return None
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = now, found
        return found
