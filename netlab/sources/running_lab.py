"""``lab:NAME``: the documents of a running lab. It stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.objects.documents import Reader
    from netlab.objects.types import Document

_PREFIX = "lab:"


@frozen
class _RunningLab:
    form: str = "lab:NAME"

    def claims(self, text: str) -> bool:
        return text.startswith(_PREFIX)

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        """Return the documents; raises UsageError if no lab of the name runs."""
        from netlab.lab.lab import Lab
        from netlab.objects.names import LabName

        lab = Lab.open(LabName(text.removeprefix(_PREFIX)))
        try:
            return list(lab.documents), []
        finally:
            lab.close()


SOURCE = _RunningLab()
