"""The features of a host, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.kernel.features import Feature


class Features:
    """The features that were tested, with the outcome of each test."""

    def __init__(self, found: Sequence[Feature]) -> None:
        self.found = found

    def table(self, page: Page) -> Iterator[str]:
        from netlab.report.columns import columns

        rows = ([f.name, f.status, f.detail or "-", f.fix or "-"] for f in self.found)
        return columns(["CHECK", "STATUS", "DETAIL", "FIX"], rows)

    def document(self) -> dict[str, Any]:
        """Return the Features document."""
        checks = [
            {"name": f.name, "status": f.status, "needed": f.needed, "detail": f.detail, "fix": f.fix}
            for f in self.found
        ]
        return {"kind": "Features", "checks": checks}
