"""Errors of commands: one line and an exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from netlab.cli.failures import failure_code
from netlab.errors import HostError, InputError, KernelError, Problem, UsageError

PROBLEM = Problem("a.yaml", 3, "spec.x", "Pod n/p", "is wrong")
WARNING = Problem("a.yaml", 4, "", "Pod n/p", "is odd", "warning")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            InputError([PROBLEM, WARNING]),
            2,
            ["a.yaml:3: Pod n/p: spec.x: is wrong", "Warning: a.yaml:4: Pod n/p: is odd"],
        ),
        (UsageError("no lab is running"), 2, ["Error: no lab is running"]),
        (UsageError("'a': no label", "'b': no label"), 2, ["Error: 'a': no label", "Error: 'b': no label"]),
        (click.BadParameter("no"), 2, ["Error: Invalid value: no"]),
        (click.FileError("x.xml", "no"), 2, ["Error: Could not open file 'x.xml': no"]),
        (HostError("no nft program", "install it"), 3, ["Error: no nft program; install it"]),
        (KernelError("nft in x", 0, "syntax error"), 3, ["Error: nft in x: syntax error"]),
        (OSError(28, "No space left on device", "/x"), 3, ["Error: No space left on device: /x"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (click.Abort(), 130, ["interrupted"]),
        (ZeroDivisionError("by\nzero"), 70, ["internal error: ZeroDivisionError: by; run again with -v for details"]),
        (SystemExit(7), 7, []),
        (SystemExit(None), 0, []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_is_lines_and_a_code(
    error: BaseException, code: int, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is empty, and there is no traceback."""

    assert code == failure_code(error)
    out, err = capsys.readouterr()
    assert ("", said) == (out, err.splitlines())


def test_verbose_shows_where_an_error_comes_from(netlab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """``-v`` adds the traceback to its own command, and to no later one."""
    monkeypatch.setattr("netlab.objects.read_input", lambda *_, **__: 1 / 0)
    detailed, plain = netlab("reach", "-f", "x", "-v"), netlab("reach", "-f", "x")

    assert (70, 70) == (detailed.exit_code, plain.exit_code)
    assert "Traceback" in detailed.stderr
    assert ["internal error: ZeroDivisionError: division by zero; run again with -v for details"] == (
        plain.stderr.splitlines()
    )


def test_a_closed_pipe_ends_the_command_without_an_error() -> None:
    """``netlab reach | head`` prints no error."""
    done = subprocess.run(
        ["/bin/sh", "-c", '("$0" -m netlab reach -f examples/shop -o json; echo $? >&2) | true', sys.executable],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )

    assert ["141"] == done.stderr.splitlines()
