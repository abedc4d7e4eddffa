"""The exceptions that netlab raises on purpose.

* NetlabError
  + InputError            the input has errors; exit 2; carries all problems
  + UsageError            a name or option of the user does not exist or does not fit; exit 2
    - DamagedRecord       the record of a lab cannot be used; says how to remove the lab
  + HostError             this host cannot do it; exit 3; says what to do
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
    """Return a text with every character that is not printable escaped, as Python escapes it.

    These are line breaks, control characters, marks of text direction, invisible characters, and the bytes of a file
    name that are not UTF-8. The result is one line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@frozen
class Problem:
    """One error in the input, or one warning about correct input that is probably a mistake.

    ``str()`` is one printable line, ``FILE:LINE: KIND NAMESPACE/NAME: field.path: what is wrong``, without the parts
    that are empty (``line``: 0). The attributes are not escaped. ``rule`` is the name of the check that found a
    warning; it does not change between versions. A command that prints few lines prints warnings with the same
    ``rule`` and ``together`` as one line; "" stands for a line of its own. ``servers`` are the first and the last
    version of Kubernetes that say it, until ``objects.versions`` has judged it; None: all.
    """

    file: str
    line: int
    path: str
    object: str
    message: str
    severity: Literal["error", "warning"] = "error"
    rule: str = ""
    together: str = ""
    servers: tuple[int, int] | None = None

    def __str__(self) -> str:
        where = place_text(self.file, self.line)
        return printable(": ".join(part for part in (where, self.object, self.path, self.message) if part))


def place_text(file: str, line: int) -> str:
    """Return ``FILE:LINE``, or the file alone if its line is not known (0)."""
    return f"{file}:{line}" if line else file


def in_order(problems: Iterable[Problem], files: Sequence[str] = ()) -> list[Problem]:
    """Return the problems without duplicates, by file and then by line; the files of ``files`` come first, in order."""
    unique = list(dict.fromkeys(problems))
    place = {file: at for at, file in enumerate(dict.fromkeys((*files, *(p.file for p in unique))))}
    return sorted(unique, key=lambda p: (place[p.file], p.line))


def together(problems: Iterable[Problem], apart: Callable[[Problem], bool] | None = None) -> Iterator[Problem]:
    """Yield problems; of those with the same ``rule`` and ``together`` the first, with the number of the others.

    Problems for which ``apart`` returns true are yielded one by one.
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
    # A namespace lives as long as a process has a socket in it, and a macvlan in it keeps its MAC.
    _errno.EADDRINUSE: "another program, such as a probe whose output waits, may still use a deleted pod's network"
    " namespace; end it and try again",
}


def way_out(number: int | None) -> str:
    """Return what to do about an error number of the kernel, "" for numbers about which nothing is known."""
    return _WAYS_OUT.get(number or 0, "")


class NetlabError(Exception):
    """Base of every error that netlab raises on purpose."""

    exit_code = 1


class InputError(NetlabError):
    """The input has errors; nothing was built. ``problems`` has all of them."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(NetlabError):
    """A name or option of the user does not exist, or does not fit what runs. Each message is one line."""

    exit_code = 2

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)

    def __str__(self) -> str:
        return "\n".join(self.args)


class DamagedRecord(UsageError):
    """The record of a lab cannot be used, so the lab can only be removed."""

    def __init__(self, lab: str, why: str) -> None:
        self.lab = lab
        self.why = why
        super().__init__(f"lab {lab}: its record cannot be used: {why}; remove the lab with: netlab down {lab}")


class HostError(NetlabError):
    """This host lacks a privilege, a kernel feature or a program; ``fix`` says what to do."""

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
