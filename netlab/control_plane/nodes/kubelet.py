"""The kubelets of all nodes: an HTTPS server that the API server asks about pods.

Only the API server may ask: the certificate of the client must be the one that it has for kubelets.
"""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from netlab.control_plane.certificates import KUBELET_CLIENT
from netlab.kernel.loopback import ADDRESS
from netlab.lab.lab import Lab

_SECONDS = 30.0


class Kubelet:
    """The server; it listens when this value is made."""

    def __init__(self, lab: Lab, pki: Path, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
        self._context.load_verify_locations(pki / "ca.crt")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._server = _Server((ADDRESS, port), _Handler, self._context, lab)

    def start(self) -> None:
        """Answer in threads of their own."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: tuple[str, int], handler: Any, context: ssl.SSLContext, lab: Lab) -> None:
        self.lab = lab
        self._context = context
        super().__init__(place, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is in the thread of the request: a client that stalls stops nobody else.
        request.settimeout(_SECONDS)
        with self._context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that breaks off is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if not self._is_api_server():
            self._answer(403, "only the API server may ask\n")
        elif self.path.partition("?")[0] == "/healthz":
            self._answer(200, "ok")
        else:
            self._answer(501, f"netlab does not answer {self.path.partition('?')[0]}\n")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""

    def _is_api_server(self) -> bool:
        certificate = self.connection.getpeercert() or {}
        names = {value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"}
        return names == {KUBELET_CLIENT}

    def _answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
