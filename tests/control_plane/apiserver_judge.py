"""The API server and ``netlab check`` as judges of one object: whether it is accepted, and what is wrong with it."""

from __future__ import annotations

import http.client
import io
import json
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus

from netlab.cli.whole_input import whole_input
from netlab.objects import read_input

from .control_plane import ControlPlane, Object, path_of

_AT_ONCE = 6


@dataclass(frozen=True)
class Verdict:
    """What a judge says of an object: the path and the message of each error.

    ``undecoded`` is the message of a server that could not decode the object. It then says nothing else.
    """

    accepted: bool
    errors: frozenset[tuple[str, str]] = frozenset()
    undecoded: str = ""


_UNKNOWN = Verdict(False)


class Judge:
    """An API server that validates objects without storing them, several at a time."""

    def __init__(self, plane: ControlPlane) -> None:
        self._port = plane.port
        self._context = ssl.create_default_context(cafile=str(plane.certificate))

    def verdicts(self, objects: Sequence[Object]) -> list[Verdict]:
        """Return the verdict of each object."""
        parts = [objects[start::_AT_ONCE] for start in range(_AT_ONCE)]
        found: list[Verdict] = [_UNKNOWN] * len(objects)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for start, verdicts in enumerate(pool.map(self._in_turn, parts)):
                found[start::_AT_ONCE] = verdicts
        return found

    def _in_turn(self, objects: Sequence[Object]) -> list[Verdict]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=60)
        with closing(connection):
            return [_verdict(connection, one) for one in objects]


def _verdict(connection: http.client.HTTPSConnection, one: Object) -> Verdict:
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/json"}
    connection.request("POST", f"{path_of(one)}?dryRun=All&fieldValidation=Strict", json.dumps(one), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status == HTTPStatus.CREATED:
        return Verdict(True)
    value = json.loads(text)
    if answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
        return Verdict(False, undecoded=f"{answer.status} {value['message']}")
    causes = value["details"].get("causes", ())
    return Verdict(False, frozenset((str(c.get("field", "")), str(c.get("message", ""))) for c in causes))


def netlab_verdict(one: Object) -> Verdict:
    """Return what ``netlab check`` says of an object."""
    read = read_input(["-"], stdin=io.StringIO(json.dumps(one)))
    # Addresses and node ports of Services are checked with those of the cluster. What else the cluster decides, such
    # as whether a network has room for all pods, is nothing that an API server knows.
    problems = whole_input(read).problems if one["kind"] == "Service" else read.problems
    errors = frozenset((p.path, p.message) for p in problems if p.severity == "error")
    return Verdict(not errors, errors)
