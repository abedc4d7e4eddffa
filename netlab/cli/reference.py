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
    above = click.Context(cli, info_name="netlab")
    for name in COMMANDS:
        command = cli.get_command(above, name)
        assert command is not None
        context = click.Context(command, above, info_name=name, max_content_width=_WIDTH, terminal_width=_WIDTH)
        yield f"\n## {name}\n"
        yield f"`netlab {name} {' '.join(command.collect_usage_pieces(context))}`\n"
        for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
            yield f"{' '.join(paragraph.split())}\n"
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            # The text explains arguments, and --help is the same for all commands.
            if record is not None and record[1] and "--help" not in parameter.opts:
                declared, meaning = record
                yield f"- `{declared}`: {' '.join(meaning.split())}"


if __name__ == "__main__":
    terminal.emit("\n".join(lines()).split("\n"))
