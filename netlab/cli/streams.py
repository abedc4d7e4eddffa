"""Standard input, output and error, which may be closed, full, or without a reader.

A closed stream becomes /dev/null. Otherwise the next lock or socket that is opened would have its number, and output
would be written to it. If standard error cannot be written, the text is lost and the exit code stays. If standard
output cannot be written, the command ends with an error.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def prepare() -> None:
    """Open all three streams; call this before any other file is opened."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
            # Programs that netlab starts inherit it.
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


def discard_if_unwritable() -> None:
    """Make standard output /dev/null if it cannot be written: Python flushes it again when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout.fileno())


def _discard(fd: int) -> None:
    """Make a descriptor /dev/null."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)


class _Output(io.FileIO):
    """Standard output; its errors name it."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from error


class _Lenient(io.TextIOWrapper):
    """A text stream whose writes never fail: after an error it is /dev/null."""

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
