"""The files of configuration lists that Topologies name, read into the documents.

A Topology may be untrusted. So a list is a regular file in the repository of the Topology's file, or in its folder,
and no message has content of a file that is no list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netlab.cni.conflist import MOST_BYTES
from netlab.errors import Problem
from netlab.objects.bounds import Budget
from netlab.objects.files import UnreadableError, home_of, is_inside, text_of
from netlab.objects.types import Document

_NAME = "conflist"


def names_conflist(document: Document) -> bool:
    """Return whether a document is a Topology that names the file of a list."""
    return document.kind == "Topology" and any(isinstance(one.get(_NAME), str) for one in _networks(document.data))


def with_conflists(document: Document, budget: Budget, home: str = "") -> tuple[Document, list[Problem]]:
    """Return the document with the content of each named file in its place, and the problems.

    ``home``: the folder that files must be in; by default that of the document's file.
    """
    file = document.source.file
    spec = dict(document.data["spec"])
    networks = list(spec["networks"])
    problems: list[Problem] = []
    for index, one in enumerate(networks):
        if not isinstance(one, dict) or not isinstance(one.get(_NAME), str):
            continue
        path = f"spec.networks[{index}].{_NAME}"
        try:
            content = _content(one[_NAME], file, budget, home)
        except UnreadableError as error:
            name = (document.data.get("metadata") or {}).get("name", "") if isinstance(document.data, dict) else ""
            message = f"{one[_NAME]!r}: {error}"
            problems.append(Problem(file, document.source.line(path), path, f"Topology {name}".strip(), message))
            # Without the field, one message says what is wrong.
            content = {}
        networks[index] = {**one, _NAME: content}
    return replace(document, data={**document.data, "spec": {**spec, "networks": networks}}), problems


def _content(name: str, file: str, budget: Budget, home: str) -> Any:
    if os.path.isabs(name) or not name.strip():
        raise UnreadableError("must be a path relative to the Topology's file")
    path, home = os.path.join(os.path.dirname(file), name), home or home_of(file)
    if not is_inside(path, home):
        raise UnreadableError(f"is outside of {home}, the folder that a Topology may name files of")
    text = text_of(path, budget, pipes=False, home=home)
    if len(text) > MOST_BYTES:
        raise UnreadableError(f"is longer than {MOST_BYTES >> 10} KiB")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is not JSON: line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise UnreadableError("is nested too deep") from None


def _networks(data: Mapping[str, Any]) -> list[Any]:
    spec = data.get("spec")
    networks = spec.get("networks") if isinstance(spec, dict) else None
    return [one for one in networks if isinstance(one, dict)] if isinstance(networks, list) else []
