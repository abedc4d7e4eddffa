"""Every warning names the check that found it, as programs tell warnings apart by it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import netlab

PACKAGE = Path(netlab.__file__).parent
# Functions that make warnings, and at which place they take the rule.
PLACES = {"Problem": 6, "warning": 3}


def made() -> list[tuple[str, ast.expr | None]]:
    """Return where each warning is made, and its rule."""
    found = []
    # To parse all files takes seconds.
    sources = {file: text for file in sorted(PACKAGE.rglob("*.py")) if "warn" in (text := file.read_text())}
    for file, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {one.arg: one.value for one in node.keywords}
            texts = [one.value for one in (*node.args, *keywords.values()) if isinstance(one, ast.Constant)]
            if name == "warn" and isinstance(node.func, ast.Attribute) and len(node.args) == 3:
                rule: ast.expr | None = node.args[2]
            elif (name in ("Problem", "replace") and "warning" in texts) or (name == "warning" and len(node.args) > 2):
                place = PLACES.get(name, len(node.args))
                rule = keywords.get("rule") or (node.args[place] if len(node.args) > place else None)
            else:
                continue
            found.append((f"{file.relative_to(PACKAGE)}:{node.lineno}", rule))
    return found


def test_every_warning_has_a_rule() -> None:
    """In lower case, with hyphens; those that are no literal are constants of their module."""
    rules = made()

    assert [] == [where for where, rule in rules if rule is None]
    assert 20 < len(rules)
    literal = [(where, rule.value) for where, rule in rules if isinstance(rule, ast.Constant)]
    assert [] == [where for where, rule in literal if not re.fullmatch(r"[a-z]+(-[a-z]+)*", str(rule))]
