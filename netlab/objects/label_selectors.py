"""Decoding labels and selectors of labels (metav1.LabelSelector) with the API server's checks."""

from __future__ import annotations

from typing import cast

from netlab.objects import names
from netlab.objects.fields import Fields, forbidden, invalid, required
from netlab.objects.selectors import LabelSelector, Operator, Requirement


def check_labels(fields: Fields, name: str, labels: dict[str, str]) -> None:
    """Check the keys and values of labels; the path is the mapping's, as the API server's is, the line the label's."""
    path = fields.at(name)
    for key, value in labels.items():
        for message in names.label_key(key):
            fields.report.error(path, invalid(key, message), at=f"{path}.{key}")
        for message in names.label_value(value):
            fields.report.error(path, invalid(value, message), at=f"{path}.{key}")


def changed_labels(fields: Fields) -> dict[str, str | None]:
    """Decode ``labels`` of which null means to remove one."""
    written = fields.sub("labels")
    if not written.data and isinstance(fields.data.get("labels"), (dict, type(None))):
        fields.error("labels", required("at least one label, null to remove it"))
    labels: dict[str, str | None] = {}
    for key, value in written.data.items():
        messages = names.label_key(key)
        for message in messages:
            written.error(key, invalid(key, message))
        if value is None:
            labels[key] = None
            continue
        labels[key] = written.string(key)
        for message in names.label_value(labels[key] or ""):
            written.error(key, invalid(value, message))
    return labels


def label_selector(fields: Fields) -> LabelSelector:
    """Return the selector, without the parts that are wrong."""
    fields.only("matchLabels", "matchExpressions")
    labels = fields.string_map("matchLabels")
    check_labels(fields, "matchLabels", labels)
    expressions = [_requirement(item) for item in fields.mappings("matchExpressions")]
    return LabelSelector(tuple(sorted(labels.items())), tuple(expressions))


def _requirement(fields: Fields) -> Requirement:
    fields.only("key", "operator", "values")
    key, operator = fields.string("key"), fields.string("operator")
    values = fields.strings("values")
    if operator in ("In", "NotIn"):
        if not values:
            fields.error("values", required("must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            fields.error("values", forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    else:
        fields.error("operator", invalid(operator, "not a valid selector operator"))
    for message in names.label_key(key):
        fields.error("key", invalid(key, message))
    for path, value in values:
        for message in names.label_value(value):
            fields.report.error(path, invalid(value, message))
    return Requirement(key, cast(Operator, operator), tuple(sorted({v for _, v in values})))
