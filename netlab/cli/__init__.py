"""The command line: one small file per command family in ``netlab.cli.commands``, loaded when it is called."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from netlab.cli import streams

if TYPE_CHECKING:
    from netlab.cli.group import cli

__all__ = ["cli", "main"]

_INTERRUPTED = 130
_code: str | int | None = None


def main() -> None:
    """Run the command line and end the process with its exit code."""
    global _code
    # The first that is registered runs last.
    atexit.register(_leave)
    try:
        streams.prepare()
        _run()
    except KeyboardInterrupt:
        # click begins a new line too: the terminal stands behind its ^C.
        sys.stderr.write("\ninterrupted\n")
        _code = _INTERRUPTED
    except SystemExit as ended:
        _code = ended.code
    sys.exit(_code)


def _run() -> None:
    # What takes long to import is imported in here: a command may be interrupted from its first moment on.
    import gc
    import signal
    import threading

    # Where a shell starts something in the background, interrupts are ignored and stay so.
    mine = threading.current_thread() is threading.main_thread()
    early = mine and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if early:
        signal.signal(signal.SIGINT, _interrupted)
    from netlab.cli.failures import ignore_interrupts, prepare_signals
    from netlab.cli.group import cli

    if early:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A command makes many small values that live until its end, and is over before cycles matter: with the default
    # threshold the collector took a fifth of the time to bring up 1,000 pods.
    gc.set_threshold(300_000, 50, 100)
    prepare_signals()
    try:
        cli.main(prog_name="netlab")
    finally:
        ignore_interrupts()


def _interrupted(number: int, frame: object) -> None:
    """End at once: there is nothing to clean up before the first import is done.

    An exception would be lost where it meets one of importlib's own callbacks: Python prints it and goes on.
    """
    sys.stderr.write("\ninterrupted\n")
    sys.stderr.flush()
    os._exit(_INTERRUPTED)


def _leave() -> None:
    """End an interrupted process by its exit code.

    ``python -m`` ends by the signal, whatever the code, when an interrupt came inside exec(), as which every dataclass
    is made (run_eval_code_obj, Python/pythonrun.c, takes it for one that is not handled).
    """
    if _code == _INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(_INTERRUPTED)


def __getattr__(name: str) -> Any:
    if name == "cli":
        from netlab.cli.group import cli

        return cli
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
