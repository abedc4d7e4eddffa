"""Policies that netlab does not read: which pods they could select, and what of a verdict they could change.

``objects.unread_kinds`` makes them: it has what is known of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any

from netlab.errors import Problem, UsageError, printable
from netlab.frozen import frozen
from netlab.objects.kind import NETLAB_VERSION, Kind, every
from netlab.objects.meta import IGNORED_KIND
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Document, Meta, Source
from netlab.patterns import pattern

RULE = "unread-policy"
"""The rule of the warning that each unread policy gets."""

EVERY = LabelSelector()
_NO_DIRECTION: frozenset[Direction] = frozenset()
_NAMED = pattern(r"(?P<kind>[A-Za-z][A-Za-z0-9]*)(?:\.(?P<group>[a-z0-9]([a-z0-9.-]*[a-z0-9])?))?")


@frozen
class Subject:
    """Pods that a policy could select, and what it could do to their traffic.

    They are the pods of ``namespace``, or where that is "" of the namespaces whose labels match ``namespaces``, whose
    labels match ``pods``. What could not be read of a selector is left out of it: it then means more pods, never fewer.
    With ``nodes`` it means nodes and host-network pods instead. ``denies`` are the directions in which the policy could
    deny what NetworkPolicy allows, ``allows`` those in which it could allow what NetworkPolicy denies.
    """

    namespace: str = ""
    namespaces: LabelSelector = EVERY
    pods: LabelSelector = EVERY
    nodes: bool = False
    denies: frozenset[Direction] = _NO_DIRECTION
    allows: frozenset[Direction] = _NO_DIRECTION


@frozen
class UnreadPolicy:
    """One policy that netlab does not read.

    ``protocols`` are those that it can decide about, all where it is empty. With ``outside`` it decides only about what
    leaves the cluster, so never about what pods send to pods.
    """

    kind: str
    group: str
    meta: Meta
    subjects: tuple[Subject, ...]
    protocols: frozenset[str] = frozenset()
    outside: bool = False
    source: Source = field(default_factory=Source, compare=False)

    @property
    def name(self) -> str:
        """``KIND NAMESPACE/NAME``, fit for a terminal."""
        return printable(f"{self.kind} {self.meta.key}".rstrip())

    @property
    def option(self) -> str:
        """The option that says that its kind does not count."""
        # By its kind alone it would be any NetworkPolicy that netlab does not read.
        kind = f"{self.kind}.{self.group}" if self.kind == "NetworkPolicy" else self.kind
        return f"--ignore {printable(kind)}"

    def __str__(self) -> str:
        line = self.source.line()
        return f"{self.name} ({self.source.file}:{line})" if line else self.name


def warning(policy: UnreadPolicy) -> Problem:
    """Return the warning that a policy is not read."""
    source = policy.source
    of = f" of {printable(policy.group)}" if policy.group else ""
    message = (
        f"netlab does not read {printable(policy.kind)}{of}; the verdict of a pair that such a policy could change is"
        f" unknown; to leave all policies of this kind out: {policy.option}"
    )
    return Problem(source.file, source.line(), "", policy.name, message, "warning", RULE, message)


# --- kinds that the user says do not count ---------------------------------------------------------------------------


@frozen
class IgnoredKind:
    """A kind that does not count, whatever it says; ``group`` "" is every group. What netlab reads always counts.

    ``document`` is what it was read from.
    """

    kind: str
    group: str
    document: Document

    def means(self, kind: str, group: str) -> bool:
        return kind.lower() == self.kind.lower() and self.group in ("", group)


def ignored(names: Iterable[str]) -> list[IgnoredKind]:
    """Return the kinds of ``KIND`` and ``KIND.GROUP``; raises UsageError as ``ignored_kinds`` does."""
    return [one for document in ignored_kinds(names) if (one := ignored_kind(document)[0]) is not None]


def ignored_kinds(names: Iterable[str]) -> list[Document]:
    """Return a document of netlab's own for each ``KIND`` or ``KIND.GROUP``, which ``decode`` reads.

    As documents they are kept in a lab's record, so that every command on the lab ignores the same.

    Raises:
      UsageError: for a name that is neither, or of a kind that netlab reads.
    """
    read = {_ignored_as(kind) for kind in every()}
    found = []
    for name in dict.fromkeys(names):
        if not _NAMED.fullmatch(name):
            raise UsageError(f"--ignore {name!r}: write KIND or KIND.GROUP, as in CiliumNetworkPolicy.cilium.io")
        if name in read:
            raise UsageError(f"--ignore {name}: netlab reads this kind, and what it reads counts")
        data: dict[str, Any] = {"apiVersion": NETLAB_VERSION, "kind": IGNORED_KIND, "metadata": {"name": name}}
        found.append(Document(data, Source("--ignore")))
    return found


def ignored_by(documents: Iterable[Document]) -> list[str]:
    """Return the kinds that a lab's documents say do not count, as ``ignored_kinds`` takes them."""
    return [document.data["metadata"]["name"] for document in documents if document.kind == IGNORED_KIND]


def _ignored_as(kind: Kind) -> str:
    # By its kind alone it would be any NetworkPolicy that netlab does not read.
    return f"{kind.name}.{kind.group}" if kind.name == "NetworkPolicy" else kind.name


def ignored_kind(document: Document) -> tuple[IgnoredKind | None, list[Problem]]:
    """Decode what ``ignored_kinds`` made; None for anything else of that kind."""
    metadata = document.data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    match = _NAMED.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        source = document.source
        message = "Invalid value: must be KIND or KIND.GROUP"
        return None, [Problem(source.file, source.line("metadata.name"), "metadata.name", IGNORED_KIND, message)]
    return IgnoredKind(match["kind"], match["group"] or "", document), []
