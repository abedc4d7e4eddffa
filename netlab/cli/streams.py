"""Standard input, output and error as a command may find them: closed, full, or with a reader that went away.

A closed one is /dev/null: the next file that is opened would have its number, and a lock or a socket would be written
to. What standard error does not take is lost, and the exit code stands: it says what became of the command. What
standard output does not take ends the command.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def prepare() -> None:
    """Have all three; called before anything else is opened."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
            # Programs that are started have it too.
            os.set_inheritable(fd, True)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    out, error = sys.stdout, sys.stderr
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)),
        encoding=out.encoding if out else None,
        errors=out.errors if out else None,
        line_buffering=os.isatty(1),
    )
    sys.stderr = _Lenient(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding=error.encoding if error else None,
        errors="backslashreplace",
        line_buffering=True,
    )


def settle() -> None:
    """Make standard output /dev/null where it takes no more: Python flushes it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout.fileno())


def _discard(fd: int) -> None:
    """Let what is written to a descriptor go nowhere from now on."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)


class _Output(io.FileIO):
    """Standard output, which errors name."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from error


class _Lenient(io.TextIOWrapper):
    """A text stream whose writing never fails: after an error it is /dev/null."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            _discard(self.fileno())
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _discard(self.fileno())
