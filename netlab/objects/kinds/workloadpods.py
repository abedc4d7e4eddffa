"""WorkloadPods: netlab's own kind, which stores the pods of a workload after kills and in a rolling update."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.decoders import decoded
from netlab.objects.document_changes import WORKLOAD_PODS
from netlab.objects.field_types import Part, Raw, Root, Texts, Whole
from netlab.objects.fields import Fields, invalid
from netlab.objects.kind import NETLAB_VERSION, Kind, get, template_of
from netlab.objects.meta import STRICT_METADATA, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Meta, Workload
from netlab.objects.workload_pods import WorkloadPods
from netlab.patterns import pattern

_NUMBER = pattern("[0-9]{1,10}")


class _Previous(Shape, strict=True):
    """The workload before a rolling update, and the pods that still have its template."""

    object = Raw("object", "The workload.", type=lambda: {"type": "object"})
    pods = Texts("pods", "The ends of the names of its pods.")


class _Root(Root, strict=True):
    """Which pods a workload has."""

    metadata = STRICT_METADATA
    start = Whole("start", "The first number that a pod may have.", low=0, high=2**31 - 1, default=0)
    replaced = Texts("replaced", "Further numbers that no pod gets.")
    missing = Texts("missing", "The ends of the names of pods that are not replaced yet.")
    unready = Texts("unready", "The ends of the names of pods that are not ready.")
    pods = Texts("pods", "The ends of the names of the pods with the new template, in a rolling update.")
    previous = Part("previous", "The workload before the rolling update.", shape=_Previous)


def workload_pods(document: Document) -> tuple[WorkloadPods, list[Problem]]:
    """Decode a WorkloadPods document."""
    root = open_document(document, strict=True)
    _Root.only(root)
    meta = object_meta(root, lambda name: (), _Root.metadata)
    before = _Root.previous.read(root)
    _Previous.only(before)
    previous = _previous(meta, before)
    kind = meta.owner.partition(" ")[0]

    def ends(field: Texts, of: Fields = root, *, numbers: bool = False) -> tuple[str, ...]:
        """Return the texts that can end the name of a pod, and report the others."""
        found = field.read(of)
        for path, text in found:
            wrong = names.dns_subdomain(text)
            if numbers or not template_of(kind).stays:
                wrong = () if _NUMBER.fullmatch(text) else ("must be a number",)
            for message in wrong:
                root.report.error(path, invalid(text, message))
        return tuple(text for path, text in found if not any(one.path == path for one in root.report.problems))

    found = WorkloadPods(
        meta,
        _Root.start.read(root) or 0,
        frozenset(map(int, ends(_Root.replaced, numbers=True))),
        frozenset(ends(_Root.missing)),
        frozenset(ends(_Root.unready)),
        ends(_Root.pods) if _Root.pods.has(root) else None,
        previous,
        ends(_Previous.pods, before),
    )
    return found, root.report.problems


def _previous(meta: Meta, before: Fields) -> Workload | None:
    """Return the workload before a rolling update; report another object."""
    written = _Previous.object.read(before)
    if written is None:
        return None
    document = Document(written, before.report.source) if isinstance(written, dict) else None
    known = get(document.kind) if document is not None else None
    if document is None or known is None or known.template is None:
        _Previous.object.error(before, invalid(str(written)[:80], "must be a workload"))
        return None
    _, found, problems = decoded(document)
    before.report.problems.extend(problems or ())
    if not isinstance(found, Workload) or (found.meta.namespace, f"{found.kind} {found.meta.name}") != (
        meta.namespace,
        meta.owner,
    ):
        _Previous.object.error(before, invalid(document.kind, f"must be {meta.owner} in namespace {meta.namespace}"))
        return None
    return found


KIND = Kind(WORKLOAD_PODS, NETLAB_VERSION, WorkloadPods, workload_pods, written=False, shape=_Root)
