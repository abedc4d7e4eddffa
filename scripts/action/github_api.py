"""The few requests of GitHub's REST API that the action needs: https://docs.github.com/rest/issues/comments."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

_SECONDS = 20
_TRIES = 3
_PAGE = 100
_MOST_PAGES = 30
_MOST_BYTES = 50_000_000


class RefusedError(Exception):
    """The token may not do this."""


class UnansweredError(Exception):
    """The server cannot be reached, or answers with an error; the message has no token."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: urllib would send the token to wherever it leads."""

    def redirect_request(self, *arguments: object) -> None:
        return None


class PullRequest:
    """A pull request of a repository, at an API.

    Args:
      api: the address of the API, without a slash at its end.
      repository: OWNER/NAME.
      number: the number of the pull request.
      token: what the requests are authorized with.
      pause: seconds before the second try of a request; twice as many before the third.
    """

    def __init__(self, api: str, repository: str, number: int, token: str, pause: float = 2.0) -> None:
        self._root = f"{api}/repos/{repository}/issues"
        self._number = number
        self._token = token
        self._pause = pause
        self._open = urllib.request.build_opener(_NoRedirect).open

    def comments(self) -> Iterator[dict[str, Any]]:
        """Yield the comments; raises RefusedError, UnansweredError."""
        for page in range(1, _MOST_PAGES + 1):
            found = self._ask("GET", f"{self._root}/{self._number}/comments?per_page={_PAGE}&page={page}")
            if not isinstance(found, list):
                raise UnansweredError("the list of comments is no list")
            yield from (one for one in found if isinstance(one, dict))
            if len(found) < _PAGE:
                return

    def create(self, body: str) -> None:
        """Write a new comment; raises RefusedError, UnansweredError."""
        self._ask("POST", f"{self._root}/{self._number}/comments", {"body": body})

    def update(self, comment: int, body: str) -> None:
        """Replace the text of a comment; raises RefusedError, UnansweredError."""
        self._ask("PATCH", f"{self._root}/comments/{comment}", {"body": body})

    def _ask(self, method: str, url: str, body: object = None) -> Any:
        for tried in range(_TRIES):
            if tried:
                time.sleep(self._pause * tried)
            try:
                return self._once(method, url, body)
            except urllib.error.HTTPError as error:
                if error.code in (401, 403, 404):
                    raise RefusedError(f"{method}: {error.code}") from None
                problem = f"{method}: {error.code}"
                # A comment that was made before the error would be made twice.
                if error.code < 500 or method == "POST":
                    break
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = f"{method}: {type(error).__name__}"
                if method == "POST":
                    break
        raise UnansweredError(problem)

    def _once(self, method: str, url: str, body: object) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the runner names the address
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "User-Agent": "netlab",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with self._open(request, timeout=_SECONDS) as answer:
            return json.loads(answer.read(_MOST_BYTES))
