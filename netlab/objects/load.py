"""Documents to objects: which decoder reads which kind, and what shows only when all of them are seen together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, Any

from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.objects import changes, near
from netlab.objects.all_objects import Objects
from netlab.objects.bounds import MOST_PROBLEMS
from netlab.objects.documents import Reader
from netlab.objects.fields import invalid, quoted, unsupported
from netlab.objects.generated import named
from netlab.objects.kind import NETLAB_VERSION, Kind, get, namespaced_types, written
from netlab.objects.kinds.namespace import undeclared_namespace
from netlab.objects.kinds.podlabels import PodLabels
from netlab.objects.kinds.scenario import Access
from netlab.objects.meta import IGNORED_KIND, Key, key_of, open_document
from netlab.objects.scenarios import Scenario
from netlab.objects.topology import Topology
from netlab.objects.types import Document, Namespace, Source
from netlab.objects.unread import IgnoredKind, UnreadPolicy, ignored_kinds
from netlab.objects.usable import COUNTS
from netlab.patterns import pattern


def load(
    paths: Sequence[str], *, strict: bool = False, stdin: IO[Any] | None = None, ignore: Sequence[str] = ()
) -> tuple[Objects, list[Problem]]:
    """Read and decode files, directories and ``-``; return the objects and the warnings.

    ``ignore`` names kinds that do not count, each as ``KIND`` or ``KIND.GROUP``: see ``objects.unread``.

    Raises:
      UsageError: for a name in ``ignore`` that is neither.
      InputError: if anything is wrong, with every problem of the input at once, warnings included.
    """
    reader = Reader(strict, stdin=stdin)
    documents, unread = reader.read(paths)
    objects, problems = decode([*ignored_kinds(ignore), *documents], strict=strict)
    problems = in_order((*unread, *problems), reader.files)
    if _errors(problems):
        raise InputError(problems)
    return objects, problems


def decode(
    documents: Iterable[Document], *, strict: bool = False, access: Access | None = None
) -> tuple[Objects, list[Problem]]:
    """Decode documents; where no problem is an error, the objects are valid on their own and together.

    Kinds that netlab does not read are counted in ``Objects.skipped``; with ``strict`` they are errors. So are ignored
    ones, but those are never errors. Documents with a generateName are in ``Objects.documents`` with a name. ``access``
    is what scenarios may read.
    """
    access = access or Access()
    given = tuple(named(documents))
    ignored = _ignored(given)
    problems = _retired(given)
    skipped: Counter[str] = Counter()
    found: dict[Key, Any] = {}
    for document in given:
        try:
            key, one, wrong = document.memo["object"]
        except KeyError:
            key, one, wrong = _decoded(document, access)
        if one is None:
            if wrong is None:
                skipped[_skipped_as(key)] += 1
                refused = strict and not _is_ignored(key, ignored)
                wrong = _not_read(document) if refused else _perhaps_read(document)
            problems += wrong if len(problems) < MOST_PROBLEMS else _worst(wrong)
            continue
        if ignored and type(one) is IgnoredKind:
            continue
        if ignored and type(one) is UnreadPolicy and _is_ignored(key, ignored):
            skipped[_skipped_as(key)] += 1
            continue
        if wrong:
            problems += wrong if len(problems) < MOST_PROBLEMS else _worst(wrong)
        if isinstance(one, Scenario):
            if ignored:
                one = replace(one, resources=(*(i.document for i in ignored), *one.resources))
            problems += _rehearse(one, str(key), strict)
        if key in found or isinstance(one, (Topology, Scenario)):
            problems += _place(found, key, one)
        else:
            found[key] = one
    return _objects(found.values(), given, skipped), problems


def _objects(found: Collection[Any], documents: tuple[Document, ...], skipped: Mapping[str, int]) -> Objects:
    of: defaultdict[type, list[Any]] = defaultdict(list)
    for one in found:
        of[type(one)].append(one)
    in_namespaces = namespaced_types()
    of[Namespace] = _namespaces(of[Namespace], (one for one in found if type(one) in in_namespaces))
    pod_labels = {one.meta.key: one.labels for one in of.pop(PodLabels, ())}
    unread = of.pop(UnreadPolicy, ())
    return Objects(of, dict(skipped), documents, pod_labels, unread)


def _retired(documents: Iterable[Document]) -> list[Problem]:
    """Return a warning for every kind that stands in a version which Kubernetes serves no more, at the first object."""
    found: defaultdict[tuple[Kind, str], list[Document]] = defaultdict(list)
    for document in documents:
        known = get(document.kind)
        if known is not None and known.retired and (version := _version(document)) in known.retired:
            found[known, version].append(document)
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


_Decoder = Callable[[Document], tuple[Any, list[Problem]]]


def _decoded(document: Document, access: Access | None = None) -> tuple[Key, Any, list[Problem] | None]:
    """Return a document's key, its object (None without one) and its problems, None for a kind that is not read."""
    found: tuple[Key, Any, list[Problem] | None] | None = document.memo.get("object")
    if found is None:
        read_as = _decoder(document, access)
        found = (key_of(document), *(read_as(document) if read_as is not None else (None, None)))
        document.memo["object"] = found
    return found


