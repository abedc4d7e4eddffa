"""The import statements of a module, for tests of which module may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def import_statements(file: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield each import of a file, wherever in it. Expressions have none, and are not looked at: that takes seconds."""
    waiting: list[ast.AST] = [*ast.parse(file.read_text(encoding="utf-8")).body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Import | ast.ImportFrom):
            yield one
        for part in ("body", "orelse", "handlers", "finalbody", "cases"):
            waiting += getattr(one, part, ())
