"""Options of commands, made without the module ``inspect``.

click removes the indentation of each help text by ``inspect.cleandoc``. netlab's help texts have none. ``inspect`` and
what it imports take as long as half an empty Python; ``netlab.cli.later`` loads it for what really needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from netlab.cli import terminal

_F = TypeVar("_F", bound=Callable[..., Any] | click.Command)


class Option(click.Option):
    """An option that keeps its help text as it is written."""

    def __init__(self, *names: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.help = help


def option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """Return the decorator of ``click.option``, for an ``Option``."""
    return click.option(*names, cls=Option, **settings)


def _show_help(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        terminal.emit(ctx.get_help().splitlines())
        ctx.exit()


def with_help_option(command: click.Command) -> click.Command:
    """Return a command with ``--help`` as an ``Option`` in place of click's own."""
    if command.add_help_option:
        command.add_help_option = False
        add = option(
            *("-h", "--help"),
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_help,
            help="Show this message and exit.",
        )
        add(command)
    return command
