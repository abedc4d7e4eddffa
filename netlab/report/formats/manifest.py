"""A result's Kubernetes objects as YAML, for ``kubectl apply -f``, with comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from netlab.report.formats import Page


class _Manifests(Protocol):
    def manifests(self) -> Iterator[str]: ...


def lines(result: _Manifests, page: Page) -> Iterator[str]:
    """Yield the lines of the objects."""
    return result.manifests()
