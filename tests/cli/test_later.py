"""Modules that the command line loads later are the same modules when they are used."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from netlab.cli.command_group import COMMANDS, cli

REPOSITORY = Path(__file__).parents[2]


def printed(program: str) -> str:
    """Return what a program prints in a process in which the command line prepared its imports."""
    start = "from netlab.cli import later; later.prepare(); import sys, threading"
    command = [sys.executable, "-c", f"{start}\n{program}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=60).stdout


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        ("import inspect, click; print('ast' in sys.modules)", "False"),
        ("import inspect; print(inspect.cleandoc('  a'), 'ast' in sys.modules)", "a True"),
        ("from inspect import signature; print(signature(lambda a: 0))", "(a)"),
        ("import inspect; print(hasattr(inspect, 'nothing'), inspect.__name__)", "False inspect"),
        ("import inspect; inspect.cleandoc('a'); import types; print(type(inspect) is types.ModuleType)", "True"),
        ("import dataclasses\n@dataclasses.dataclass\nclass A: b: int\nprint(A.__doc__)", "A(b: 'int')"),
        ("import platform, uuid; print(platform.system(), platform.libc_ver()[0])", "Linux glibc"),
    ],
)
def test_a_module_is_loaded_when_it_is_used(program: str, wanted: str) -> None:
    """An attribute loads it, and it is an ordinary module then."""
    if wanted.startswith("A("):
        program = program.replace("b: int", "b: 'int'")

    assert wanted == printed(program).strip()


def test_threads_that_use_it_at_once_see_the_whole_module() -> None:
    """Others wait while one loads it."""
    program = """
import inspect
found, start = [], threading.Barrier(8)
def use():
    start.wait(10)
    found.append(str(inspect.signature(use)))
threads = [threading.Thread(target=use) for _ in range(8)]
[one.start() for one in threads]
[one.join(10) for one in threads]
print(*found)
"""
    assert ["()"] * 8 == printed(program).split()


def commands(above: click.Command, name: str = "netlab") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, with their names."""
    yield name, above
    if isinstance(above, click.Group):
        context = click.Context(above, **cli.context_settings)
        for one in above.list_commands(context):
            found = above.get_command(context, one)
            assert found is not None
            yield from commands(found, f"{name} {one}")


def test_help_texts_need_no_cleaning() -> None:
    """Options keep them as they are written, without inspect.cleandoc."""
    found = dict(commands(cli))
    texts = [
        one.help for command in found.values() for one in command.params if isinstance(one, click.Option) and one.help
    ]

    assert {f"netlab {name}" for name in COMMANDS} <= {*found}
    assert len(texts) > 100
    assert [inspect.cleandoc(text) for text in texts] == texts


def test_each_command_has_one_help_option() -> None:
    """It has the names and the text of click's own."""
    for name, command in commands(cli):
        context = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
        own = [one for one in command.get_params(context) if "--help" in one.opts]

        assert [["-h", "--help"]] == [one.opts for one in own], name
        assert "Show this message and exit." in command.get_help(context)
