"""Input that may be wrong: what can be relied on all the same, so that all its problems show at once.

An object with errors is a stub: it has its name, and nothing in it that could clash or be missing. What cannot be told
from the rest while it is wrong is in doubt; nothing is said about that, as it may well be right once this is mended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Literal, TypeVar, get_args

from netlab.errors import Problem, in_order
from netlab.objects.documents import listed, read
from netlab.objects.load import KINDS, decode
from netlab.objects.types import Document, Meta, Objects, Pod, PodSpec, Topology, Workload
from netlab.objects.workloads import SHAPES

_T = TypeVar("_T")
Doubt = Literal["nodes", "networks", "hosts", "addresses", "pods", "places"]
"""What there is of a kind, by name; or which addresses machines have, or where pods without a nodeName run."""

EVERYTHING: frozenset[Doubt] = frozenset(get_args(Doubt))
# By kind: fields (the first that matches counts) and what is in doubt when one of them is wrong.
_OF_PODS: tuple[tuple[str, tuple[Doubt, ...]], ...] = (
    (r"(kind|apiVersion|metadata|metadata\.(name|namespace)|spec|spec\.(replicas|parallelism))?", ("pods", "places")),
    (r".*", ("places",)),
)
_DOUBTS: dict[str, tuple[tuple[str, tuple[Doubt, ...]], ...]] = {
    "Topology": (
        (r"metadata\b.*|spec\.policy\b.*", ()),
        (r"spec\.hosts\b.*", ("hosts",)),
        (r"spec\.nodes\b.*", ("nodes", "addresses", "places")),
        (r"spec\.underlayCIDRs\b.*|spec\.networks\[\d+\]\.podCIDRs\b.*", ("addresses",)),
        (r"spec\.networks\b.*", ("networks", "addresses")),
        (r".*", ("nodes", "networks", "hosts", "addresses", "places")),
    ),
    "Node": (
        (r"(spec\.podCIDRs?|status)\b.*", ("addresses",)),
        (r".*", ("nodes", "addresses", "places")),
    ),
    "Pod": _OF_PODS,
    **dict.fromkeys(SHAPES, _OF_PODS),
}


@dataclass(frozen=True, slots=True)
class Input:
    """What was read: ``objects`` as far as they can be relied on, every problem so far, and what is in doubt."""

    objects: Objects
    problems: tuple[Problem, ...]
    doubts: frozenset[Doubt] = frozenset()
    files: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether a problem is an error."""
        return _errors(self.problems)

    def problems_and(self, more: Iterable[Problem]) -> list[Problem]:
        """Return the problems and more of them: by file as they were read, then by line."""
        return in_order((*self.problems, *more), self.files)


def examine(paths: Sequence[str], *, strict: bool = False, stdin: IO[Any] | None = None) -> Input:
    """Read and decode files, directories and ``-``, whatever is wrong with them."""
    documents, unread = read(paths, stdin)
    found = examine_documents(documents, strict=strict)
    files = tuple(listed(paths))
    problems = tuple(in_order((*unread, *found.problems), files))
    return Input(found.objects, problems, EVERYTHING if unread else found.doubts, files)


def examine_documents(documents: Iterable[Document], *, strict: bool = False) -> Input:
    """Decode documents, whatever is wrong with them."""
    given = tuple(documents)
    objects, problems = decode(given, strict=strict)
    if not _errors(problems):
        return Input(objects, tuple(problems))
    broken = {id(d.memo["object"][1]) for d in given if _errors(_own(d))}
    doubts = {doubt for d in given for p in _own(d) if p.severity == "error" for doubt in _doubts(d, p.path)}
    if sum(d.kind == "Topology" and isinstance(d.memo["object"][1], Topology) for d in given) > 1:
        doubts |= EVERYTHING
    sound = replace(
        objects,
        pods=_stubs(objects.pods, broken, _stub_pod),
        workloads=_stubs(objects.workloads, broken, _stub_workload),
        services=tuple(one for one in objects.services if id(one) not in broken),
        policies=tuple(one for one in objects.policies if id(one) not in broken),
        pod_labels={},
    )
    return Input(sound, tuple(problems), frozenset(doubts))


def _own(document: Document) -> Sequence[Problem]:
    """Return what decoding said of a document by itself."""
    return document.memo["object"][2] or ()


def _doubts(document: Document, path: str) -> Iterable[Doubt]:
    if document.kind not in KINDS:
        # A kind of netlab's own that does not exist may have been meant to be the Topology.
        return EVERYTHING if str(document.data.get("apiVersion", "")).startswith("netlab/") else ()
    return next((doubts for fields, doubts in _DOUBTS.get(document.kind, ()) if re.fullmatch(fields, path)), ())


def _stubs(several: Iterable[_T], broken: Collection[int], stub: Callable[[_T], _T]) -> tuple[_T, ...]:
    return tuple(stub(one) if id(one) in broken else one for one in several)


def _stub_pod(pod: Pod) -> Pod:
    return replace(pod, meta=_named(pod.meta), spec=PodSpec(), addresses=())


def _stub_workload(workload: Workload) -> Workload:
    return replace(workload, template_meta=_named(workload.template_meta), template=PodSpec())


def _named(meta: Meta) -> Meta:
    return Meta(meta.name, meta.namespace, owner=meta.owner)


def _errors(problems: Iterable[Problem]) -> bool:
    return any(p.severity == "error" for p in problems)
