"""Decoding of labels and label selectors (metav1.LabelSelector), with the API server's checks."""

from __future__ import annotations

from typing import cast, get_args

from netlab.objects import names
from netlab.objects.field_types import Parts, Raw, Text, TextMap, Texts
from netlab.objects.fields import Fields, forbidden, invalid, mistyped, required
from netlab.objects.selectors import LabelSelector, Operator, Requirement
from netlab.objects.shapes import Schema, Shape


def check_labels(fields: Fields, name: str, labels: dict[str, str]) -> None:
    """Report invalid keys and values of labels, at the mapping's path, as the API server does, and the label's line."""
    path = fields.at(name)
    # The API server leaves out a part of the path of a template's labels.
    shown = path.replace(".template.metadata.", ".template.")
    for key, value in labels.items():
        for message in names.label_key(key):
            fields.report.error(shown, invalid(key, message), at=f"{path}.{key}")
        for message in names.label_value(value):
            fields.report.error(shown, invalid(value, message), at=f"{path}.{key}")


def labels_of(name: str, about: str) -> TextMap:
    """Declare a field that holds labels."""
    return TextMap(name, about, check=check_labels)


def _schema_of_changes() -> Schema:
    return {"type": "object", "minProperties": 1, "additionalProperties": {"type": ["string", "null"]}}


CHANGES = Raw("labels", "Labels to set; null removes one.", type=_schema_of_changes, required=True)


def changed_labels(fields: Fields) -> dict[str, str | None]:
    """Decode a field of ``CHANGES``."""
    written = fields.part(CHANGES.name)
    if not written.data and isinstance(CHANGES.read(fields), (dict, type(None))):
        CHANGES.error(fields, required("at least one label, null to remove it"))
    labels: dict[str, str | None] = {}
    for key, value in written.data.items():
        for message in names.label_key(key):
            written.error(key, invalid(key, message))
        if value is None:
            labels[key] = None
            continue
        if not isinstance(value, str):
            written.error(key, invalid(value, mistyped(value, "a string")))
        labels[key] = text = value if isinstance(value, str) else ""
        for message in names.label_value(text):
            written.error(key, invalid(value, message))
    return labels


class _Requirement(Shape, strict=True):
    """A condition on one label."""

    key = Text("key", "The label's key.", required=True)
    operator = Text("operator", "How the label is compared.", values=get_args(Operator), required=True)
    values = Texts("values", "The values, for In and NotIn.")


class Selector(Shape, strict=True):
    """Labels that an object must have: all conditions hold; an empty selector selects everything."""

    match_labels = labels_of("matchLabels", "Labels that must be there with these values.")
    match_expressions = Parts("matchExpressions", "Conditions on labels.", shape=_Requirement)


def label_selector(fields: Fields) -> LabelSelector:
    """Decode a label selector. Invalid parts are reported."""
    Selector.only(fields)
    labels = Selector.match_labels.read(fields)
    expressions = [_requirement(item) for item in Selector.match_expressions.read(fields)]
    return LabelSelector(tuple(sorted(labels.items())), tuple(expressions))


def _requirement(fields: Fields) -> Requirement:
    _Requirement.only(fields)
    key, operator = _Requirement.key.read(fields), _Requirement.operator.read(fields)
    values = _Requirement.values.read(fields)
    if operator in ("In", "NotIn"):
        if not values:
            _Requirement.values.error(fields, required("must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            _Requirement.values.error(
                fields, forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
            )
    else:
        _Requirement.operator.error(fields, invalid(operator, "not a valid selector operator"))
    for message in names.label_key(key):
        _Requirement.key.error(fields, invalid(key, message))
    for path, value in values:
        for message in names.label_value(value):
            fields.report.error(path, invalid(value, message))
    return Requirement(key, cast(Operator, operator), tuple(sorted({v for _, v in values})))
