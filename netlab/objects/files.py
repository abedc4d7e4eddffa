"""Reading files that users name: regular files and pipes only, folders without links, within the limits."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import field
from typing import IO, Any

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.bounds import MOST_ENTRIES, Budget, TooLargeError
from netlab.patterns import pattern

SUFFIXES = (".yaml", ".yml", ".json")
# O_NONBLOCK: a pipe without a writer does not block. O_NOCTTY: a terminal does not become the controlling one.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
# UTF-32 before UTF-16, whose byte order mark is the beginning of the other one.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_INNER_MARK = pattern("^\ufeff+", re.MULTILINE)


class UnreadableError(Exception):
    """A file cannot be read; ``line`` is the line of the error, 0 if it is none of a line."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.line = line
        super().__init__(message)


# --- where a scenario may read --------------------------------------------------------------------------------------


def home_of(file: str) -> str:
    """Return the folder that files named in a file must be in: the file's repository, or else the file's folder."""
    folder = parent = os.path.realpath(os.path.dirname(file) or ".")
    while not os.path.lexists(os.path.join(parent, ".git")):
        if parent == os.path.dirname(parent):
            return folder
        parent = os.path.dirname(parent)
    return parent


def is_inside(path: str, home: str) -> bool:
    """Say whether a path is in a folder, after links are resolved. The path need not exist."""
    return os.path.commonpath((os.path.realpath(path), home)) == home


# --- one file -------------------------------------------------------------------------------------------------------


def text_of(path: str, budget: Budget, *, pipes: bool = True, home: str = "") -> str:
    """Return the text of a file. ``home`` is the folder that it must be in, "" for any; ``pipes`` allows pipes.

    Raises:
      UnreadableError: if it cannot be read, is no regular file, is outside of ``home``, or is no text.
      TooLargeError: if it exceeds the budget.
    """
    if home and not is_inside(path, home):
        raise UnreadableError(outside(home))
    try:
        content = _content(os.path.realpath(path) if home else path, budget, pipes, os.O_NOFOLLOW if home else 0)
    except FileNotFoundError as error:
        raise UnreadableError(_no_file(path) or error.strerror or str(error)) from None
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except ValueError:
        raise UnreadableError("not a file name") from None
    return decoded(content)


def _no_file(path: str) -> str:
    """Return what to say of a missing file whose name is probably a mistake, "" for another."""
    if not path:
        return "the name of a file is empty"
    if "://" in path:
        return "netlab reads no URLs; fetch it first: curl -fsSL URL | netlab check -f -"
    return ""


def outside(home: str) -> str:
    """Return the message about a path outside of a folder. It does not depend on what is at the path."""
    return (
        f"is outside of {home}; a scenario reads nothing outside of its git repository, or without one its folder,"
        " unless it is run with --allow-outside (pytest: --netlab-allow-outside)"
    )


def _content(path: str, budget: Budget, pipes: bool, flags: int) -> bytes:
    # Check the type before open: to open some devices has an effect.
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
        raise UnreadableError("is not a regular file, or changed during reading")
    return content


def _check_kind(status: os.stat_result, pipes: bool) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG and not (pipes and kind == stat.S_IFIFO):
        raise UnreadableError(f"is {_KINDS.get(kind, 'something else')}, not a file")


def _all_of(file: IO[bytes], budget: Budget) -> bytes:
    """Return all bytes of a pipe; raise TooLargeError as soon as there are too many."""
    budget.take_file(0)
    parts = []
    while part := file.read(_CHUNK):
        budget.take_more(len(part))
        parts.append(part)
    return b"".join(parts)


def standard_input(stdin: IO[Any] | None, budget: Budget) -> str:
    """Return the text of standard input.

    Raises:
      UnreadableError, TooLargeError: as ``text_of`` does.
    """
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
    """Return the text of bytes in UTF-8, or in the encoding of their byte order mark.

    Byte order marks at the beginning of lines are removed: concatenated files have them.

    Raises:
      UnreadableError: if the bytes are not in that encoding. It has the line.
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
    """Say whether the bytes look like ASCII characters in UTF-16."""
    return len(content) > 3 and (content[0] == 0) != (content[1] == 0) and (content[2] == 0) != (content[3] == 0)


# --- a folder -------------------------------------------------------------------------------------------------------


@frozen
class Folder:
    """The files below a folder, sorted; links to folders; and a problem for each folder that cannot be read.

    ``submodules`` has the folders of a git revision that are other repositories.
    """

    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def below(path: str) -> Folder:
    """Return the files below a folder. Names that begin with a dot are left out. Links to folders are not followed.

    Raises:
      TooLargeError: if there are too many entries.
    """
    found = Folder()
    folders, seen = [path], 0
    while folders:
        parent = folders.pop()
        try:
            with os.scandir(parent) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MOST_ENTRIES:
                        raise TooLargeError(f"too much to read: more than {MOST_ENTRIES} files and folders in it")
                    if not entry.name.startswith("."):
                        _add_entry(entry, found, folders)
        except OSError as error:
            message = f"this folder cannot be read: {error.strerror or error}"
            found.problems.append(Problem(parent, 0, "", "", message))
    found.files.sort()
    found.links.sort()
    return found


def _add_entry(entry: os.DirEntry[str], found: Folder, folders: list[str]) -> None:
    name = os.path.normpath(entry.path)
    if entry.is_dir(follow_symlinks=False):
        folders.append(name)
    elif _leads_to_folder(entry):
        found.links.append(name)
    elif entry.name.endswith(SUFFIXES):
        found.files.append(name)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a link to a folder; not if the link leads nowhere, or where netlab may not look."""
    try:
        return entry.is_dir()
    except OSError:
        return False


# --- several paths --------------------------------------------------------------------------------------------------


def each_once(paths: Sequence[str]) -> list[str]:
    """Return the paths without those that a later one repeats: of two objects with one name the last counts."""
    last = {identity(path): number for number, path in enumerate(paths)}
    return [path for number, path in enumerate(paths) if last[identity(path)] == number]


def identity(path: str) -> object:
    """Return a value that two paths share if they lead to one file or folder. ``-`` and what is not there is itself."""
    try:
        status = os.stat(path) if path != "-" else None
    except (OSError, ValueError):
        status = None
    return path if status is None else (status.st_dev, status.st_ino)
