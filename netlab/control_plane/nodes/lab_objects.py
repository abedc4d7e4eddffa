"""Brings a lab to the objects of the API server; what the lab refuses is left out, and named."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Collection, Mapping, Sequence

from netlab.control_plane.nodes.objects import POD, Key, followed
from netlab.control_plane.nodes.stand_ins import stand_in
from netlab.errors import InputError, Problem, UsageError
from netlab.frozen import NamedTuple
from netlab.lab.lab import Lab
from netlab.objects import Document

# ``KIND NAMESPACE/NAME`` of a problem.
_NAMED = re.compile(r"(?P<kind>\w+) (?:(?P<namespace>[^/ ]+)/)?(?P<name>[^ ]+)")
# How often refused objects are left out of one change, and the seconds after which they are tried again.
_ROUNDS = 20
_AGAIN = 10.0

_SERVICE = "Service"
Ref = tuple[str, Key]


class Outcome(NamedTuple):
    """What a change left out, each with the reason, and the seconds that it took."""

    refused: Mapping[Ref, str]
    seconds: float


class _Refused(NamedTuple):
    """A document that the lab refuses, the reason, and what is in force in its place."""

    document: Document
    why: str
    instead: Document | None

    @property
    def text(self) -> str:
        """The reason, and what follows from it."""
        return f"{self.why}; until it changes, the pods that it selects are isolated" if self.instead else self.why


class LabObjects:
    """The objects of a lab that come from the API server. All others, such as its Topology, stay."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._kinds = frozenset(followed())
        self._last: Sequence[Document] = ()
        self._refused: dict[Ref, _Refused] = {}
        self._tried = 0.0

    @property
    def lab(self) -> Lab:
        return self._lab

    def bring(self, documents: Sequence[Document], anew: Collection[Key] = ()) -> Outcome | None:
        """Bring the lab to these documents, in force on return; None where nothing changed.

        Pods of ``anew`` are other pods than those that had their names: these end first. A document that the lab
        refuses is left out, and tried again when it has changed, and from time to time. Until then the pods that a
        refused policy selects are isolated.

        Raises:
          HostError, KernelError: the change is undone.
          UsageError: when the lab is gone.
        """
        again = bool(self._refused) and time.monotonic() - self._tried > _AGAIN
        if _same(documents, self._last) and not again:
            return None
        started = time.monotonic()
        if again:
            self._refused, self._tried = {}, started
        refused = {ref: one for ref, one in self._refused.items() if any(one.document is given for given in documents)}
        left = _in_force(documents, refused)
        for _ in range(_ROUNDS):
            try:
                if ended := self._without_old_pods(left, anew):
                    self._edit(ended)
                # Packets to a Service must not go to a new pod before its links are there.
                if (first := self._with_new_pods_unready(left)) is not None:
                    self._edit(first)
                self._edit(left)
                break
            except InputError as error:
                found = _named(error.problems, left)
                if not found:
                    raise UsageError(f"the lab refuses its objects: {error.problems[0]}") from error
                for ref, (one, why) in found.items():
                    known = refused.get(ref)
                    # What stands in for a policy may be refused too.
                    refused[ref] = known._replace(instead=None) if known else _Refused(one, why, stand_in(one))
                left = _in_force(documents, refused)
                self._tried = started
        else:
            raise UsageError("the lab refuses too many of its objects")
        self._refused, self._last = refused, tuple(documents)
        return Outcome({ref: one.text for ref, one in refused.items()}, time.monotonic() - started)

    def _without_old_pods(self, documents: Sequence[Document], anew: Collection[Key]) -> list[Document]:
        """Return the documents without pods whose names others have in the lab; empty where there is none."""
        by_ref = self._lab.cluster.by_ref
        old = {key for key in anew if "/".join(key) in by_ref}
        left = [one for one in documents if one.kind != POD or ref_of(one)[1] not in old] if old else []
        return left if len(left) < len(documents) else []

    def _with_new_pods_unready(self, documents: Sequence[Document]) -> list[Document] | None:
        """Return the documents without new endpoints of Services; None where no pod is one."""
        with_services = {
            one.data["metadata"].get("namespace") for one in documents if one.kind == _SERVICE and _selects(one)
        }
        by_ref = self._lab.cluster.by_ref
        new = {
            id(one)
            for one in documents
            if one.kind == POD
            and one.data["metadata"]["namespace"] in with_services
            and "/".join(ref_of(one)[1]) not in by_ref
        }
        return [_unready(one) if id(one) in new else one for one in documents] if new else None

    def _edit(self, documents: Sequence[Document]) -> None:
        self._lab.edit(lambda now: [*(one for one in now if one.kind not in self._kinds), *documents])


def _same(some: Sequence[Document], others: Sequence[Document]) -> bool:
    """Return whether two lists have the same objects. An `id` does not tell: it may be that of an earlier object."""
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _in_force(documents: Sequence[Document], refused: Mapping[Ref, _Refused]) -> list[Document]:
    """Return the documents, with what is in force in place of refused ones."""
    by_id = {id(one.document): one.instead for one in refused.values()}
    return [found for one in documents if (found := by_id.get(id(one), one)) is not None]


def _named(problems: Sequence[Problem], documents: Sequence[Document]) -> dict[Ref, tuple[Document, str]]:
    """Return the documents that errors name, each with the first error about it."""
    by_ref = {ref_of(one): one for one in documents}
    found: dict[Ref, tuple[Document, str]] = {}
    for one in problems:
        match = _NAMED.fullmatch(one.object)
        if one.severity != "error" or match is None:
            continue
        ref = match["kind"], (match["namespace"] or "", match["name"])
        if ref in by_ref:
            why = f"{one.path}: {one.message}" if one.path else one.message
            found.setdefault(ref, (by_ref[ref], why))
    return found


def _selects(service: Document) -> bool:
    return bool((service.data.get("spec") or {}).get("selector"))


def _unready(pod: Document) -> Document:
    """Return a pod as one that is not ready."""
    status = {**pod.data["status"], "conditions": [{"type": "Ready", "status": "False"}]}
    return Document({**pod.data, "status": status}, pod.source)


def ref_of(document: Document) -> Ref:
    """Return the kind, the namespace and the name of a document."""
    metadata = document.data["metadata"]
    return document.kind, (metadata.get("namespace", ""), metadata["name"])