def object_of(document: Document) -> Any:
    """Return the object that a document is; None for one that netlab does not read."""
    return _decoded(document)[1]


def _worst(problems: list[Problem]) -> list[Problem]:
    """Return one problem for all of an object, in its own list too, as there are too many to read."""
    problems[:] = sorted(problems, key=lambda p: p.severity != "error")[:1]
    return problems


def _decoder(document: Document, access: Access | None) -> _Decoder | None:
    """Return what decodes a document, None for a kind that netlab does not read.

    A kind's name in a group of someone else's is another kind (Knative's Service); in a version of Kubernetes' own
    that never had it, or that is gone and is no workload's, it is a mistake. A policy is never passed by, which would
    let more through: of a foreign group it is an unread policy.
    """
    version = key_of(document).api_version
    group = version.rpartition("/")[0]
    known = get(document.kind)
    if known is not None and version == known.api_version:
        return partial(known.decode, access=access or Access()) if known.reads_files else known.decode
    if group == "netlab" or (known is not None and "." not in group):
        return _misnamed
    if near.own_group(version) and _meant(document.kind, version):
        return _misspelt
    # Most inputs have no kind that netlab does not read.
    from netlab.objects.unread_kinds import is_policy, unread_policy

    if is_policy(document.kind, group):
        return unread_policy
    return _misnamed if document.kind == "NetworkPolicy" else None


def counting(documents: Iterable[Document]) -> list[Document]:
    """Return the documents without those of kinds that netlab does not read, or that are ignored."""
    given = tuple(documents)
    ignored = _ignored(given)
    found = []
    for document in given:
        key, one, wrong = _decoded(document)
        passed_by = wrong is None or (type(one) is UnreadPolicy and _is_ignored(key, ignored))
        if not passed_by:
            found.append(document)
    return found


def _ignored(documents: Iterable[Document]) -> list[IgnoredKind]:
    """Return the kinds that documents say do not count."""
    named = [document for document in documents if document.data.get("kind") == IGNORED_KIND]
    return [one for document in named if type(one := _decoded(document)[1]) is IgnoredKind]


def _is_ignored(key: Key, ignored: Iterable[IgnoredKind]) -> bool:
    return any(one.means(key.kind, key.api_version.rpartition("/")[0]) for one in ignored)


def _skipped_as(key: Key) -> str:
    """Return what an object is counted as: its kind, with its group where netlab reads a kind of that name."""
    return f"{key.kind}.{key.api_version.rpartition('/')[0]}" if get(key.kind) is not None else key.kind


def _meant(kind: str, version: str) -> str | None:
    """Return the kind that a misspelt one means: another case or number of it, or close to it and in its version."""
    close = near.close_to(kind)
    known = get(close) if close is not None else None
    return near.misspelt(kind) or (close if known is not None and known.api_version == version else None)


def _misspelt(document: Document) -> tuple[None, list[Problem]]:
    report = open_document(document).report
    right = _meant(document.kind, key_of(document).api_version)
    report.error("kind", invalid(document.kind, f"no such kind; write {quoted(right)}"))
    return None, report.problems


def _perhaps_read(document: Document) -> list[Problem]:
    """Return warnings of a kind that is passed by: it is close to one that netlab reads, or hides another object."""
    close = near.close_to(document.kind) if near.own_group(_version(document)) else None
    # Two objects without a line of `---` between them are one, of which the first counts as little as for kubectl.
    twice = any(path == "kind" for path, _ in document.duplicates)
    if close is None and not twice:
        return []
    report = open_document(document).report
    if close is None:
        return report.problems
    report.warn("kind", f"netlab does not read {quoted(document.kind)}; did you mean {quoted(close)}?", "kind-not-read")
    return report.problems


