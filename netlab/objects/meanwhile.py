"""Decodes ``meanwhile`` of a scenario's step: clients that ask while the step makes its changes."""

from __future__ import annotations

from netlab.objects.expectations import family_of, port_of
from netlab.objects.field_types import Part, Raw, Text, Whole, int_or_text
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.scenarios import Meanwhile
from netlab.objects.shapes import Shape

_SERVICE = "service:"


class _Lost(Shape, strict=True, any_of=[("atMost",), ("atLeast",)]):
    """How many requests may have no answer."""

    at_most = Whole("atMost", "The largest number of requests without an answer.", low=0, high=1_000_000)
    at_least = Whole("atLeast", "The smallest number of requests without an answer.", low=0, high=1_000_000)


class _Meanwhile(Shape, strict=True):
    """A client that opens a TCP connection every 10 ms while the step makes its changes, and the expected losses."""

    source = Text("from", "The pod, host or node that asks, as in `expect`.", required=True)
    destination = Text("to", "The Service (`service:NAMESPACE/NAME`) or the pod that is asked.", required=True)
    port = Raw(
        "port",
        "The port, by number or name; by default every TCP port that the destination declares.",
        type=int_or_text(1, 65535),
    )
    family = Whole("family", "The IP family; by default both.", values=(4, 6))
    lost = Part("lost", "How many requests may have no answer.", shape=_Lost, required=True)


MEANWHILE: type[Shape] = _Meanwhile
"""The fields of an item of ``meanwhile``."""


def meanwhile(fields: Fields) -> Meanwhile:
    """Decode one item of ``meanwhile``; problems go to the report of ``fields``."""
    of = _Meanwhile
    of.only(fields)
    for field in (of.source, of.destination, of.lost):
        if field.missing(fields):
            field.error(fields, required())
    destination = of.destination.read(fields)
    if destination.startswith(("node:", "host:")) or (":" in destination and not destination.startswith(_SERVICE)):
        of.destination.error(fields, invalid(destination, "must be service:NAMESPACE/NAME or NAMESPACE/POD"))
    lost = of.lost.read(fields)
    _Lost.only(lost)
    least, most = _Lost.at_least.read(lost), _Lost.at_most.read(lost)
    if of.lost.has(fields) and least is None and most is None:
        of.lost.error(fields, required("has at least one of atMost and atLeast"))
    return Meanwhile(
        of.source.read(fields),
        destination,
        port_of(fields, of.port),
        family_of(fields, of.family),
        least,
        most,
        fields.path,
        fields.report.source.line(fields.path),
    )
