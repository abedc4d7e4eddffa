"""Selectors in policies of other APIs, as far as they are plain labels.

Each function returns a selector of namespaces and one of pods. It leaves out parts that it cannot read, so the result
matches more, never less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.selectors import LabelSelector, Operator, Requirement

Selectors = tuple[LabelSelector, LabelSelector]
"""A selector of namespaces, and one of pods."""

EVERY = LabelSelector()
_Of = Literal["namespaces", "pods", ""]
_OwnerOf = Callable[[str], tuple[_Of, str]]
"""Takes a key of a selector. Returns the objects that have the label ("" if unknown), and the label's key."""


def label_selector(selector: object, owner_of: _OwnerOf = lambda key: ("pods", key)) -> Selectors:
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
    return _sorted_by(wanted, owner_of)


def labels(selector: object) -> LabelSelector:
    """Read a Kubernetes label selector of pods only, or of namespaces only."""
    return label_selector(selector)[1]


def cilium_selector(selector: object) -> Selectors:
    """Read a Cilium selector. Its keys may begin with the source of the label (``k8s:``)."""
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
    """Read the terms of a Calico selector that are joined by ``&&`` and are plain labels.

    A selector with other syntax (``||``, ``!``, brackets) is read as one that matches everything.
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


def _sorted_by(wanted: Iterable[tuple[str, Requirement]], owner_of: _OwnerOf) -> Selectors:
    found: dict[_Of, list[Requirement]] = {"namespaces": [], "pods": [], "": []}
    for written, requirement in wanted:
        of, key = owner_of(written)
        found[of].append(replace(requirement, key=key))
    return LabelSelector((), tuple(found["namespaces"])), LabelSelector((), tuple(found["pods"]))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping as it is, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []
