"""Everything that netlab raises on purpose, as one tree.

* NetlabError
  + InputError            what the user wrote is wrong; exit 2; carries every problem at once
  + UsageError            what the user asked for does not exist or does not fit; exit 2
    - DamagedRecord       a lab cannot be used, as its record cannot be; says how to remove it
  + HostError             this host cannot do it; exit 3; carries the way out
  + KernelError           the kernel or nft refused an operation; exit 3; has .errno and .operation
    - AlreadyExists
    - NotFound
"""

from __future__ import annotations

import errno as _errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from netlab.frozen import frozen

__all__ = [
    "AlreadyExists",
    "DamagedRecord",
    "HostError",
    "InputError",
    "KernelError",
    "NetlabError",
    "NotFound",
    "Problem",
    "UsageError",
    "in_order",
    "printable",
    "together",
    "way_out",
]


def printable(text: str) -> str:
    """Return a text as one line of printable characters: all others are escaped, as Python escapes them.

    Others are line breaks, control characters, the marks that turn the direction of text, invisible characters, and
    the bytes of a file's name that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@frozen
class Problem:
    """One thing that is wrong (or, as a warning, surely not meant) in what the user wrote.

    Prints as one line, ``FILE:LINE: KIND NAMESPACE/NAME: field.path: what is wrong``; parts that are not known are left
    out. The fields are as they were written, the line is ``printable``.
    ``rule`` names the check that found a warning, and stays as it is from version to version. Warnings of one check
    with the same ``together`` are told in one line where there is little room; "" is told alone.
    """

    file: str
    line: int
    path: str
    object: str
    message: str
    severity: Literal["error", "warning"] = "error"
    rule: str = ""
    together: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return printable(": ".join(part for part in (where, self.object, self.path, self.message) if part))


def in_order(problems: Iterable[Problem], files: Sequence[str] = ()) -> list[Problem]:
    """Return problems once each: by file, those of ``files`` first and in their order, then by line."""
    once = list(dict.fromkeys(problems))
    place = {file: at for at, file in enumerate(dict.fromkeys((*files, *(p.file for p in once))))}
    return sorted(once, key=lambda p: (place[p.file], p.line))


def together(problems: Iterable[Problem], apart: Callable[[Problem], bool] | None = None) -> Iterator[Problem]:
    """Yield problems, those that are told together as the first of them with the number of the others.

    ``apart`` says which are told one by one all the same.
    """
    found: dict[tuple[str, ...], list[Problem]] = {}
    for number, one in enumerate(problems):
        alone = not one.together or (apart is not None and apart(one))
        found.setdefault((str(number),) if alone else (one.rule, one.together), []).append(one)
    for first, *more in found.values():
        yield replace(first, object=f"{first.object} and {len(more)} more") if more else first


_WAYS_OUT = {
    _errno.EMFILE: "allow more open files: ulimit -n 65536",
    _errno.ENFILE: "this host has no more open files to give: sudo sysctl -w fs.file-max=1000000",
    _errno.EAGAIN: "allow more processes: ulimit -u 4096",
}


def way_out(number: int | None) -> str:
    """Say what to do where the kernel refuses for a limit, by its error number; "" where nothing is known."""
    return _WAYS_OUT.get(number or 0, "")


class NetlabError(Exception):
    """Base of every error that netlab raises on purpose."""

    exit_code = 1


class InputError(NetlabError):
    """What the user wrote is wrong; nothing was built."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(NetlabError):
    """What the user asked for does not exist or does not fit what runs; each message is a line of its own."""

    exit_code = 2

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)

    def __str__(self) -> str:
        return "\n".join(self.args)


class DamagedRecord(UsageError):
    """A lab's record cannot be used, so neither can the lab."""

    def __init__(self, lab: str, why: str) -> None:
        self.lab = lab
        self.why = why
        super().__init__(f"lab {lab}: its record cannot be used: {why}; remove the lab with: netlab down {lab}")


class HostError(NetlabError):
    """This host cannot do what was asked: a privilege, a kernel feature or a program is missing."""

    exit_code = 3

    def __init__(self, what: str, fix: str = "") -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what}; {fix}" if fix else what)


class KernelError(NetlabError):
    """The kernel (by netlink or a system call) or nft refused an operation."""

    exit_code = 3

    def __init__(self, operation: str, errno: int, detail: str = "") -> None:
        self.operation = operation
        self.errno = errno
        text = detail or (os.strerror(errno) if errno else "refused")
        fix = way_out(errno)
        super().__init__(f"{operation}: {text}; {fix}" if fix else f"{operation}: {text}")

    @classmethod
    def of(cls, operation: str, errno: int, detail: str = "") -> KernelError:
        """Return the error of the class that fits ``errno``."""
        if errno == _errno.EEXIST:
            return AlreadyExists(operation, errno, detail)
        if errno in (_errno.ENOENT, _errno.ENODEV, _errno.ESRCH):
            return NotFound(operation, errno, detail)
        return cls(operation, errno, detail)


class AlreadyExists(KernelError):
    """The kernel object is already there."""


class NotFound(KernelError):
    """The kernel object is not there."""
