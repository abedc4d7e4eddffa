"""One document to one object: which decoder reads a kind, and the messages about kinds that none reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from netlab.errors import Problem
from netlab.objects import similar_names
from netlab.objects.fields import invalid, quoted, unsupported
from netlab.objects.ignored import IgnoredKind
from netlab.objects.included import Access
from netlab.objects.kind import NETLAB_VERSION, Kind, get, written
from netlab.objects.meta import IGNORED_KIND, Key, key_of, open_document
from netlab.objects.types import Document
from netlab.objects.unread import UnreadPolicy

_Decoder = Callable[[Document], tuple[Any, list[Problem]]]


def decoded(document: Document, access: Access | None = None) -> tuple[Key, Any, list[Problem] | None]:
    """Return a document's key, its object and its problems; each document is decoded once.

    The object is None if the document has none. The problems are None for a kind that netlab does not read.
    ``access`` is what a Scenario may read.
    """
    found: tuple[Key, Any, list[Problem] | None] | None = document.memo.get("object")
    if found is None:
        decode = _decoder(document, access)
        found = (key_of(document), *(decode(document) if decode is not None else (None, None)))
        document.memo["object"] = found
    return found


def object_of(document: Document) -> Any:
    """Return the object that a document is, None if netlab does not read it."""
    return decoded(document)[1]


def _decoder(document: Document, access: Access | None) -> _Decoder | None:
    """Return the function that decodes a document, None for a kind that netlab does not read.

    - A known name in another API group is another kind (Knative's Service): not read.
    - A known name in a Kubernetes version that does not serve it is an error.
    - A policy of another API is an unread policy. To skip it would let more traffic through.
    """
    version = key_of(document).api_version
    group = version.rpartition("/")[0]
    known = get(document.kind)
    if known is not None and version == known.api_version:
        return partial(known.decode, access=access or Access()) if known.reads_files else known.decode
    if group == "netlab" or (known is not None and ("." not in group or group == known.group)):
        return _wrong_version
    if similar_names.own_group(version) and _corrected(document.kind, version):
        return _misspelt
    # Imported here, as most inputs have only kinds that netlab reads.
    from netlab.objects.unread_kinds import is_policy, unread_policy

    if is_policy(document.kind, group):
        return unread_policy
    return _wrong_version if known is not None and known.name.endswith("NetworkPolicy") else None


# --- kinds that are ignored or skipped ------------------------------------------------------------------------------


def without_skipped(documents: Iterable[Document]) -> list[Document]:
    """Return the documents without those of kinds that netlab does not read, or that the user ignores.

    Secrets that no Ingress names are left out too.
    """
    from netlab.objects.tls_secrets import is_unnamed, named_secrets

    given = tuple(documents)
    ignored = ignored_in(given)
    named = named_secrets(object_of(document) for document in given)
    found = []
    for document in given:
        key, one, problems = decoded(document)
        skipped = problems is None or (type(one) is UnreadPolicy and is_ignored(key, ignored))
        if not (skipped or is_unnamed(one, named)):
            found.append(document)
    return found


def ignored_in(documents: Iterable[Document]) -> list[IgnoredKind]:
    """Return the kinds that the IgnoredKind documents among some documents name."""
    found = [document for document in documents if document.data.get("kind") == IGNORED_KIND]
    return [one for document in found if type(one := object_of(document)) is IgnoredKind]


def is_ignored(key: Key, ignored: Iterable[IgnoredKind]) -> bool:
    """Say whether the user ignores the kind of an object."""
    return any(one.means(key.kind, key.api_version.rpartition("/")[0]) for one in ignored)


def skipped_name(key: Key) -> str:
    """Return the name under which a skipped object is counted: its kind, with its group if netlab reads that kind."""
    return f"{key.kind}.{key.api_version.rpartition('/')[0]}" if get(key.kind) is not None else key.kind


# --- messages -------------------------------------------------------------------------------------------------------


def retired_versions(documents: Iterable[Document]) -> list[Problem]:
    """Return one warning for each kind and version that Kubernetes no longer serves, at its first object."""
    found: defaultdict[tuple[Kind, str], list[Document]] = defaultdict(list)
    for document in documents:
        try:
            retired = document.memo["retired"]
        except KeyError:
            retired = document.memo["retired"] = _retired(document)
        if retired is not None:
            found[retired].append(document)
    problems = []
    for (known, version), (first, *others) in found.items():
        report = open_document(first).report
        report.problems.clear()
        more = f", as {len(others)} more of the kind are" if others else ""
        now = known.api_version
        message = f"Kubernetes serves no {known.name} of {version} any more: read as {now}{more}"
        report.warn("apiVersion", message, "retired-version")
        problems += report.problems
    return problems


def _retired(document: Document) -> tuple[Kind, str] | None:
    known, version = get(document.kind), _version(document)
    return (known, version) if known is not None and version in known.retired else None


def not_read(document: Document) -> list[Problem]:
    """Return the error that netlab does not read a document's kind."""
    report = open_document(document).report
    report.error("kind", f"netlab does not read {document.kind} of {_version(document)}")
    return report.problems


def skipped_warnings(document: Document) -> list[Problem]:
    """Return the warnings of a skipped document: its kind is close to one that netlab reads, or it has two kinds."""
    close = similar_names.close_to(document.kind) if similar_names.own_group(_version(document)) else None
    # Two kinds: two objects without a line of `---` between them. kubectl drops the first one too.
    twice = any(path == "kind" for path, _ in document.duplicates)
    if close is None and not twice:
        return []
    report = open_document(document).report
    if close is None:
        return report.problems
    report.warn("kind", f"netlab does not read {quoted(document.kind)}; did you mean {quoted(close)}?", "kind-not-read")
    return report.problems


def _corrected(kind: str, version: str) -> str | None:
    """Return the kind that a misspelt one stands for, None if it stands for none.

    It differs in case or number only, or it is close to a kind of the same version.
    """
    close = similar_names.close_to(kind)
    known = get(close) if close is not None else None
    return similar_names.misspelt(kind) or (close if known is not None and known.api_version == version else None)


def _misspelt(document: Document) -> tuple[None, list[Problem]]:
    report = open_document(document).report
    right = _corrected(document.kind, key_of(document).api_version)
    report.error("kind", invalid(document.kind, f"no such kind; write {quoted(right)}"))
    return None, report.problems


def _wrong_version(document: Document) -> tuple[None, list[Problem]]:
    report = open_document(document).report
    known = get(document.kind)
    if known is None:
        own = tuple(kind.name for kind in written() if kind.api_version == NETLAB_VERSION)
        report.error("kind", unsupported(document.kind, own))
    else:
        message = f"no {document.kind} that netlab reads; write {quoted(known.api_version)}"
        report.error("apiVersion", invalid(_version(document), message))
    return None, report.problems


def _version(document: Document) -> str:
    return str(document.data.get("apiVersion", ""))
