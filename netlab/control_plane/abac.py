"""A policy file of ABAC: read and checked before an API server that would refuse it starts.

Source: Kubernetes, Using ABAC Authorization: one JSON object a line.
"""

from __future__ import annotations

import json

from netlab.errors import InputError, Problem
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.files import UnreadableError, text_of

_VERSION, _KIND = "abac.authorization.kubernetes.io/v1beta1", "Policy"


def read(file: str) -> str:
    """Return the text of a policy file.

    Raises:
      InputError: with a line for each rule that is none, and for a file that cannot be read.
    """
    try:
        text = text_of(file, Budget())
    except (UnreadableError, TooLargeError) as error:
        raise InputError([Problem(file, 0, "", "", str(error))]) from error
    found = [(number, _wrong(line)) for number, line in enumerate(text.splitlines(), 1) if _counts(line)]
    problems = [Problem(file, number, "", "", wrong) for number, wrong in found if wrong]
    if problems or not found:
        raise InputError(problems or [Problem(file, 0, "", "", "has no rule: one JSON object a line")])
    return text


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _wrong(line: str) -> str:
    """Return what is wrong with a line, "" for a rule."""
    try:
        rule = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {getattr(error, 'msg', 'nested too deep')}"
    if not isinstance(rule, dict) or (rule.get("apiVersion"), rule.get("kind")) != (_VERSION, _KIND):
        return f"no rule: it must have apiVersion {_VERSION} and kind {_KIND}"
    return "" if isinstance(rule.get("spec"), dict) else "no rule: spec must be an object"
