"""A server on the loopback device that keeps comments of pull requests, as GitHub's API does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"


class FakeGitHub:
    """The comments of the pull requests of a repository.

    ``writable`` says whether the token may write. ``errors`` are the codes of the next answers. ``requests`` has the
    method and path of each request.
    """

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.writable = True
        self.errors: list[int] = []
        self.requests: list[str] = []
        self.url = ""

    def add(self, body: str, login: str = BOT) -> dict[str, Any]:
        """Add a comment to pull request 7."""
        one = {"id": len(self.comments) + 1, "body": body, "user": {"login": login}}
        self.comments.append(one)
        return one

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """Return the status and the content of an answer."""
        asked = urlsplit(path)
        self.requests.append(f"{method} {asked.path}")
        if self.errors:
            return self.errors.pop(0), {}
        if token != "Bearer t0ken":  # noqa: S105 - the token of the tests
            return 401, {}
        if method == "GET" and asked.path == "/repos/owner/shop/issues/7/comments":
            query = {name: int(texts[0]) for name, texts in parse_qs(asked.query).items()}
            first = (query["page"] - 1) * query["per_page"]
            return 200, self.comments[first : first + query["per_page"]]
        if not self.writable:
            return 403, {"message": "Resource not accessible by integration"}
        if len(body["body"]) > 65536:
            return 422, {"message": "body is too long"}
        if method == "POST" and asked.path == "/repos/owner/shop/issues/7/comments":
            return 201, self.add(body["body"])
        if method == "PATCH" and (match := re.fullmatch(r"/repos/owner/shop/issues/comments/(\d+)", asked.path)):
            self.comments[int(match[1]) - 1]["body"] = body["body"]
            return 200, self.comments[int(match[1]) - 1]
        return 404, {}


@contextmanager
def serving() -> Iterator[FakeGitHub]:
    """Serve an empty repository during the block."""
    github = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "")
            code, found = github.answer(self.command, self.path, token, json.loads(content or "null"))
            text = json.dumps(found).encode()
            self.send_response(code)
            if code // 100 == 3:
                self.send_header("Location", f"{github.url}/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
