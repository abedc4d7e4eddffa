"""Invariants: rules that must always hold. Their decoder reads the files that they name."""

from __future__ import annotations

import re
from typing import Any

from netlab.errors import Problem
from netlab.objects.addresses import CIDR_RULE, parse_cidr
from netlab.objects.documents import Reader
from netlab.objects.field_types import Flag, OneOf, Part, Parts, Raw, Root, Text, Texts
from netlab.objects.fields import Fields, cut, duplicate, forbidden, invalid, mistyped, required, too_many
from netlab.objects.generate_name import with_generated_names
from netlab.objects.included import Access, included, reader_of
from netlab.objects.invariants import (
    EVERY_PORT,
    LAST_PORT,
    Allowed,
    EndKind,
    InvariantRule,
    Invariants,
    PortSpan,
    RuleEnd,
    RuleVerdict,
)
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.names import dns_label
from netlab.objects.selectors import LabelSelector
from netlab.objects.shapes import Shape
from netlab.objects.types import Document
from netlab.objects.usable import whole

MOST_RULES = 1_000
_MOST_LISTED = 1_000
_PORT = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?(?:/(?P<protocol>TCP|UDP|SCTP))?")
_PORT_RULE = "must be PORT/PROTO, FIRST-LAST/PROTO or ICMP, with ports from 1 to 65535, as in 443/TCP or 8000-8100/UDP"
_SERVICE = re.compile(r"[^/]+/[^/]+")


def _port_items() -> dict[str, Any]:
    pattern = r"^([0-9]{1,5}(-[0-9]{1,5})?(/(TCP|UDP|SCTP))?|ICMP)$"
    item = {"type": ["string", "integer"], "pattern": pattern, "minimum": 1, "maximum": LAST_PORT}
    return {"type": ["array", "null"], "items": item}


class _End(Shape, strict=True):
    """One end of a rule. `{}` selects all pods."""

    namespace = Text("namespace", "Pods of this namespace.", check=dns_label)
    namespaces = labels_of("namespaces", "Pods of the namespaces with these labels.")
    pods = labels_of("pods", "Pods with these labels.")
    hosts = Flag("hosts", "`true`: all outside hosts of the Topology.")
    host = Text("host", "The outside host of this name.")
    nodes = Flag("nodes", "`true`: all nodes.")
    service = Text("service", "The Service of this name, as `NAMESPACE/NAME`; only in `to`.")
    cidr = Text(
        "cidr", "What is outside of the cluster in this range: outside hosts, and addresses that no endpoint has."
    )


class _Allowed(Shape, strict=True, any_of=[("from",), ("to",)]):
    """An end that may get through."""

    source = Part("from", "The end that may get through, in a rule with `to`.", shape=_End)
    destination = Part("to", "The end that may be reached, in a rule with `from`.", shape=_End)
    ports = Raw("ports", "The ports on which it may; by default all ports of the rule.", type=_port_items)


class _Rule(Shape, strict=True, any_of=[("from",), ("to",)]):
    """What must hold: a verdict between `from` and `to`, or `only` and one of the two."""

    name = Text("name", "The rule's name in reports.", required=True)
    source = Part("from", "The sources.", shape=_End)
    destination = Part("to", "The destinations.", shape=_End)
    verdict = OneOf(
        "verdict",
        "`allow` or `deny`: every pair has this verdict on every port. `some`: at least one connection is allowed.",
        values=("allow", "deny", "some"),
    )
    listed = Parts(
        "only",
        "In place of a verdict: nothing but these gets through. All other pods, and everything outside of the cluster,"
        " are denied.",
        shape=_Allowed,
    )
    ports = Raw(
        "ports",
        "The ports that the rule is about, as `443/TCP`, `8000-8100/UDP` or `ICMP`; by default every port of TCP, UDP"
        " and SCTP, declared or not.",
        type=_port_items,
    )
    vacuous = OneOf("vacuous", "`ok`: the rule may prove nothing. Otherwise it fails then.", values=("ok",))


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
    source, destination = _end(fields, _Rule.source, "from"), _end(fields, _Rule.destination, "to")
    verdict = _Rule.verdict.read(fields)
    ports = _ports(fields, _Rule.ports)
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
    mine, other = (
        (_Allowed.destination, _Allowed.source)
        if destination is None
        else (
            _Allowed.source,
            _Allowed.destination,
        )
    )
    found: list[Allowed] = []
    items = _Rule.listed.read(fields)
    if len(items) > _MOST_LISTED:
        _Rule.listed.error(fields, too_many(len(items), _MOST_LISTED))
    for item in items[:_MOST_LISTED]:
        _Allowed.only(item)
        if other.has(item):
            other.error(item, forbidden(f"the rule has `{other.name}`; an item of `only` has `{mine.name}`"))
        elif not mine.has(item):
            mine.error(item, required())
        ends = {one.name: _end(item, one, one.name) for one in (_Allowed.source, _Allowed.destination)}
        end = ends[mine.name]
        own = _ports(item, _Allowed.ports, ports)
        if end is not None:
            found.append(Allowed(end, own))
    return tuple(found)


