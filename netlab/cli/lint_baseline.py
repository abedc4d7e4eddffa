"""Baselines of ``netlab lint``: files with the findings that were known before. They are hidden."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from netlab.cli import options
from netlab.errors import InputError, Problem, UsageError
from netlab.kernel import output
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.files import UnreadableError, text_of
from netlab.policy.lint.findings import Findings

_KIND = "LintBaseline"
_VERSION = "netlab/v1alpha1"


def read_baseline(file: str) -> frozenset[str]:
    """Return the fingerprints of a baseline.

    Raises:
      InputError: if the file cannot be read, or is no baseline.
    """
    try:
        data: Any = json.loads(text_of(file, Budget()))
    except (UnreadableError, TooLargeError) as error:
        hint = "" if os.path.lexists(file) else "; --write-baseline writes one"
        raise InputError([Problem(file, 0, "", "", f"{error}{hint}")]) from error
    except json.JSONDecodeError as error:
        raise InputError([Problem(file, error.lineno, "", "", f"not JSON: {error.msg}")]) from error
    except RecursionError as error:
        raise InputError([Problem(file, 0, "", "", "not JSON: nested too deep")]) from error
    except ValueError as error:
        raise InputError([Problem(file, 0, "", "", "not JSON that netlab reads: a number is too long")]) from error
    if not isinstance(data, dict) or data.get("kind") != _KIND or data.get("apiVersion") != _VERSION:
        raise InputError([Problem(file, 1, "", "", f"no {_KIND} of {_VERSION}: write one with --write-baseline")])
    found = data.get("findings")
    if not isinstance(found, list) or not all(_has_mark(one) for one in found):
        raise InputError([Problem(file, 1, "findings", "", "must be a list of findings with fingerprints")])
    return frozenset(one["fingerprint"] for one in found)


def check_file(file: str, reports: Sequence[tuple[str, str]]) -> None:
    """Check that a baseline can be written to a file; ``reports`` are the formats and files of reports.

    Raises:
      UsageError: if the path is no file, may be a manifest, or is that of a report.
    """
    option = "--write-baseline"
    options.keep_manifests(file, option, _KIND)
    output.check(file, option)
    for name, taken in reports:
        if os.path.realpath(taken) == os.path.realpath(file):
            raise UsageError(f"--{name} and {option} name one file, {file}")


def _has_mark(one: object) -> bool:
    return isinstance(one, dict) and isinstance(one.get("fingerprint"), str)


def baseline_lines(findings: Findings) -> Iterator[str]:
    """Yield the lines of the baseline of findings: one for each, in an order that no moved line changes."""
    head = json.dumps({"apiVersion": _VERSION, "kind": _KIND})
    yield f'{head[:-1]}, "findings": [\n'
    rows = sorted((one.rule, one.object, one.path, one.fingerprint) for one in findings.found)
    for at, (rule, name, path, mark) in enumerate(rows, 1):
        data = {"fingerprint": mark, "rule": rule, "object": name, "path": path}
        yield f"{json.dumps(data)}{'' if at == len(rows) else ','}\n"
    yield "]}\n"
