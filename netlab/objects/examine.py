"""Input that may be wrong: what can be relied on all the same, so that all its problems show at once.

Of a pod with errors, the fields that are right count. What cannot be told while something is wrong is in doubt; nothing
is said about that, as it may well be right once this is mended.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Literal, get_args

from netlab.errors import Problem, in_order
from netlab.objects.documents import Reader
from netlab.objects.load import KINDS, decode
from netlab.objects.types import Document, Meta, Objects, Pod, PodSpec, Topology, Workload
from netlab.objects.unread import ignored_kinds
from netlab.objects.workloads import COUNTS, SHAPES

Doubt = Literal["nodes", "networks", "hosts", "addresses", "pods", "places"]
"""What there is of a kind, by name; or which addresses machines have, or where pods without a nodeName run."""

EVERYTHING: frozenset[Doubt] = frozenset(get_args(Doubt))
# By kind: fields (the first that matches counts) and what is in doubt when one of them is wrong.
_OF_PODS: tuple[tuple[str, tuple[Doubt, ...]], ...] = (
    (rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}))?)?", ("pods", "places")),
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


def examine(
    paths: Sequence[str], *, strict: bool = False, stdin: IO[Any] | None = None, ignore: Sequence[str] = ()
) -> Input:
    """Read and decode files, directories and ``-``, whatever is wrong with them; ``ignore`` is as for ``load``."""
    kinds = ignored_kinds(ignore)
    reader = Reader(strict, stdin=stdin)
    documents, unread = reader.read(paths)
    found = examine_documents([*kinds, *documents], strict=strict)
    files = tuple(reader.files)
    problems = tuple(in_order((*unread, *found.problems), files))
    return Input(found.objects, problems, EVERYTHING if _errors(unread) else found.doubts, files)


def examine_documents(documents: Iterable[Document], *, strict: bool = False) -> Input:
    """Decode documents, whatever is wrong with them."""
    objects, problems = decode(documents, strict=strict)
    given = objects.documents
    if not _errors(problems):
        return Input(objects, tuple(problems))
    paths = [(d, [p.path for p in _own(d) if p.severity == "error"]) for d in given]
    broken = {id(d.memo["object"][1]): wrong for d, wrong in paths if wrong}
    doubts = {doubt for d, wrong in paths for path in wrong for doubt in _doubts(d, path)}
    if sum(d.kind == "Topology" and isinstance(d.memo["object"][1], Topology) for d in given) > 1:
        doubts |= EVERYTHING
    sound = replace(
        objects,
        pods=tuple(_sound_pod(one, broken[id(one)]) if id(one) in broken else one for one in objects.pods),
        workloads=tuple(
            _sound_workload(one, broken[id(one)]) if id(one) in broken else one for one in objects.workloads
        ),
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


def _sound_pod(pod: Pod, wrong: Collection[str]) -> Pod:
    meta = _sound_meta(pod.meta, "metadata", "spec", wrong)
    addresses = () if _touched("status", wrong) else pod.addresses
    return replace(pod, meta=meta, spec=_sound_spec(pod.spec, "spec", wrong), addresses=addresses)


def _sound_workload(workload: Workload, wrong: Collection[str]) -> Workload:
    path = workload.template_path
    meta = _sound_meta(workload.template_meta, f"{path}.metadata", f"{path}.spec", wrong)
    return replace(workload, template_meta=meta, template=_sound_spec(workload.template, f"{path}.spec", wrong))


def _sound_meta(meta: Meta, path: str, spec: str, wrong: Collection[str]) -> Meta:
    """Return what is right in the metadata of a pod; its network means nothing while hostNetwork is in doubt."""
    unsure = _touched(f"{path}.annotations", wrong) or _touched(f"{spec}.hostNetwork", wrong)
    return replace(meta, labels={}, annotations={} if unsure else meta.annotations)


def _sound_spec(spec: PodSpec, path: str, wrong: Collection[str]) -> PodSpec:
    fields = ("hostNetwork", "containers", "initContainers")
    return PodSpec(
        "" if _touched(f"{path}.nodeName", wrong) else spec.node_name,
        {} if _touched(f"{path}.nodeSelector", wrong) else spec.node_selector,
        spec.host_network,
        () if any(_touched(f"{path}.{field}", wrong) for field in fields) else spec.ports,
    )


def _touched(path: str, wrong: Iterable[str]) -> bool:
    """Say whether something is wrong with a field, in it or above it."""
    return any(re.match(re.escape(path) + r"(?![^.\[])", one) or f"{path}.".startswith(f"{one}.") for one in wrong)


def _errors(problems: Iterable[Problem]) -> bool:
    return any(p.severity == "error" for p in problems)
