"""Files in a directory of manifests that hold no objects: settings of other tools, Helm templates, kustomizations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from netlab.errors import Problem
from netlab.frozen import mutable
from netlab.objects.file_trees import FileTree
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.types import Document
from netlab.patterns import pattern

TEMPLATE = "{{"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")
_KUSTOMIZE = "kustomize.config.k8s.io/"
# Kinds of documents that netlab prints: results, and what lint and test write for later. People keep them in folders.
_RESULTS = frozenset(
    {
        *("Reachability", "ReachabilityGroups", "ReachabilityDiff", "Comparison", "Exposure", "Suggestion", "Trace"),
        *("PolicySelection", "PodSelection", "Problems", "Lint", "LintBaseline", "LintRules", "TestReport"),
        *("InvariantsProof", "Modes", "Features", "Profiles", "ConformanceReport"),
    }
)
_NAMED = 5
_MESSAGES = ("error from server", "error: ", "unable to connect to the server", "no resources found")
# An unterminated string or comment matches to the end of the text. Else each of its quotes would start a new search,
# in quadratic time.
_COMMENT = pattern(r"""("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|//[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)
_TRAILING = pattern(r",(\s*[}\]])")


def is_commented(text: str) -> bool:
    """Say whether a text is JSON with comments or trailing commas, as in the settings of many tools.

    A text with ``apiVersion`` or ``kind`` is not: it may be an object with an error, as kubectl reads no comments.
    """
    if "apiVersion" in text or "kind" in text:
        return False
    import json

    try:
        json.loads(_TRAILING.sub(r"\1", _COMMENT.sub(r"\1", text)))
    except (ValueError, RecursionError):
        return False
    return True


def is_message(file: str, text: str) -> bool:
    """Say whether a broken file is an error message of kubectl, or a JSON file with other text, as dumps have them."""
    lower = text.lstrip().lower()
    if "apiversion" in lower or "kind:" in lower:
        return False
    return lower.startswith(_MESSAGES) or (file.endswith(".json") and not lower.startswith(("{", "[", "/")))


def is_template(file: str, text: str, tree: FileTree, *, broken: bool) -> bool:
    """Say whether a file is a Helm template: it has ``{{``, and it is not YAML or is in a chart's ``templates``."""
    return TEMPLATE in text and (broken or _of_chart(file, tree))


def _of_chart(file: str, tree: FileTree) -> bool:
    parent, name = os.path.split(os.path.dirname(file))
    while name and name != "templates":
        parent, name = os.path.split(parent)
    return bool(name) and tree.exists(os.path.join(parent, "Chart.yaml"))


def is_kustomization(file: str, documents: Sequence[Document] = ()) -> bool:
    """Say whether a file is a kustomization, by its name or by the API group of its documents."""
    if os.path.basename(file) in _KUSTOMIZATIONS:
        return True
    return bool(documents) and all(str(d.data.get("apiVersion")).startswith(_KUSTOMIZE) for d in documents)


def is_result(documents: Sequence[Document]) -> bool:
    """Say whether a file has only what netlab itself printed, such as a baseline of ``lint``."""
    return bool(documents) and all(
        d.data.get("apiVersion") == NETLAB_VERSION and d.data.get("kind") in _RESULTS for d in documents
    )


def _patches(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that a kustomization names as patches. They look like objects, but are parts of objects."""
    for name in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        items = data.get(name)
        for item in items if isinstance(items, list) else ():
            path = item.get("path") if isinstance(item, dict) else item
            if isinstance(path, str) and "\n" not in path:
                yield path


@mutable
class SkippedFiles:
    """The files below a directory that are skipped, by reason. All names are paths of ``tree``."""

    path: str
    tree: FileTree
    others: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    kustomizations: list[str] = field(default_factory=list)
    patches: dict[str, None] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)

    def kustomization(self, file: str, contents: Iterable[Mapping[str, Any]]) -> None:
        """Add a kustomization, and the files that it names as patches."""
        self.kustomizations.append(file)
        folder = os.path.dirname(file)
        for data in contents:
            self.patches.update((os.path.normpath(os.path.join(folder, name)), None) for name in _patches(data))

    def problems(self, *, strict: bool) -> list[Problem]:
        """Return a warning for each reason, or with ``strict`` an error for each file."""
        no_object = "file that holds no Kubernetes object", "files that hold no Kubernetes object"
        reasons = (
            (self.others, *no_object, "", ""),
            (self.templates, "Helm template", "Helm templates", "objects are not in the result", "helm template"),
            (self.kustomizations, "kustomization", "kustomizations", "changes are not applied", "kustomize build"),
        )
        found: list[Problem] = []
        name = self.tree.name
        for files, one, several, lost, command in reasons:
            if strict:
                found += [Problem(name(file), 0, "", "", f"a {one}{_advice('its', lost, command)}") for file in files]
            elif files:
                what, whose = (one, "its") if len(files) == 1 else (several, "their")
                text = f"skipped {len(files)} {what}: {self._names(files)}{_advice(whose, lost, command)}"
                found.append(Problem(name(self.path), 0, "", "", text, "warning", "passed-by"))
        if self.links:
            text = f"{_count(self.links, 'linked folder')} not followed: {self._names(self.links)}"
            found.append(Problem(name(self.path), 0, "", "", text, "warning", "links-not-followed"))
        if self.submodules:
            text = f"{_count(self.submodules, 'submodule')} not read: {self._names(self.submodules)}"
            found.append(Problem(name(self.path), 0, "", "", text, "warning", "links-not-followed"))
        return found

    def _names(self, files: Sequence[str]) -> str:
        names = [os.path.relpath(file, self.path) for file in files[:_NAMED]]
        more = len(files) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")


def _advice(whose: str, lost: str, command: str) -> str:
    return f"; {whose} {lost}; give netlab the output of `{command}`" if lost else ""


def _count(files: Sequence[str], what: str) -> str:
    return f"{len(files)} {what}{'' if len(files) == 1 else 's'}"