def _end(fields: Fields, declared: Part, side: str) -> RuleEnd | None:
    """Decode one end of a rule, None if it is absent."""
    written = declared.find(fields)
    if written is None:
        return None
    _End.only(written)
    namespace, name = _End.namespace.read(written), _End.host.read(written)
    spaces, labels = _End.namespaces.read(written), _End.pods.read(written)
    alone = (_End.hosts, _End.host, _End.nodes, _End.service, _End.cidr)
    given = [one for one in (_End.namespace, _End.namespaces, _End.pods, *alone) if one.has(written)]
    special = [one for one in given if one in alone]
    if special and len(given) > 1:
        special[0].error(written, forbidden(f"may not be specified beside `{_other(given, special[0])}`"))
    if namespace and spaces:
        _End.namespaces.error(written, forbidden("may not be specified beside `namespace`"))
    for flag in (_End.hosts, _End.nodes):
        if flag.has(written) and not flag.read(written) and isinstance(written.data[flag.name], bool):
            flag.error(written, invalid(False, "must be true, or absent"))
    service, cidr = _End.service.read(written), _End.cidr.read(written)
    if service and not _SERVICE.fullmatch(service):
        _End.service.error(written, invalid(service, "must be NAMESPACE/NAME"))
    if _End.service.has(written) and side == "from":
        _End.service.error(written, forbidden("a Service is a destination only; select its pods"))
    prefix = parse_cidr(cidr) if cidr else None
    if cidr and prefix is None:
        _End.cidr.error(written, invalid(cidr, CIDR_RULE))
    for one in (_End.host, _End.service, _End.cidr, _End.namespace):
        if one in given and not one.read(written) and written.data[one.name] == "":
            one.error(written, required())
    kind: EndKind = special[0].name if special else "pods"  # type: ignore[assignment]
    return RuleEnd(
        kind,
        _text(written),
        namespace,
        LabelSelector(tuple(sorted(spaces.items()))),
        LabelSelector(tuple(sorted(labels.items()))),
        name or service,
        prefix,
        written.path,
    )


def _other(given: list[Any], one: Any) -> str:
    return next((other.name for other in given if other is not one), "")


def _text(written: Fields) -> str:
    """Return an end as it is written, in one line, for reports."""
    parts = []
    for name, value in written.data.items():
        if isinstance(value, dict):
            value = "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
        parts.append(f"{name}: {'true' if value is True else value}")
    return cut("{" + ", ".join(parts) + "}")


def _ports(fields: Fields, declared: Raw, default: tuple[PortSpan, ...] = EVERY_PORT) -> tuple[PortSpan, ...]:
    """Decode a list of ports; without one, the default."""
    written = declared.read(fields)
    if written is None:
        return default
    if not isinstance(written, list):
        declared.error(fields, invalid(written, mistyped(written, "a list")))
        return EVERY_PORT
    if not written:
        declared.error(fields, required("at least one port; leave it out for every port"))
        return EVERY_PORT
    if len(written) > _MOST_LISTED:
        declared.error(fields, too_many(len(written), _MOST_LISTED))
    found: list[PortSpan] = []
    for index, item in enumerate(written[:_MOST_LISTED]):
        span = _span(item)
        path = f"{declared.at(fields)}[{index}]"
        if span is None:
            fields.report.error(path, invalid(item, _PORT_RULE))
        elif span in found:
            fields.report.error(path, duplicate(item))
        else:
            found.append(span)
    return tuple(found) or EVERY_PORT


def _span(item: object) -> PortSpan | None:
    """Return the ports of ``443``, ``443/TCP``, ``8000-8100/TCP`` or ``ICMP``, None for another text."""
    if isinstance(item, bool) or not isinstance(item, (str, int)):
        return None
    if item == "ICMP":
        return PortSpan("ICMP", 0, 0)
    match = _PORT.fullmatch(str(item))
    if match is None:
        return None
    first = int(match["first"])
    last = int(match["last"] or first)
    return PortSpan(match["protocol"] or "TCP", first, last) if 1 <= first <= last <= LAST_PORT else None


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
