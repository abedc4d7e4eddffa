"""Findings of ``netlab lint`` as a log of SARIF 2.1.0, in the form that GitHub's code scanning reads.

Sources: the OASIS standard (sarif-v2.1.0), and GitHub's page on SARIF support: it matches results of two runs by
``partialFingerprints``, shows the ``help`` of a rule beside a result, and takes 25,000 results of a run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from netlab.errors import printable
from netlab.policy.lint.rule import SEVERITIES, sentence, without_marks

if TYPE_CHECKING:
    from netlab.policy.lint.findings import Finding
    from netlab.policy.lint.rule import Rule, Severity

MOST_RESULTS = 25_000
"""The most results of a log. Of more, those that are least severe are left out."""

PAGE = "docs/lint-rules.md"
"""The page of the documentation that describes all rules."""

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEMS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "recommendation"}
# In a message, `[text](target)` is a link.
_LINK = re.compile(r"\]\(")
_STDIN = "<stdin>"


def log_of(found: Sequence[Finding], rules: Sequence[Rule], root: str, version: str) -> dict[str, Any]:
    """Return the log of findings. ``root`` is the folder to which paths of files are relative, "" if none is."""
    worst_first = sorted(found, key=lambda one: SEVERITIES.index(one.severity)) if len(found) > MOST_RESULTS else found
    number = {rule.id: at for at, rule in enumerate(rules)}
    left_out = len(found) - MOST_RESULTS
    notes = [f"{left_out:,} findings are left out: a log has at most {MOST_RESULTS:,}"] if left_out > 0 else []
    driver = {"name": "netlab", "version": version, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": all(one.rule != "invalid-input" for one in found),
                "toolExecutionNotifications": [{"level": "note", "message": {"text": note}} for note in notes],
            }
        ],
        "results": [_result(one, number[one.rule], root) for one in worst_first[:MOST_RESULTS]],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": sentence(rule.title)},
        "fullDescription": {"text": without_marks(rule.what)},
        "help": {"text": _plain_help(rule), "markdown": "\n\n".join(rule.page())},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["kubernetes", "networkpolicy"],
            "problem.severity": _PROBLEMS[rule.severity],
            "page": f"{PAGE}#{rule.id}",
        },
    }


def _plain_help(rule: Rule) -> str:
    return without_marks(f"{rule.what} {rule.why} Fix: {rule.fix}. See {PAGE}#{rule.id}.")


def _result(one: Finding, rule: int, root: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(one.file, root)}
    if one.line:
        place["region"] = {"startLine": one.line}
    location: dict[str, Any] = {"physicalLocation": place}
    logical = list(_logical(one))
    if logical:
        location["logicalLocations"] = logical
    return {
        "ruleId": one.rule,
        "ruleIndex": rule,
        "level": _LEVELS[one.severity],
        "message": {"text": _message(one)},
        "locations": [location],
        "partialFingerprints": {"netlab/v1": one.fingerprint},
    }


def _logical(one: Finding) -> Iterator[dict[str, str]]:
    """Yield the object and the field as a logical location."""
    if one.object:
        name = ": ".join(part for part in (one.object, one.path) if part)
        yield {"fullyQualifiedName": printable(name), "kind": "object"}


def _message(one: Finding) -> str:
    text = ": ".join(part for part in (one.object, one.path, one.message) if part)
    return _LINK.sub("] (", printable(f"{text}. Fix: {one.fix}."))


def _artifact(file: str, root: str) -> dict[str, str]:
    """Return a file as a URI: relative to the root if it is in it."""
    if file == _STDIN:
        return {"uri": "stdin"}
    if not root:
        return {"uri": quote(os.fsencode(file))}
    path = os.path.relpath(os.path.abspath(_of_revision(file, root)), root)
    if path == ".." or path.startswith("../"):
        return {"uri": f"file://{quote(os.fsencode(os.path.abspath(file)))}"}
    return {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}


def _of_revision(file: str, root: str) -> str:
    """Return the path of a file of a git revision (``REV:PATH``) in the working tree; other files as they are."""
    revision, colon, path = file.partition(":")
    if not colon or not revision or not path or os.path.lexists(file):
        return file
    return path if path.startswith(("./", "../", "/")) else os.path.join(root, path)
