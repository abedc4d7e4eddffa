"""Policy kinds that the user leaves out with ``--ignore``.

Each is a document of netlab's own kind IgnoredKind. So it is in a lab's record, and every command on the lab ignores
the same kinds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.errors import Problem, UsageError
from netlab.frozen import frozen
from netlab.objects.kind import NETLAB_VERSION, Kind, every
from netlab.objects.meta import IGNORED_KIND
from netlab.objects.types import Document, Source
from netlab.patterns import pattern

_NAME = pattern(r"(?P<kind>[A-Za-z][A-Za-z0-9]*)(?:\.(?P<group>[a-z0-9]([a-z0-9.-]*[a-z0-9])?))?")


@frozen
class IgnoredKind:
    """A kind that the user ignores; ``group`` "" stands for every API group. ``document`` is its document."""

    kind: str
    group: str
    document: Document

    def means(self, kind: str, group: str) -> bool:
        """Say whether objects of a kind and API group are ignored."""
        return kind.lower() == self.kind.lower() and self.group in ("", group)


def ignored(names: Iterable[str]) -> list[IgnoredKind]:
    """Return the kinds of names in the form ``KIND`` or ``KIND.GROUP``.

    Raises:
      UsageError: as ``ignored_documents`` does.
    """
    return [one for document in ignored_documents(names) if (one := ignored_kind(document)[0]) is not None]


def ignored_documents(names: Iterable[str]) -> list[Document]:
    """Return an IgnoredKind document for each name in the form ``KIND`` or ``KIND.GROUP``.

    Raises:
      UsageError: if a name has another form, or if netlab reads the kind.
    """
    given = list(dict.fromkeys(names))
    read = {name for kind in every() for name in _names_of(kind)} if given else set()
    found = []
    for name in given:
        if not _NAME.fullmatch(name):
            raise UsageError(f"--ignore {name!r}: write KIND or KIND.GROUP, as in CiliumNetworkPolicy.cilium.io")
        if name in read:
            raise UsageError(f"--ignore {name}: netlab reads this kind, and what it reads counts")
        data: dict[str, Any] = {"apiVersion": NETLAB_VERSION, "kind": IGNORED_KIND, "metadata": {"name": name}}
        found.append(Document(data, Source("--ignore")))
    return found


def ignored_names(documents: Iterable[Document]) -> list[str]:
    """Return the names of the IgnoredKind documents among a lab's documents, as ``ignored_documents`` takes them."""
    return [document.data["metadata"]["name"] for document in documents if document.kind == IGNORED_KIND]


def _names_of(kind: Kind) -> tuple[str, str]:
    full = f"{kind.name}.{kind.group}"
    # `--ignore NetworkPolicy` is allowed: it stands for the NetworkPolicies of other API groups.
    return full, full if kind.name == "NetworkPolicy" else kind.name


def ignored_kind(document: Document) -> tuple[IgnoredKind | None, list[Problem]]:
    """Decode an IgnoredKind document; return None and a problem if its name has another form."""
    metadata = document.data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        source = document.source
        message = "Invalid value: must be KIND or KIND.GROUP"
        return None, [Problem(source.file, source.line("metadata.name"), "metadata.name", IGNORED_KIND, message)]
    return IgnoredKind(match["kind"], match["group"] or "", document), []
