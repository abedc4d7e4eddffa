"""Label selectors as values, and what they match (metav1.LabelSelector)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from netlab.frozen import frozen

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


@frozen
class Requirement:
    """One item of ``matchExpressions``; ``values`` is sorted, and empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether the labels satisfy it. A missing key satisfies NotIn and DoesNotExist."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values if self.key in labels else False
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels

    def __str__(self) -> str:
        match self.operator:
            case "In":
                return f"{self.key} in ({','.join(self.values)})"
            case "NotIn":
                return f"{self.key} notin ({','.join(self.values)})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"


@frozen
class LabelSelector:
    """``match_labels`` (sorted pairs) and ``match_expressions``, which are ANDed; an empty selector matches everything.

    ``str()`` has kubectl's syntax of selectors, ``<all>`` for the empty one.
    """

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether the labels satisfy every requirement."""
        return all(labels.get(k) == v for k, v in self.match_labels) and all(
            r.matches(labels) for r in self.match_expressions
        )

    def __str__(self) -> str:
        parts = [f"{k}={v}" for k, v in self.match_labels] + [str(r) for r in self.match_expressions]
        return ",".join(parts) or "<all>"
