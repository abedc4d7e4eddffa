"""Answers load balancers at the healthCheckNodePorts of a node: has the node a ready endpoint of the Service?

200 with at least one, else 503, for every path, as kube-proxy answers (pkg/proxy/healthcheck/service_health.go).

Arguments: the ports, then the file with the numbers of endpoints. A change of the lab renames a new file into the place
of the old one. The program looks at the file before each answer. It imports nothing while it runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from netlab.programs import echo

_KIND = "application/json"


class Counts:
    """The content of the file: by port, the ``service``, and its ready local ``endpoints`` by IP family."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._known: dict[str, Any] = {}

    def of(self, port: str) -> dict[str, Any] | None:
        """Return what the file says of a port, None where it says nothing."""
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(self._file)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._known = json.loads(self._file.read_bytes())
                self._stamp = stamp
        return self._known.get(port)

    def page(self, request: echo.Request, port: str) -> tuple[HTTPStatus, str, bytes]:
        """Answer a request that came to a port; a client of IPv6 asks for endpoints of IPv6."""
        found = self.of(port)
        if found is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, _KIND, b"{}"
        count = found["endpoints"].get("6" if request.client.startswith("[") else "4", 0)
        body = {"service": found["service"], "localEndpoints": count, "serviceProxyHealthy": True}
        status = HTTPStatus.OK if count else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _KIND, json.dumps(body, indent="\t").encode()


def main() -> None:
    """Serve until the program is ended."""
    *ports, file = sys.argv[1:]
    counts = Counts(Path(file))
    echo.serve([(echo.HTTP, echo.listening(echo.HTTP, int(port)), port) for port in ports], page=counts.page)
