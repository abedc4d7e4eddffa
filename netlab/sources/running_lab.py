"""``lab:NAME``: the documents of a running lab. It stays as it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.objects.documents import Reader
    from netlab.objects.types import Document

_PREFIX = "lab:"


def name_of(text: str) -> str | None:
    """Return the lab that a text of ``-f`` names, None if it names something else, as a file ``lab:x``.

    Raises:
      UsageError: if that is no name of a lab.
    """
    from netlab.objects.names import LabName

    named = text.startswith(_PREFIX) and not os.path.lexists(text)
    return LabName(text.removeprefix(_PREFIX)) if named else None


@frozen
class _RunningLab:
    form: str = "lab:NAME"

    def claims(self, text: str) -> bool:
        return text.startswith(_PREFIX)

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        """Return the documents; raises UsageError if no lab of the name runs."""
        from netlab.lab.lab import Lab
        from netlab.objects.names import LabName

        reader.files.append(text)
        lab = Lab.open(LabName(text.removeprefix(_PREFIX)))
        try:
            return list(lab.documents), []
        finally:
            lab.close()


SOURCE = _RunningLab()