def _version(document: Document) -> str:
    return str(document.data.get("apiVersion", ""))


def _misnamed(document: Document) -> tuple[None, list[Problem]]:
    report = open_document(document).report
    known = get(document.kind)
    if known is None:
        own = tuple(kind.name for kind in written() if kind.api_version == NETLAB_VERSION)
        report.error("kind", unsupported(document.kind, own))
    else:
        message = f"no {document.kind} that netlab reads; write {quoted(known.api_version)}"
        report.error("apiVersion", invalid(_version(document), message))
    return None, report.problems


def _not_read(document: Document) -> list[Problem]:
    report = open_document(document).report
    report.error("kind", f"netlab does not read {document.kind} of {_version(document)}")
    return report.problems


def _place(found: dict[Key, Any], key: Key, one: Any) -> list[Problem]:
    """Add an object; of two with one name the last counts, as on a cluster, and of two Topologies neither.

    Scenarios are not applied but run, each for itself: they may share a name.
    """
    if isinstance(one, Scenario):
        found[key._replace(namespace=f"{len(found)}")] = one
        return []
    earlier = found.pop(key, None) if key.name else None
    problems = []
    if isinstance(one, Topology):
        earlier = earlier or next((other for other in found.values() if isinstance(other, Topology)), None)
        if earlier is not None:
            message = f"a second Topology: the first is at {_where(earlier.source)}"
            problems = [Problem(one.source.file, one.source.line("kind"), "", str(key), message)]
    elif earlier is not None and not isinstance(one, PodLabels):
        message = f"defined twice: this one counts, the one at {_where(earlier.source)} does not"
        problems = [
            Problem(
                *(one.source.file, one.source.line(), "", str(key), message),
                severity="warning",
                rule="defined-twice",
                together=f"{one.source.file}\0{earlier.source.file}",
            )
        ]
    found[key] = one
    return problems


def _where(source: Source) -> str:
    return f"{source.file}:{source.line()}"


def _namespaces(declared: Sequence[Namespace], users: Iterable[Any]) -> list[Namespace]:
    """Return the namespaces that are declared, then those that are only used, in order."""
    found = {one.meta.name: one for one in declared}
    for one in users:
        if one.meta.namespace not in found:
            found[one.meta.namespace] = undeclared_namespace(one.meta.namespace, one.source)
    return list(found.values())


# What is wrong in an object may hide its name, how many pods it has, or on which nodes.
_HIDES_NAMES = pattern(rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}|nodes.*))?)?")


def _rehearse(found: Scenario, name: str, strict: bool) -> list[Problem]:
    """Check everything that a scenario will load, and that what its steps name is there when they name it.

    Whether an object is there is known only where all names could be read.
    """
    documents = list(found.resources)
    ignored = [document for document in documents if document.kind == IGNORED_KIND]
    problems = decode(documents, strict=strict)[1]
    named = not _hide_names(problems)
    for index, step in enumerate(found.steps):
        wrong = decode([*ignored, *step.apply], strict=strict)[1]
        problems += wrong
        documents = changes.apply(documents, step.apply)
        named = named and found.read_until(index) and not _hide_names(wrong)
        if not named:
            continue
        topologies = [d for d in documents if d.kind == "Topology"]
        if len(topologies) > 1:
            problems += decode(topologies)[1]
        for change in found.sound(step.label):
            if change.kind == "pod":
                continue  # which pods there are only the cluster knows: netlab.scenario.rehearse asks it
            try:
                documents = changes.relabel(documents, change, lambda ref: None)
            except UsageError as error:
                problems.append(_missing(found, name, change.path, error))
        for ref in found.sound(step.delete):
            try:
                documents = changes.delete(documents, [ref])
            except UsageError as error:
                problems.append(_missing(found, name, ref.path, error))
    return problems


def _missing(found: Scenario, name: str, path: str, error: UsageError) -> Problem:
    return Problem(found.source.file, found.source.line(path), path, name, str(error))


def _hide_names(problems: Iterable[Problem]) -> bool:
    return any(
        p.severity == "error" and (p.object.startswith("Node ") or _HIDES_NAMES.fullmatch(p.path)) for p in problems
    )


def _errors(problems: Iterable[Problem]) -> bool:
    return any(p.severity == "error" for p in problems)
