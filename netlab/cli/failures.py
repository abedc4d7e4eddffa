"""The errors of commands: each is one line and an exit code.

docs/reference.md lists the exit codes. 70 is EX_SOFTWARE of sysexits.h. 141 is 128 + SIGPIPE, the code of other
programs in a pipe; 143 and 129 follow from SIGTERM and SIGHUP. If standard output cannot be written (a full disk), the
code is 3.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

import click

from netlab.cli import streams, terminal
from netlab.errors import InputError, NetlabError, UsageError, way_out

INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

# click before 8.2 prints the help itself, on standard output with exit code 0.
_NO_ARGUMENTS: tuple[type[click.ClickException], ...] = tuple(
    found for found in (getattr(click.exceptions, "NoArgsIsHelpError", None),) if found
)
_verbose = False


def be_verbose(wanted: bool) -> None:
    """Show tracebacks and all warnings from now on, or stop it: the effect of ``-v``."""
    global _verbose
    _verbose = wanted


def verbose() -> bool:
    """Say whether ``-v`` was given."""
    return _verbose


def prepare_signals() -> None:
    """Let SIGTERM and SIGHUP raise SystemExit, so that a command cleans up before it ends."""
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
    except ValueError:
        # Only the main thread may set handlers. A program that runs commands in another thread has its own handlers.
        return


def ignore_interrupts() -> None:
    """Ignore signals while Python ends: the command is over, and its exit code is known."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _ignore_ends()


def _ignore_ends() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == _end:
            signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    # A session that ends sends both signals. The second must not interrupt the clean-up.
    _ignore_ends()
    raise SystemExit(128 + number)


def failure_code(error: BaseException) -> int:
    """Print an error on standard error, and return its exit code."""
    global _verbose
    detailed, _verbose = _verbose, False
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        terminal.say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        _print_usage(error)
        return 2
    if isinstance(error, BrokenPipeError):
        streams.discard_if_unwritable()
        return BROKEN_PIPE
    if detailed:
        import traceback

        # The indent tells these lines from messages.
        for line in "".join(traceback.format_exception(error)).splitlines():
            terminal.say(f"  {line}")
    if isinstance(error, InputError):
        from netlab.cli.inputs import print_errors

        print_errors(error.problems)
        return error.exit_code
    if isinstance(error, NetlabError):
        for message in error.args if isinstance(error, UsageError) else [error]:
            terminal.say(f"Error: {message}")
        return error.exit_code
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        streams.discard_if_unwritable()
        where = f": {error.filename}" if error.filename else ""
        fix = way_out(error.errno)
        terminal.say(f"Error: {error.strerror}{where}{f'; {fix}' if fix else ''}")
        return 3
    hint = "" if detailed else "; run again with -v for details"
    terminal.say(f"internal error: {type(error).__name__}: {_first_line(error)}{hint}")
    return INTERNAL


def _print_usage(error: click.ClickException) -> None:
    """Print the text of click's ``show``, escaped, as it may hold arguments of the command line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, _NO_ARGUMENTS):
        # The message is the help. It has line breaks, and nothing of the command line.
        for line in error.format_message().splitlines():
            terminal.say(line)
        return
    if context is not None:
        for line in context.get_usage().splitlines():
            terminal.say(line)
        terminal.say(f"Try '{context.command_path} {context.help_option_names[0]}' for help.")
        terminal.say("")
    message = error.format_message()
    if isinstance(error, click.MissingParameter):
        # click lists choices on lines of their own. No word of the command line is in this message.
        message = " ".join(message.split())
    terminal.say(f"Error: {message}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no message"])[0]
