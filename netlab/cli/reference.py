"""The page ``docs/commands.md``: every command with its arguments and options, generated from the commands.

``python -m netlab.cli.reference`` prints it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from netlab.cli import terminal
from netlab.cli.command_group import COMMANDS, cli

HEAD = """\
# Commands

`python -m netlab.cli.reference > docs/commands.md` writes this page from the commands themselves.
[reference.md](reference.md) describes what they read and print.

An environment variable sets the default of an option: `NETLAB_`, the command, `_` and the option's name, as in
`NETLAB_REACH_OUTPUT=json`. For `--lab` and `-n` of all commands it is `NETLAB_LAB` and `NETLAB_NAMESPACE`."""
_WIDTH = 120


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    above = click.Context(cli, info_name="netlab", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(above, name)
        assert command is not None
        yield from _command(command, above, name, "##")


def _command(command: click.Command, above: click.Context, name: str, mark: str) -> Iterator[str]:
    """Yield the lines about a command, and about those of a group."""
    context = click.Context(command, above, info_name=name, max_content_width=_WIDTH, terminal_width=_WIDTH)
    path = context.command_path.removeprefix("netlab ")
    yield f"\n{mark} {path}\n"
    yield f"`netlab {path} {' '.join(command.collect_usage_pieces(context))}`\n"
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        yield f"{' '.join(paragraph.split())}\n"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        # The text explains arguments, and --help is the same for all commands.
        if record is not None and record[1] and "--help" not in parameter.opts:
            declared, meaning = record
            yield f"- `{declared}`: {' '.join(meaning.split())}"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _command(found, context, inner, f"{mark}#")


if __name__ == "__main__":
    terminal.emit("\n".join(lines()).split("\n"))
