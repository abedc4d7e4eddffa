"""Errors of commands: one line and an exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from netlab.cli.command_group import cli
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


def commands(above: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all below it."""
    yield names
    if isinstance(above, click.Group):
        context = click.Context(above, **cli.context_settings)
        for name in above.list_commands(context):
            yield from commands(above.get_command(context, name) or cli, *names, name)


ALL = list(commands(cli))
GROUPS = [(), ("control-plane",), ("node",), ("pod",)]


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(words) or "netlab")
def test_no_message_about_missing_arguments_has_an_escaped_line_break(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command is parsed without arguments, and not run. Tables of choices are one line."""
    found: click.Command = cli
    context, code = click.Context(cli, info_name="netlab", **cli.context_settings), 0
    for word in words:
        assert isinstance(found, click.Group)
        found = found.get_command(context, word) or cli
        context = click.Context(found, context, info_name=word)
    try:
        found.make_context(found.name, [], parent=context.parent)
    except click.ClickException as error:
        code = failure_code(error)
    out, err = capsys.readouterr()

    assert "" == out
    assert "\\" not in err
    assert bool(code) == bool(err)


@pytest.mark.parametrize("words", GROUPS, ids=lambda words: " ".join(words) or "netlab")
def test_a_group_without_a_command_prints_its_help(words: tuple[str, ...], netlab: Callable[..., Any]) -> None:
    """As click does it: on standard error, with exit code 2."""
    wanted, done = netlab(*words, "--help"), netlab(*words)

    assert words in ALL
    assert (2, "", wanted.stdout) == (done.exit_code, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("graph", "Missing argument '{topology|reach|policies}'. Choose from: topology, reach, policies"),
        ("completion", "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"),
    ],
)
def test_a_missing_choice_is_one_line(name: str, message: str, netlab: Callable[..., Any]) -> None:
    """The choices stand in the line of the error."""
    done = netlab(name)

    assert (2, f"Error: {message}") == (done.exit_code, done.stderr.splitlines()[-1])


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
