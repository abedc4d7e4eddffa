"""The command line: one module for each command family in ``netlab.cli.commands``, imported when it is called."""

from __future__ import annotations

import os
import sys

# An interrupt before main() sets its handler ends the command with a traceback, so the slow import of typing is left
# out; type checkers take this constant for that of typing.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from netlab.cli.command_group import cli

__all__ = ["cli", "main"]

_INTERRUPTED = 130
_code: str | int | None = None


def main() -> None:
    """Run the command line and end the process with its exit code."""
    global _code
    early = _end_at_interrupts()
    import atexit

    from netlab.cli import streams

    # Handlers of atexit run in reverse order: this one runs last.
    atexit.register(_leave)
    try:
        streams.prepare()
        _run(early)
    except KeyboardInterrupt:
        # The terminal has printed ^C, so begin a new line, as click does.
        sys.stderr.write("\ninterrupted\n")
        _code = _INTERRUPTED
    except SystemExit as ended:
        _code = ended.code
    sys.exit(_code)


def _end_at_interrupts() -> bool:
    """Let an interrupt end the process at once, until the imports are done; say whether it does."""
    import signal

    # A shell without job control starts background commands with SIGINT ignored: leave it ignored.
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    try:
        signal.signal(signal.SIGINT, _interrupted)
    except ValueError:
        # Only the main thread may set handlers.
        return False
    return True


def _run(early: bool) -> None:
    # Slow imports are in here, so that an interrupt during them is handled.
    import gc
    import signal

    # A command makes many small values that live until its end, and it ends before cycles matter. With the default
    # threshold the collector took a fifth of the time of `up` with 1,000 pods.
    gc.set_threshold(300_000, 50, 100)
    from netlab.cli import later

    later.prepare()
    from netlab.cli import terminal
    from netlab.cli.command_group import cli
    from netlab.cli.failures import ignore_interrupts, prepare_signals

    if early:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare_signals()
    try:
        # click would import shutil to find the width.
        cli.main(prog_name="netlab", terminal_width=terminal.help_width())
    finally:
        ignore_interrupts()
        # Python collects garbage several times while it ends, which took a fifth of the time of `check`. Objects that
        # are frozen are left out.
        gc.freeze()


def _interrupted(number: int, frame: object) -> None:
    """End at once: before the imports are done there is nothing to clean up.

    importlib's callbacks would lose an exception: Python prints it and goes on.
    """
    try:
        sys.stderr.write("\ninterrupted\n")
        sys.stderr.flush()
    finally:
        # Whatever is wrong with standard error: it is not prepared yet, and may be closed.
        os._exit(_INTERRUPTED)


def _leave() -> None:
    """End an interrupted process with its exit code.

    ``python -m`` ends by the signal, whatever the code, if an interrupt came inside exec(), which makes every
    dataclass: run_eval_code_obj (Python/pythonrun.c) takes it for an interrupt that was not handled.
    """
    if _code == _INTERRUPTED:
        import contextlib

        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(_INTERRUPTED)


def __getattr__(name: str) -> Any:
    if name == "cli":
        from netlab.cli.command_group import cli

        return cli
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
