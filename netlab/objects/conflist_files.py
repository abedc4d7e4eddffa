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
from netlab.objects.file_trees import FileTree
from netlab.objects.files import UnreadableError
from netlab.objects.types import Document

_NAME = "conflist"


def names_conflist(document: Document) -> bool:
    """Return whether a document is a Topology that names the file of a list."""
    return document.kind == "Topology" and any(isinstance(one.get(_NAME), str) for one in _networks(document.data))


def with_conflists(document: Document, budget: Budget, tree: FileTree) -> tuple[Document, list[Problem]]:
    """Return the document with the content of each named file in its place, and the problems.

    ``tree`` has the files among which the document's file is.
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
            content = _content(one[_NAME], file, budget, tree)
        except UnreadableError as error:
            name = (document.data.get("metadata") or {}).get("name", "") if isinstance(document.data, dict) else ""
            message = f"{one[_NAME]!r}: {error}"
            problems.append(Problem(file, document.source.line(path), path, f"Topology {name}".strip(), message))
            # Without the field, one message says what is wrong.
            content = {}
        networks[index] = {**one, _NAME: content}
    return replace(document, data={**document.data, "spec": {**spec, "networks": networks}}), problems


def _content(name: str, file: str, budget: Budget, tree: FileTree) -> Any:
    if os.path.isabs(name) or not name.strip():
        raise UnreadableError("must be a path relative to the Topology's file")
    tree = tree.around(file)
    path = tree.beside(file, name)
    if not tree.holds(path):
        raise UnreadableError(f"is outside of {tree.home}, the folder that a Topology may name files of")
    text = tree.text(path, budget)
    if len(text) > MOST_BYTES:
        raise UnreadableError(f"is longer than {MOST_BYTES >> 10} KiB")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is not JSON: line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise UnreadableError("is nested too deep") from None
    except ValueError:
        raise UnreadableError("has a number that is too long") from None


def _networks(data: Mapping[str, Any]) -> list[Any]:
    spec = data.get("spec")
    networks = spec.get("networks") if isinstance(spec, dict) else None
    return [one for one in networks if isinstance(one, dict)] if isinstance(networks, list) else []
