"""Documents to objects, and the problems that show only in all documents together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, Any

from netlab.errors import InputError, Problem, in_order
from netlab.objects import versions
from netlab.objects.all_objects import Objects
from netlab.objects.bounds import MOST_PROBLEMS
from netlab.objects.decoders import (
    decoded,
    ignored_in,
    is_ignored,
    not_read,
    retired_versions,
    skipped_name,
    skipped_warnings,
)
from netlab.objects.documents import Reader
from netlab.objects.file_trees import InputSource
from netlab.objects.generate_name import with_generated_names
from netlab.objects.ignored import IgnoredKind, ignored_documents
from netlab.objects.included import Access, is_test
from netlab.objects.kind import namespaced_types
from netlab.objects.kinds.namespace import undeclared_namespace
from netlab.objects.meta import IGNORED_KIND, Key, key_of
from netlab.objects.topology import Topology
from netlab.objects.types import Document, Namespace, Source
from netlab.objects.unread import UnreadPolicy


def load(
    paths: Sequence[str],
    *,
    strict: bool = False,
    stdin: IO[Any] | None = None,
    ignore: Sequence[str] = (),
    sources: Sequence[InputSource] = (),
) -> tuple[Objects, list[Problem]]:
    """Read and decode files, directories and ``-`` (standard input); return the objects and the warnings.

    ``strict`` makes files without an object, and kinds that netlab does not read, errors. ``ignore`` names policy kinds
    that netlab leaves out, each as ``KIND`` or ``KIND.GROUP``. ``sources`` are forms of input that are no path:
    ``netlab.sources.SOURCES`` has those of the command line, as ``REV:PATH``.

    Raises:
      UsageError: if a name in ``ignore`` has another form.
      InputError: if the input has an error. It carries all problems of the input, warnings included.
    """
    reader = Reader(strict, stdin=stdin, sources=sources)
    documents, unreadable = reader.read(paths)
    objects, problems = decode([*ignored_documents(ignore), *documents], strict=strict)
    problems = in_order((*unreadable, *problems), reader.files)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    return objects, problems


def decode(
    documents: Iterable[Document], *, strict: bool = False, access: Access | None = None, server: int | None = None
) -> tuple[Objects, list[Problem]]:
    """Decode documents; if no problem is an error, the objects are valid, each alone and all together.

    ``Objects.skipped`` counts the kinds that netlab does not read, and those that the user ignores. ``strict`` makes
    the former errors. ``Objects.documents`` has a name for each document with a generateName. ``access`` is what
    scenarios may read. ``server`` is the version of Kubernetes by whose rules objects are judged; None: that of the
    Topology among the documents, or the newest.
    """
    access = access or Access()
    named = with_generated_names(documents)
    # After a change nearly all documents are known. To look at each of them for each rare kind would take most of the
    # time, so this looks once which kinds there are.
    kinds = {key.kind for key in map(key_of, named)}
    given = _without_unnamed_secrets(named, kinds, access)
    ignored = ignored_in(given) if IGNORED_KIND in kinds else []
    problems = retired_versions(given)
    tests = {*filter(is_test, kinds)}
    skipped: Counter[str] = Counter()
    found: dict[Key, Any] = {}
    for document in given:
        try:
            key, one, own = document.memo["object"]
        except KeyError:
            key, one, own = decoded(document, access)
        if one is None:
            if own is None:
                skipped[skipped_name(key)] += 1
                refused = strict and not is_ignored(key, ignored)
                own = not_read(document) if refused else skipped_warnings(document)
            problems += own if len(problems) < MOST_PROBLEMS else _worst(own)
            continue
        if ignored and type(one) is IgnoredKind:
            continue
        if ignored and type(one) is UnreadPolicy and is_ignored(key, ignored):
            skipped[skipped_name(key)] += 1
            continue
        if own:
            problems += own if len(problems) < MOST_PROBLEMS else _worst(own)
        test = key.kind in tests
        if test:
            if ignored:
                one = replace(one, resources=(*(i.document for i in ignored), *one.resources))
            from netlab.objects.scenarios import Scenario

            if isinstance(one, Scenario):
                from netlab.objects.scenario_check import check_scenario

                by_rules = versions.of(one.resources) if server is None else server
                problems += check_scenario(one, str(key), partial(decode, strict=strict, server=by_rules))
            else:
                problems += decode(one.resources, strict=strict, server=server)[1]
        if key in found or test or isinstance(one, Topology):
            problems += _add(found, key, one)
        else:
            found[key] = one
    by_type = _by_type(found.values())
    if any(kind.__name__ == "Ingress" for kind in by_type):
        from netlab.objects.ingress_links import link_warnings, with_default_class
        from netlab.objects.ingresses import Ingress, IngressClass

        ingresses, more = with_default_class(by_type[Ingress], by_type.get(IngressClass, ()))
        by_type[Ingress] = list(ingresses)
        problems += [*more, *link_warnings(by_type)]
    if problems:
        problems = versions.judged(problems, versions.of(given) if server is None else server)
    return _objects(by_type, found.values(), given, skipped), problems


def _without_unnamed_secrets(documents: Sequence[Document], kinds: set[str], access: Access) -> tuple[Document, ...]:
    """Return the documents without TLS Secrets that no Ingress names."""
    if "Secret" not in kinds:
        return tuple(documents)
    from netlab.objects.tls_secrets import is_unnamed, named_secrets

    found = [(document, decoded(document, access)[1]) for document in documents]
    named = named_secrets(one for _, one in found)
    return tuple(document for document, one in found if not is_unnamed(one, named))


def _worst(problems: list[Problem]) -> list[Problem]:
    """Reduce a list, in place, to its first error, or else its first warning; return the list."""
    problems[:] = sorted(problems, key=lambda p: p.severity != "error")[:1]
    return problems


def _by_type(found: Iterable[Any]) -> defaultdict[type, list[Any]]:
    of: defaultdict[type, list[Any]] = defaultdict(list)
    for one in found:
        of[type(one)].append(one)
    return of


def _objects(
    of: defaultdict[type, list[Any]],
    found: Collection[Any],
    documents: tuple[Document, ...],
    skipped: Mapping[str, int],
) -> Objects:
    in_namespaces = namespaced_types(of)
    of[Namespace] = _namespaces(of[Namespace], (one for one in found if type(one) in in_namespaces))
    labels = next((kind for kind in of if kind.__name__ == "PodLabels"), None)
    pod_labels = {one.meta.key: one.labels for one in of.pop(labels)} if labels is not None else {}
    unread = of.pop(UnreadPolicy, ())
    return Objects(of, dict(skipped), documents, pod_labels, unread)


def _namespaces(declared: Sequence[Namespace], users: Iterable[Any]) -> list[Namespace]:
    """Return the declared namespaces, then those that objects use and nothing declares, in order."""
    found = {one.meta.name: one for one in declared}
    for one in users:
        if one.meta.namespace not in found:
            found[one.meta.namespace] = undeclared_namespace(one.meta.namespace, one.source)
    return list(found.values())


def _add(found: dict[Key, Any], key: Key, one: Any) -> list[Problem]:
    """Add an object to those found, and return the problems.

    Of two objects with one name the last counts, as on a cluster. A second Topology is an error. Tests may share a
    name, as each is run and none is applied.
    """
    if is_test(key.kind):
        found[key._replace(namespace=f"{len(found)}")] = one
        return []
    earlier = found.pop(key, None) if key.name else None
    problems = []
    if isinstance(one, Topology):
        earlier = earlier or next((other for other in found.values() if isinstance(other, Topology)), None)
        if earlier is not None:
            message = f"a second Topology: the first is at {_place(earlier.source)}"
            problems = [Problem(one.source.file, one.source.line("kind"), "", str(key), message)]
    elif earlier is not None and not _last_counts(one):
        message = f"defined twice: this one counts, the one at {_place(earlier.source)} does not"
        together = f"{one.source.file}\0{earlier.source.file}"
        if earlier == one:
            # Dumps of clusters have a pod in a list and in a file of its own.
            message = f"defined twice with the same content, here and at {_place(earlier.source)}"
            together = "\0same content"
        problems = [
            Problem(
                *(one.source.file, one.source.line(), "", str(key), message),
                severity="warning",
                rule="defined-twice",
                together=together,
            )
        ]
    found[key] = one
    return problems


def _last_counts(one: Any) -> bool:
    """Say whether an object of netlab's own replaces an earlier one without a warning."""
    from netlab.objects.kinds.podlabels import PodLabels
    from netlab.objects.system_objects import SystemObjects

    return isinstance(one, (PodLabels, SystemObjects))


def _place(source: Source) -> str:
    return source.place() or source.file
