"""The kernel's counters of packets that it dropped for lack of space; one of them may be a probe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

# /proc/net shows the namespace of the process's first thread; this path shows the calling thread's.
_PROC = "/proc/thread-self/net"
_ROOM = 1 << 16


class Counters:
    """Counters of the host's receive backlog and of the connection tables of nodes.

    Each file is opened once, inside its namespace, and can be read from any namespace.
    """

    def __init__(self) -> None:
        self._backlog = _opened(f"{_PROC}/softnet_stat")
        self._tables: dict[str, int] = {}

    def watch(self, namespace: str) -> None:
        """Count the drops of a namespace's connection table from now on; the calling thread is inside."""
        if namespace not in self._tables:
            self._tables[namespace] = _opened(f"{_PROC}/stat/nf_conntrack")

    def read(self) -> dict[str, int]:
        """Return the counters, each by a sentence that is true if the counter grows."""
        counts = {"the host's receive backlog overflowed": softnet_drops(_text(self._backlog))}
        for namespace, fd in self._tables.items():
            counts[f"the connection table of {namespace} dropped packets"] = conntrack_drops(_text(fd))
        return counts

    def close(self) -> None:
        for fd in (self._backlog, *self._tables.values()):
            if fd >= 0:
                os.close(fd)


def softnet_drops(text: str) -> int:
    """Return the sum of the dropped packets, the second column of /proc/net/softnet_stat, of all processors."""
    return sum(int(line.split()[1], 16) for line in text.splitlines())


def conntrack_drops(text: str) -> int:
    """Return the sum of ``drop`` and ``insert_failed`` of /proc/net/stat/nf_conntrack of all processors."""
    lines = text.splitlines()
    if not lines:
        return 0
    names = lines[0].split()
    columns = [names.index(name) for name in ("drop", "insert_failed") if name in names]
    return sum(int(cells[column], 16) for cells in map(str.split, lines[1:]) for column in columns)


def grown(before: dict[str, int], after: dict[str, int]) -> Sequence[str]:
    """Return the sentences of the counters that grew."""
    return [words for words, count in after.items() if count > before.get(words, 0)]


def _opened(path: str) -> int:
    """Open a file to read; return -1 where this kernel does not have it."""
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return -1


def _text(fd: int) -> str:
    return os.pread(fd, _ROOM, 0).decode() if fd >= 0 else ""
