"""Documents to objects: which decoder reads which kind, and what shows only when all of them are seen together."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.objects import changes, core, networkpolicy, pods
from netlab.objects.documents import listed, read
from netlab.objects.fields import invalid, quoted, unsupported
from netlab.objects.meta import Key, key_of, open_document
from netlab.objects.scenario import scenario
from netlab.objects.topology import topology
from netlab.objects.types import (
    Document,
    Namespace,
    NetworkPolicy,
    Node,
    Objects,
    Pod,
    Scenario,
    Service,
    Source,
    Topology,
    Workload,
)
from netlab.objects.workloads import SHAPES, workload


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that netlab reads: the only apiVersion that it reads it in, and its decoder."""

    api_version: str
    decode: Callable[[Document], tuple[Any, list[Problem]]]


KINDS: dict[str, Kind] = {
    "Namespace": Kind("v1", core.namespace),
    "Node": Kind("v1", core.node),
    "Service": Kind("v1", core.service),
    "Pod": Kind("v1", pods.pod),
    **{name: Kind(shape.api_version, workload) for name, shape in SHAPES.items()},
    "NetworkPolicy": Kind(networkpolicy.API_VERSION, networkpolicy.network_policy),
    "Topology": Kind(changes.NETLAB_VERSION, topology),
    "Scenario": Kind(changes.NETLAB_VERSION, scenario),
    changes.POD_LABELS: Kind(changes.NETLAB_VERSION, pods.pod_labels),
}


def load(paths: Sequence[str], *, strict: bool = False, stdin: IO[Any] | None = None) -> tuple[Objects, list[Problem]]:
    """Read and decode files, directories and ``-``; return the objects and the warnings.

    Raises:
      InputError: if anything is wrong, with every problem of the input at once, warnings included.
    """
    documents, unread = read(paths, stdin)
    objects, problems = decode(documents, strict=strict)
    problems = in_order((*unread, *problems), tuple(listed(paths)))
    if _errors(problems):
        raise InputError(problems)
    return objects, problems


def decode(documents: Iterable[Document], *, strict: bool = False) -> tuple[Objects, list[Problem]]:
    """Decode documents; where no problem is an error, the objects are valid on their own and together.

    Kinds that netlab does not read are counted in ``Objects.skipped``; with ``strict`` they are errors.
    """
    given = tuple(documents)
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    found: dict[Key, Any] = {}
    for document in given:
        try:
            key, one, wrong = document.memo["object"]
        except KeyError:
            key, one, wrong = document.memo["object"] = _decoded(document)
        if one is None:
            if wrong is None:
                skipped[document.kind] += 1
                wrong = _unread(document) if strict else []
            problems += wrong
            continue
        if wrong:
            problems += wrong
        if isinstance(one, Scenario):
            problems += _rehearse(one, str(key), strict)
        if key in found or isinstance(one, (Topology, Scenario)):
            problems += _place(found, key, one)
        else:
            found[key] = one
    of: defaultdict[type, list[Any]] = defaultdict(list)
    for one in found.values():
        of[type(one)].append(one)
    objects_found = Objects(
        namespaces=_namespaces(of[Namespace], (one for one in found.values() if type(one) in _NAMESPACED)),
        nodes=tuple(of[Node]),
        pods=tuple(of[Pod]),
        workloads=tuple(of[Workload]),
        services=tuple(of[Service]),
        policies=tuple(of[NetworkPolicy]),
        topology=next(iter(of[Topology]), None),
        scenarios=tuple(of[Scenario]),
        skipped=dict(skipped),
        documents=given,
        pod_labels={one.meta.key: one.labels for one in of[pods.PodLabels]},
    )
    return objects_found, problems


_Decoder = Callable[[Document], tuple[Any, list[Problem]]]


def _decoded(document: Document) -> tuple[Key, Any, list[Problem] | None]:
    """Return a document's key, its object (None without one) and its problems, None for a kind that is not read."""
    read_as = _decoder(document)
    return (key_of(document), *(read_as(document) if read_as is not None else (None, None)))


def _decoder(document: Document) -> _Decoder | None:
    """Return what decodes a document, None for a kind that netlab does not read.

    A kind's name in a group of someone else's is another kind (Knative's Service); in a version of Kubernetes' own
    that is gone, or in a group that never had it, it is a mistake. Of a NetworkPolicy it always is one: to pass it by
    would let more through.
    """
    version = _version(document)
    group = version.rpartition("/")[0]
    known = KINDS.get(document.kind)
    if known is not None and version == known.api_version:
        return known.decode
    if group == "netlab" or (known is not None and ("." not in group or document.kind == "NetworkPolicy")):
        return _misnamed
    return None


def _version(document: Document) -> str:
    return str(document.data.get("apiVersion", ""))


def _misnamed(document: Document) -> tuple[None, list[Problem]]:
    report = open_document(document).report
    known = KINDS.get(document.kind)
    if known is None:
        report.error("kind", unsupported(document.kind, ("Topology", "Scenario")))
    else:
        message = f"no {document.kind} that netlab reads; write {quoted(known.api_version)}"
        report.error("apiVersion", invalid(_version(document), message))
    return None, report.problems


def _unread(document: Document) -> list[Problem]:
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
    elif earlier is not None and not isinstance(one, pods.PodLabels):
        message = f"defined twice: this one counts, the one at {_where(earlier.source)} does not"
        problems = [Problem(one.source.file, one.source.line(), "", str(key), message, "warning")]
    found[key] = one
    return problems


def _where(source: Source) -> str:
    return f"{source.file}:{source.line()}"


_NAMESPACED = (Pod, Workload, Service, NetworkPolicy)


def _namespaces(declared: Sequence[Namespace], users: Iterable[Any]) -> tuple[Namespace, ...]:
    """Return the namespaces that are declared, then those that are only used, in order."""
    found = {one.meta.name: one for one in declared}
    for one in users:
        if one.meta.namespace not in found:
            found[one.meta.namespace] = core.undeclared_namespace(one.meta.namespace, one.source)
    return tuple(found.values())


# What is wrong in an object may hide its name, how many pods it has, or on which nodes.
_HIDES_NAMES = re.compile(r"(kind|apiVersion|metadata(\.name(space)?)?|spec(\.(replicas|parallelism|nodes.*))?)?")


def _rehearse(found: Scenario, name: str, strict: bool) -> list[Problem]:
    """Check everything that a scenario will load, and that what its steps name is there when they name it.

    Whether something is there can be told only where the names of all that is loaded could be read.
    """
    documents = list(found.resources)
    problems = decode(documents, strict=strict)[1]
    named = not _hide_names(problems)
    for index, step in enumerate(found.steps):
        wrong = decode(step.apply, strict=strict)[1]
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
