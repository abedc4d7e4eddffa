"""Reading what users name: regular files and pipes only, folders without links, nothing beyond the bounds."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
from dataclasses import field
from typing import IO, Any

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.bounds import MOST_ENTRIES, Budget, TooLargeError
from netlab.patterns import pattern

SUFFIXES = (".yaml", ".yml", ".json")
# No hang on a pipe that nothing writes to, no terminal that becomes the process's own.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
# That of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_INNER_MARK = pattern("^\ufeff+", re.MULTILINE)


class UnreadableError(Exception):
    """A file cannot be read; ``line`` is where (0: all of it)."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.line = line
        super().__init__(message)


# --- where a scenario may read --------------------------------------------------------------------------------------


def home_of(file: str) -> str:
    """Return the folder that what a file names must be in: its repository, without one the folder of the file."""
    folder = parent = os.path.realpath(os.path.dirname(file) or ".")
    while not os.path.lexists(os.path.join(parent, ".git")):
        if parent == os.path.dirname(parent):
            return folder
        parent = os.path.dirname(parent)
    return parent


def is_inside(path: str, home: str) -> bool:
    """Say whether a path, links followed, is in a folder; it need not exist."""
    return os.path.commonpath((os.path.realpath(path), home)) == home


# --- one file -------------------------------------------------------------------------------------------------------


def text_of(path: str, budget: Budget, *, pipes: bool = True, home: str = "") -> str:
    """Return the text of a file; ``home`` is the folder that it must be in, ``pipes`` says that it may be one.

    Raises:
      UnreadableError: when it cannot be read, is no file or outside of ``home``, or is no text.
      TooLargeError: when it is beyond the budget.
    """
    if home and not is_inside(path, home):
        raise UnreadableError(outside(home))
    try:
        content = _content(os.path.realpath(path) if home else path, budget, pipes, os.O_NOFOLLOW if home else 0)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except ValueError:
        raise UnreadableError("no name of a file") from None
    return decoded(content)


def outside(home: str) -> str:
    """Return what is said of every path outside of a folder, whatever is there."""
    return f"is outside of {home}; a scenario reads nothing there unless it is run with --allow-outside"


def _content(path: str, budget: Budget, pipes: bool, flags: int) -> bytes:
    # To open some devices is to use them, so what a path is shows first.
    _check_kind(os.stat(path), pipes)
    opened = os.open(path, _OPEN | flags)
    try:
        status = os.fstat(opened)
        _check_kind(status, pipes)
        if not stat.S_ISREG(status.st_mode):
            os.set_blocking(opened, True)
            with os.fdopen(opened, "rb", closefd=False) as file:
                return _all_of(file, budget)
        budget.take_file(status.st_size)
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(status.st_size + 1)
    finally:
        os.close(opened)
    if len(content) != status.st_size:
        raise UnreadableError("is no ordinary file, or changed while it was read")
    return content


def _check_kind(status: os.stat_result, pipes: bool) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG and not (pipes and kind == stat.S_IFIFO):
        raise UnreadableError(f"is {_KINDS.get(kind, 'something else')}, not a file")


def _all_of(file: IO[bytes], budget: Budget) -> bytes:
    """Return what comes until the end; raises TooLargeError as soon as it is too much."""
    budget.take_file(0)
    parts = []
    while part := file.read(_CHUNK):
        budget.take_more(len(part))
        parts.append(part)
    return b"".join(parts)


def standard_input(stdin: IO[Any] | None, budget: Budget) -> str:
    """Return the text of standard input; raises as ``text_of`` does."""
    try:
        source = stdin or sys.stdin.buffer
        if isinstance(source.read(0), str):
            text = source.read()
            budget.take_file(len(text))
            return str(text)
        return decoded(_all_of(source, budget))
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None


def decoded(content: bytes) -> str:
    """Return the text of bytes: UTF-8, or what their byte order mark says; marks at the begin of a line are left out.

    Raises:
      UnreadableError: when they are none, with the line.
    """
    mark, encoding = next((m for m in _MARKS if content.startswith(m[0])), (b"", "utf-8"))
    if not mark and _looks_wide(content):
        raise UnreadableError(_UNMARKED)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise UnreadableError(f"not {encoding[:6].upper()}: {error.reason}") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"not UTF-8: {error.reason} 0x{content[error.start]:02x}", line) from None
    return _INNER_MARK.sub("", text) if "\ufeff" in text else text


_UNMARKED = "UTF-16 without a byte order mark: save it as UTF-8 (PowerShell: Out-File -Encoding utf8)"


def _looks_wide(content: bytes) -> bool:
    """Say whether ASCII stands in two bytes a character."""
    return len(content) > 3 and (content[0] == 0) != (content[1] == 0) and (content[2] == 0) != (content[3] == 0)


# --- a folder -------------------------------------------------------------------------------------------------------


@frozen
class Folder:
    """The files below a folder in sorted order, links to other folders, and what could not be entered."""

    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def below(path: str) -> Folder:
    """Return what is below a folder; names that begin with a dot are left out, links to folders are not followed.

    Raises:
      TooLargeError: when it has too many entries.
    """
    found = Folder()
    waiting, seen = [path], 0
    while waiting:
        parent = waiting.pop()
        try:
            with os.scandir(parent) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MOST_ENTRIES:
                        raise TooLargeError(f"too much to read: more than {MOST_ENTRIES} files and folders in it")
                    if not entry.name.startswith("."):
                        _sort(entry, found, waiting)
        except OSError as error:
            message = f"this folder cannot be read: {error.strerror or error}"
            found.problems.append(Problem(parent, 0, "", "", message))
    found.files.sort()
    found.links.sort()
    return found


def _sort(entry: os.DirEntry[str], found: Folder, waiting: list[str]) -> None:
    name = os.path.normpath(entry.path)
    if entry.is_dir(follow_symlinks=False):
        waiting.append(name)
    elif entry.is_dir():
        found.links.append(name)
    elif entry.name.endswith(SUFFIXES):
        found.files.append(name)
