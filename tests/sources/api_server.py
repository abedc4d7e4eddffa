"""A small HTTP server on loopback that answers as an API server does: discovery, lists in pages, one object."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from netlab.sources.cluster_kinds import Resource, read_kinds

Object = dict[str, Any]
Answer = tuple[int, Mapping[str, str], bytes]
MINE = tuple(Resource(one.api_version, one.name, one.plural, one.namespaced) for one in read_kinds())
CILIUM = Resource("cilium.io/v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", True)


class ApiServer:
    """What the server has and does.

    - ``objects``: what it lists; ``kinds``: what it serves.
    - ``forbidden``: paths that a user may not read.
    - ``before``: is asked first; what it returns is the answer, None for the usual one.
    - ``requests``: the method, path and query of each request; ``headers``: those of the last one.
    """

    def __init__(self, objects: Iterable[Object] = (), kinds: Iterable[Resource] = MINE) -> None:
        self.objects = list(objects)
        self.kinds = list(kinds)
        self.forbidden: set[str] = set()
        self.before: Callable[[str, Mapping[str, list[str]]], Answer | None] = lambda path, query: None
        self.aggregated = True
        self.requests: list[tuple[str, str, Mapping[str, list[str]]]] = []
        self.headers: Mapping[str, str] = {}
        self.url = ""

    def stream(self, path: str, query: Mapping[str, list[str]]) -> Iterator[bytes] | None:
        """Return the parts of an answer that goes on, None for one that ``answer`` has whole."""
        return None

    def dead(self) -> bool:
        """Say whether connections end without an answer."""
        return False

    def paths(self) -> list[str]:
        """Return the paths of all requests but discovery."""
        return [path for _, path, _ in self.requests if path.count("/") > 2]

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        usual = self.before(path, query)
        if usual is not None:
            return usual
        if path in ("/api", "/apis"):
            return self._discovery(path)
        for one in self.kinds:
            if path == one.path().rpartition("/")[0]:
                return ok({"kind": "APIResourceList", "resources": [_stated(r) for r in self.kinds if r[0] == one[0]]})
        if path in self.forbidden:
            return status(403, "forbidden: no")
        for one in self.kinds:
            for namespace in (
                "",
                *{n for item in self.objects if isinstance(n := item["metadata"].get("namespace"), str)},
            ):
                if path == one.path(namespace):
                    return self._list(one, namespace, query)
                if path.rpartition("/")[0] == one.path(namespace):
                    return self._one(one, namespace, path.rpartition("/")[2])
        return ok({"metadata": {}, "items": []}) if "/namespaces/" in path else status(404, "not found")

    def _of(self, one: Resource, namespace: str) -> list[Object]:
        found = [o for o in self.objects if (o["apiVersion"], o["kind"]) == (one.version, one.kind)]
        return [o for o in found if not namespace or o["metadata"].get("namespace") == namespace]

    def _list(self, one: Resource, namespace: str, query: Mapping[str, list[str]]) -> Answer:
        found = self._of(one, namespace)
        at, size = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["0"])[0]) or len(found)
        metadata = {"continue": str(at + size)} if at + size < len(found) else {}
        # As a server's, items of a typed list have neither kind nor version.
        items = [{k: v for k, v in o.items() if k not in ("kind", "apiVersion")} for o in found[at : at + size]]
        return ok({"kind": f"{one.kind}List", "apiVersion": one.version, "metadata": metadata, "items": items})

    def _one(self, one: Resource, namespace: str, name: str) -> Answer:
        found = [o for o in self._of(one, namespace) if o["metadata"].get("name") == name]
        return ok(found[0]) if found else status(404, "not found")

    def _discovery(self, path: str) -> Answer:
        versions = list(dict.fromkeys(one.version for one in self.kinds if bool(one.group) == (path == "/apis")))
        if not self.aggregated:
            if path == "/api":
                return ok({"kind": "APIVersions", "versions": versions})
            groups = [{"name": v.split("/")[0], "versions": [{"groupVersion": v}]} for v in versions]
            return ok({"kind": "APIGroupList", "groups": groups})
        items = [
            {
                "metadata": {"name": version.rpartition("/")[0]},
                "versions": [
                    {
                        "version": version.rpartition("/")[2],
                        "resources": [
                            {
                                "resource": one.plural,
                                "responseKind": {"kind": one.kind},
                                "scope": "Namespaced" if one.namespaced else "Cluster",
                                "verbs": ["list", "get"],
                            }
                            for one in self.kinds
                            if one.version == version
                        ],
                    }
                ],
            }
            for version in versions
        ]
        return ok({"kind": "APIGroupDiscoveryList", "items": items})


def _stated(one: Resource) -> Object:
    return {"kind": one.kind, "name": one.plural, "namespaced": one.namespaced, "verbs": ["list", "get"]}


def ok(value: object) -> Answer:
    return 200, {}, json.dumps(value).encode()


def status(code: int, message: str, **headers: str) -> Answer:
    return code, headers, json.dumps({"kind": "Status", "code": code, "message": message}).encode()


@contextmanager
def serving(server: ApiServer, folder: Path) -> Iterator[Path]:
    """Run a server, and write a kubeconfig with it as the current context ``prod``; return its path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the body of an answer waits 40 ms for the client's acknowledgement of its headers.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # names of the standard library

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            server.requests.append((self.command, parts.path, parse_qs(parts.query)))
            server.headers = dict(self.headers)
            if server.dead():
                self.close_connection = True
                return
            if (parts_of_stream := server.stream(parts.path, parse_qs(parts.query))) is not None:
                self._stream(parts_of_stream)
                return
            code, headers, body = server.answer(parts.path, parse_qs(parts.query))
            if "gzip" in self.headers.get("Accept-Encoding", "") and "Content-Encoding" not in headers:
                headers, body = {**headers, "Content-Encoding": "gzip"}, gzip.compress(body, 1)
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            with suppress(ConnectionError):  # of a client that waits no longer
                self.end_headers()
                self.wfile.write(body)

        def _stream(self, found: Iterator[bytes]) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.close_connection = True
            with suppress(ConnectionError):
                self.end_headers()
                for part in found:
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Print nothing: netlab may have gone in the middle of an answer."""

    httpd = Server(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield kubeconfig(folder / "kubeconfig", server.url)
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def kubeconfig(path: Path, url: str, **user: object) -> Path:
    """Write a kubeconfig with the contexts ``prod``, the current one, and ``team/a@prod``, whose namespace is ``a``."""
    contexts = [
        {"name": "prod", "context": {"cluster": "c", "user": "u"}},
        {"name": "team/a@prod", "context": {"cluster": "c", "user": "u", "namespace": "a"}},
    ]
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user or {"token": "secret-token"}}],
        "contexts": contexts,
    }
    path.write_text(yaml.safe_dump(value))
    return path


def slow(seconds: float) -> Answer | None:
    time.sleep(seconds)
    return None
