"""Selectors of policies that netlab does not read, as far as they ask for plain labels.

Each function returns what a selector asks of namespaces and what it asks of pods. What it cannot read it leaves out, so
that the selector means more, never less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from netlab.objects.core import NAMESPACE_LABEL
from netlab.objects.selectors import LabelSelector, Operator, Requirement

Selectors = tuple[LabelSelector, LabelSelector]
"""What is asked of the labels of namespaces, and of those of pods."""

EVERY = LabelSelector()
_Of = Literal["namespaces", "pods", ""]
_Whose = Callable[[str], tuple[_Of, str]]
"""Says of a selector's key whose label it means, "" for nothing that netlab knows, and the label's key."""


def label_selector(selector: object, whose: _Whose = lambda key: ("pods", key)) -> Selectors:
    """Read a Kubernetes label selector."""
    fields = mapping(selector)
    wanted = [
        (key, Requirement("", "In", (value or "",)))
        for key, value in mapping(fields.get("matchLabels")).items()
        if value is None or isinstance(value, str)
    ]
    for item in map(mapping, items(fields.get("matchExpressions"))):
        key, operator, values = item.get("key"), item.get("operator"), items(item.get("values"))
        if not isinstance(key, str) or not all(isinstance(value, str) for value in values):
            continue
        if (operator in ("In", "NotIn") and values) or (operator in ("Exists", "DoesNotExist") and not values):
            wanted.append((key, Requirement("", cast(Operator, operator), tuple(sorted({*values})))))
    return _sorted_by(wanted, whose)


def labels(selector: object) -> LabelSelector:
    """Read a Kubernetes label selector of one kind of object."""
    return label_selector(selector)[1]


def cilium_selector(selector: object) -> Selectors:
    """Read a Cilium selector, whose keys may begin with the source of the label."""
    return label_selector(selector, _cilium_key)


def _cilium_key(key: str) -> tuple[_Of, str]:
    source, colon, name = key.rpartition(":")
    if colon and source not in ("k8s", "any"):
        return "", key
    if name == "io.kubernetes.pod.namespace":
        return "namespaces", NAMESPACE_LABEL
    if name.startswith("io.cilium.k8s.namespace.labels."):
        return "namespaces", name.removeprefix("io.cilium.k8s.namespace.labels.")
    return ("", name) if name.startswith(("io.cilium.", "io.kubernetes.")) else ("pods", name)


_TEXT = r"(?:\"[^\"]*\"|'[^']*')"
_KEY = r"[A-Za-z0-9_./-]+"
_TERM = re.compile(
    rf"(?:(?:all|global)\(\s*\)|(?P<has>!?\s*has)\(\s*(?P<one>{_KEY})\s*\)"
    rf"|(?P<key>{_KEY})\s*(?P<operator>==|!=|not\s+in\b|in\b|contains\b|starts\s+with\b|ends\s+with\b)\s*"
    rf"(?P<values>{_TEXT}|\{{\s*(?:{_TEXT}\s*(?:,\s*{_TEXT}\s*)*)?\}}))\s*(?:&&\s*|$)"
)
_OPERATORS: dict[str, Operator] = {"==": "In", "in": "In", "!=": "NotIn", "not in": "NotIn"}


def calico_selector(text: object, *, of_namespaces: bool = False) -> Selectors:
    """Read the parts of a Calico selector that are joined by ``&&`` and ask for plain labels.

    Anything else in it (``||``, ``!``, brackets) makes it a selector of everything.
    """
    written = text.strip() if isinstance(text, str) else ""
    wanted: list[tuple[str, Requirement]] = []
    at = 0
    while at < len(written):
        term = _TERM.match(written, at)
        if term is None:
            return EVERY, EVERY
        at = term.end()
        operator = " ".join(str(term["operator"]).split())
        if term["has"]:
            wanted.append((term["one"], Requirement("", "DoesNotExist" if term["has"][0] == "!" else "Exists")))
        elif operator in _OPERATORS:
            values = tuple(sorted({value[1:-1] for value in re.findall(_TEXT, term["values"])}))
            wanted.append((term["key"], Requirement("", _OPERATORS[operator], values)))
    return _sorted_by(wanted, _calico_namespace_key if of_namespaces else _calico_key)


def _calico_key(key: str) -> tuple[_Of, str]:
    if key == "projectcalico.org/namespace":
        return "namespaces", NAMESPACE_LABEL
    return ("", key) if key.startswith(("projectcalico.org/", "pcns.", "pcsa.")) else ("pods", key)


def _calico_namespace_key(key: str) -> tuple[_Of, str]:
    return "namespaces", NAMESPACE_LABEL if key == "projectcalico.org/name" else key


def _sorted_by(wanted: Iterable[tuple[str, Requirement]], whose: _Whose) -> Selectors:
    found: dict[_Of, list[Requirement]] = {"namespaces": [], "pods": [], "": []}
    for written, requirement in wanted:
        of, key = whose(written)
        found[of].append(replace(requirement, key=key))
    return LabelSelector((), tuple(found["namespaces"])), LabelSelector((), tuple(found["pods"]))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping as it is, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []
