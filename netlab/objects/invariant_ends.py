"""The ends and ports of the rules of Invariants: their fields, and how they are decoded."""

from __future__ import annotations

import re
from typing import Any

from netlab.objects.addresses import CIDR_RULE, parse_cidr
from netlab.objects.field_types import Flag, Part, Raw, Text
from netlab.objects.fields import Fields, cut, duplicate, forbidden, invalid, mistyped, required, too_many
from netlab.objects.invariants import EVERY_PORT, EndKind, PortSpan, RuleEnd
from netlab.objects.label_selectors import labels_of
from netlab.objects.names import dns_label
from netlab.objects.selectors import LabelSelector
from netlab.objects.shapes import Shape
from netlab.objects.types import LAST_PORT

MOST_LISTED = 1_000
"""The most items of a list of ports, or of ``only``."""

_PORT = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?(?:/(?P<protocol>TCP|UDP|SCTP))?")
_PORT_RULE = "must be PORT/PROTO, FIRST-LAST/PROTO or ICMP, with ports from 1 to 65535, as in 443/TCP or 8000-8100/UDP"
_SERVICE = re.compile(r"[^/]+/[^/]+")


def port_items() -> dict[str, Any]:
    """Return the schema of a list of ports."""
    pattern = r"^([0-9]{1,5}(-[0-9]{1,5})?(/(TCP|UDP|SCTP))?|ICMP)$"
    item = {"type": ["string", "integer"], "pattern": pattern, "minimum": 1, "maximum": LAST_PORT}
    return {"type": ["array", "null"], "items": item}


class EndShape(Shape, strict=True):
    """One end of a rule. `{}` selects all pods."""

    namespace = Text("namespace", "Pods of this namespace.", check=dns_label)
    namespaces = labels_of("namespaces", "Pods of the namespaces with these labels.")
    pods = labels_of("pods", "Pods with these labels.")
    hosts = Flag("hosts", "`true`: all outside hosts of the Topology.")
    host = Text("host", "The outside host of this name.")
    nodes = Flag("nodes", "`true`: all nodes.")
    service = Text("service", "The Service of this name, as `NAMESPACE/NAME`; only in `to`.")
    cidr = Text(
        "cidr",
        "Everything in this range that is outside of the cluster: outside hosts, and addresses that no endpoint has.",
    )


def end_of(fields: Fields, declared: Part) -> RuleEnd | None:
    """Decode one end of a rule, None if it is absent."""
    written = declared.find(fields)
    if written is None:
        return None
    EndShape.only(written)
    namespace, name = EndShape.namespace.read(written), EndShape.host.read(written)
    spaces, labels = EndShape.namespaces.read(written), EndShape.pods.read(written)
    alone = (EndShape.hosts, EndShape.host, EndShape.nodes, EndShape.service, EndShape.cidr)
    given = [one for one in (EndShape.namespace, EndShape.namespaces, EndShape.pods, *alone) if one.has(written)]
    special = [one for one in given if one in alone]
    if special and len(given) > 1:
        special[0].error(written, forbidden(f"may not be specified beside `{_other(given, special[0])}`"))
    if namespace and spaces:
        EndShape.namespaces.error(written, forbidden("may not be specified beside `namespace`"))
    for flag in (EndShape.hosts, EndShape.nodes):
        if flag.has(written) and not flag.read(written) and isinstance(written.data[flag.name], bool):
            flag.error(written, invalid(False, "must be true, or absent"))
    service, cidr = EndShape.service.read(written), EndShape.cidr.read(written)
    if service and not _SERVICE.fullmatch(service):
        EndShape.service.error(written, invalid(service, "must be NAMESPACE/NAME"))
    if EndShape.service.has(written) and declared.name == "from":
        EndShape.service.error(written, forbidden("a Service is a destination only; select its pods"))
    prefix = parse_cidr(cidr) if cidr else None
    if cidr and prefix is None:
        EndShape.cidr.error(written, invalid(cidr, CIDR_RULE))
    for one in (EndShape.host, EndShape.service, EndShape.cidr, EndShape.namespace):
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


def ports_of(fields: Fields, declared: Raw, default: tuple[PortSpan, ...] = EVERY_PORT) -> tuple[PortSpan, ...]:
    """Decode a list of ports; return the default if the field is absent."""
    written = declared.read(fields)
    if written is None:
        return default
    if not isinstance(written, list):
        declared.error(fields, invalid(written, mistyped(written, "a list")))
        return EVERY_PORT
    if not written:
        declared.error(fields, required("at least one port; leave it out for every port"))
        return EVERY_PORT
    if len(written) > MOST_LISTED:
        declared.error(fields, too_many(len(written), MOST_LISTED))
    found: list[PortSpan] = []
    for index, item in enumerate(written[:MOST_LISTED]):
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
