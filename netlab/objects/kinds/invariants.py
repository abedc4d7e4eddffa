"""Invariants: rules that must always hold. Their decoder reads the files that they name."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.documents import Reader
from netlab.objects.field_types import OneOf, Part, Parts, Raw, Root, Text, Texts
from netlab.objects.fields import Fields, duplicate, forbidden, invalid, required, too_many
from netlab.objects.generate_name import with_generated_names
from netlab.objects.included import Access, included, reader_of
from netlab.objects.invariant_ends import MOST_LISTED, EndShape, end_of, port_items, ports_of
from netlab.objects.invariants import Allowed, InvariantRule, Invariants, PortSpan, RuleEnd, RuleVerdict
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document
from netlab.objects.usable import whole

MOST_RULES = 1_000


class _Allowed(Shape, strict=True, any_of=[("from",), ("to",)]):
    """An exception of `only`: an end that may connect."""

    source = Part("from", "The sources that may connect, in a rule with `to`.", shape=EndShape)
    destination = Part("to", "The destinations that may be reached, in a rule with `from`.", shape=EndShape)
    ports = Raw("ports", "The ports on which they may connect; by default all ports of the rule.", type=port_items)


class _Rule(Shape, strict=True, any_of=[("from",), ("to",)]):
    """What must hold: a verdict between `from` and `to`, or `only` and one of the two."""

    name = Text("name", "The rule's name in reports.", required=True)
    source = Part("from", "The sources.", shape=EndShape)
    destination = Part("to", "The destinations.", shape=EndShape)
    verdict = OneOf(
        "verdict",
        "`allow` or `deny`: every pair has this verdict on every port. `some`: at least one connection is allowed.",
        values=("allow", "deny", "some"),
    )
    listed = Parts(
        "only",
        "In place of a verdict: only these may connect. All other pods, and everything outside of the cluster, are"
        " denied.",
        shape=_Allowed,
    )
    ports = Raw(
        "ports",
        "The ports that the rule is about, as `443/TCP`, `8000-8100/UDP` or `ICMP`; by default every port of TCP, UDP"
        " and SCTP, also ports that no pod declares.",
        type=port_items,
    )
    vacuous = OneOf(
        "vacuous", "`ok`: the rule may prove nothing. Without it, a rule that proves nothing fails.", values=("ok",)
    )


class _Spec(Shape, strict=True):
    """The spec of Invariants."""

    description = Text("description", "What the rules protect.")
    resources = Texts("resources", "Files or folders of objects, relative to this file.", default="")
    rules = Parts("rules", "The rules.", shape=_Rule, required=True)


class _Root(Root, strict=True):
    """What must always hold: `netlab test` judges each rule for each IP family."""

    metadata = STRICT_CLUSTER_METADATA
    spec = Part("spec", "The objects and the rules.", shape=_Spec, required=True)


def invariants(document: Document, access: Access | None = None) -> tuple[Invariants, list[Problem]]:
    """Decode Invariants, and read the files that they name, relative to their own file.

    Unless ``access`` allows more, a file must be in the repository of the Invariants, or without one, in their folder.
    """
    with reader_of(document, access) as reader:
        return _invariants(document, reader)


def _invariants(document: Document, reader: Reader) -> tuple[Invariants, list[Problem]]:
    root = open_document(document, strict=True)
    _Root.only(root)
    meta = object_meta(root, metadata=_Root.metadata)
    spec = _Root.spec.read(root)
    _Spec.only(spec)
    if _Spec.resources.empty(spec):
        _Spec.resources.error(spec, required("names at least one file or folder of objects"))
    resources: list[Document] = []
    for path, name in _Spec.resources.read(spec):
        resources += included(root, document, path, name, reader)
    items = _Spec.rules.read(spec)
    if not items and _Spec.rules.empty(spec):
        _Spec.rules.error(spec, required("at least one rule"))
    if len(items) > MOST_RULES:
        _Spec.rules.error(spec, too_many(len(items), MOST_RULES))
    rules = [_rule(item) for item in items[:MOST_RULES]]
    names: set[str] = set()
    for item, rule in zip(items, rules, strict=False):
        if rule.name and rule.name in names:
            _Rule.name.error(item, duplicate(rule.name))
        names.add(rule.name)
    description = _Spec.description.read(spec)
    documents = tuple(with_generated_names(resources))
    return Invariants(meta, description, documents, tuple(rules), document, document.source), root.report.problems


def _rule(fields: Fields) -> InvariantRule:
    _Rule.only(fields)
    name = _Rule.name.read(fields).strip()
    if not name and _Rule.name.missing(fields):
        _Rule.name.error(fields, required())
    elif not name or "\n" in name or not name.isprintable():
        _Rule.name.error(fields, invalid(name, "must be one line of text"))
    source, destination = end_of(fields, _Rule.source), end_of(fields, _Rule.destination)
    verdict = _Rule.verdict.read(fields)
    ports = ports_of(fields, _Rule.ports)
    only = None
    if _Rule.listed.has(fields):
        only = _allowed(fields, source, destination, ports)
    elif verdict is None and not _Rule.verdict.has(fields):
        _Rule.verdict.error(fields, required("a rule has either `verdict` or `only`"))
    if only is None:
        for declared in (_Rule.source, _Rule.destination):
            if not declared.has(fields):
                declared.error(fields, required("a rule with a verdict has `from` and `to`; `{}` selects all pods"))
    chosen: RuleVerdict = "some" if verdict == "some" else "allow" if verdict == "allow" else "deny"
    vacuous = _Rule.vacuous.read(fields) == "ok"
    line = fields.report.source.line(fields.path)
    return InvariantRule(name, source, destination, chosen, only, ports, vacuous, fields.path, line)


def _allowed(
    fields: Fields, source: RuleEnd | None, destination: RuleEnd | None, ports: tuple[PortSpan, ...]
) -> tuple[Allowed, ...]:
    """Decode ``only``; the rule has one end, and each item the other one. ``ports`` are those of the rule."""
    if _Rule.verdict.has(fields):
        _Rule.verdict.error(fields, forbidden("may not be specified beside `only`, which denies all others"))
    if (source is None) == (destination is None):
        _Rule.listed.error(
            fields, forbidden("a rule with `only` has either `from` or `to`; `only` lists the other end")
        )
    ends = (_Allowed.source, _Allowed.destination)
    other, mine = ends if destination is None else ends[::-1]
    found: list[Allowed] = []
    items = _Rule.listed.read(fields)
    if len(items) > MOST_LISTED:
        _Rule.listed.error(fields, too_many(len(items), MOST_LISTED))
    for item in items[:MOST_LISTED]:
        _Allowed.only(item)
        if other.has(item):
            other.error(item, forbidden(f"the rule has `{other.name}`; an item of `only` has `{mine.name}`"))
        elif not mine.has(item):
            mine.error(item, required())
        decoded = {one.name: end_of(item, one) for one in ends}
        end = decoded[mine.name]
        own = ports_of(item, _Allowed.ports, ports)
        if end is not None:
            found.append(Allowed(end, own))
    return tuple(found)


KIND = Kind(
    "Invariants",
    NETLAB_VERSION,
    Invariants,
    invariants,
    namespaced=False,
    of_lab=False,
    reads_files=True,
    usable=whole,
    shape=_Root,
)
