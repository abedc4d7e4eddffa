"""What programs of containers print: kept with the time of each line, bounded, until the pod is gone.

Source: Kubernetes, the format of logs of the container runtime interface: time, stream, F or P, and the line.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from netlab.errors import HostError
from netlab.frozen import NamedTuple

_MOST, _LONGEST_LINE = 1 << 20, 16 << 10
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# A line of two bytes becomes one of fifty, and what is read at a time has to fit in half of a log.
_CHUNK, _CHUNKS_OF_PIPE = 1 << 13, 16
_SECOND = 10**9


class Wishes(NamedTuple):
    """What ``kubectl logs`` asks for; -1 stands for no limit, and ``since`` is a time in nanoseconds."""

    tail: int = -1
    timestamps: bool = False
    since: int = 0
    limit: int = -1


class Log:
    """The output of one run of a container's program."""

    def __init__(self, path: Path) -> None:
        """Begin a new log; that of the run before is kept beside it. Raises HostError."""
        self._path, self._lock = path, threading.Lock()
        self._partial: dict[str, bytes] = {}
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path.replace(path.with_suffix(".previous"))
            self._open()
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o600)
        self._size = 0

    def read_from(self, fd: int, stream: str) -> bool:
        """Take what a descriptor that does not block has; return False at its end."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.add(data, stream)
        return bool(data)

    def read_all_from(self, fd: int, stream: str) -> None:
        """Take what a descriptor that does not block has now, and no more than a pipe holds."""
        with contextlib.suppress(OSError):
            for _ in range(_CHUNKS_OF_PIPE):
                if not (data := os.read(fd, _CHUNK)):
                    return
                self.add(data, stream)

    def add(self, data: bytes, stream: str) -> None:
        """Add output of a stream, ``stdout`` or ``stderr``; b"" is its end."""
        now = stamp(time.time_ns())
        with self._lock:
            *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
            head = f"{now} {stream} "
            full, part = f"{head}F ".encode(), f"{head}P ".encode()
            found = [full + line + b"\n" for line in lines]
            if rest and (not data or len(rest) > _LONGEST_LINE):
                found.append((part if data else full) + rest + b"\n")
            elif rest:
                self._partial[stream] = rest
            self._write(b"".join(found))

    def close(self) -> None:
        """Write nothing more."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        if self._fd < 0 or not data:
            return
        try:
            if self._size + len(data) > _MOST:
                self._halve()
            os.write(self._fd, data)
            self._size += len(data)
        except OSError:
            # The disk is full. The program goes on.
            return

    def _halve(self) -> None:
        """Keep the newer half of the log."""
        kept = self._path.read_bytes()[-_MOST // 2 :]
        os.close(self._fd)
        self._fd = -1
        self._path.unlink(missing_ok=True)
        self._open()
        os.write(self._fd, kept.partition(b"\n")[2])
        self._size = len(kept)


class Logs:
    """The logs of a lab's pods, in a folder that user root alone can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)

    def begin(self, uid: str, container: str) -> Log:
        """Begin the log of a new run of a container; raises HostError."""
        return Log(self._path(uid, container))

    def forget(self, uid: str) -> None:
        """Remove the logs of a pod that is gone."""
        if _NAME.fullmatch(uid):
            shutil.rmtree(self._folder / uid, ignore_errors=True)

    def read(self, uid: str, container: str, *, previous: bool = False) -> bytes:
        """Return the log of a container's run, or of the run before; b"" where there is none."""
        path = self._path(uid, container)
        try:
            return (path.with_suffix(".previous") if previous else path).read_bytes()
        except OSError:
            return b""

    def follow(self, uid: str, container: str) -> Follower:
        """Return what reads the log of a container as it grows, over all runs."""
        return Follower(self._path(uid, container))

    def _path(self, uid: str, container: str) -> Path:
        if not _NAME.fullmatch(uid) or not _NAME.fullmatch(container):
            raise HostError(f"{container!r} is no name of a container")
        return self._folder / uid / f"{container}.log"


class Follower:
    """Reads a log as it grows; a log that was cut or begun anew is read on. Leaving its block closes the file.

    The file stays open, so its last lines are read although a new run has its name, or the pod is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._part = b""
        # The time of the last line, and whether lines up to then are left out: a cut log has them once more.
        self._last, self._skips = b"", False

    def new(self) -> bytes:
        """Return the whole lines that came since the last call."""
        lines = self._lines()
        try:
            file = open(self._path, "rb")  # noqa: SIM115  it stays open
        except OSError:
            return lines
        if self._file is not None and os.path.sameopenfile(file.fileno(), self._file.fileno()):
            file.close()
            return lines
        # What came into the old file until it lost its name.
        lines += self._lines()
        self.close()
        self._file, self._part, self._skips = file, b"", bool(self._last)
        return lines + self._lines()

    def _lines(self) -> bytes:
        if self._file is None:
            return b""
        whole, end, self._part = (self._part + self._file.read()).rpartition(b"\n")
        lines = (whole + end).splitlines(keepends=True)
        if self._skips and lines:
            lines = [line for line in lines if _time(line) > self._last]
            self._skips = not lines
        if lines:
            self._last = _time(lines[-1])
        return b"".join(lines)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _time(line: bytes) -> bytes:
    return line.partition(b" ")[0]


def stamp(nanoseconds: int) -> str:
    """Return a time as logs have it."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z"


def wishes_of(query: Mapping[str, Sequence[str]], now: int) -> Wishes:
    """Return what a request for logs asks for; raises ValueError."""

    def first(name: str) -> str:
        return next(iter(query.get(name) or ()), "")

    since = 0
    if seconds := first("sinceSeconds"):
        since = now - int(seconds) * _SECOND
    elif moment := first("sinceTime"):
        since = (
            int((datetime.fromisoformat(moment) - datetime.fromtimestamp(0, UTC)) / timedelta(microseconds=1)) * 1000
        )
    return Wishes(
        int(first("tailLines") or -1), first("timestamps") in ("true", "1"), since, int(first("limitBytes") or -1)
    )


def shown(log: bytes, wishes: Wishes) -> bytes:
    """Return what a client sees of a log."""
    lines = list(_lines(log, wishes))
    if wishes.tail >= 0:
        lines = lines[len(lines) - min(wishes.tail, len(lines)) :]
    text = b"".join(lines)
    return text[: wishes.limit] if wishes.limit >= 0 else text


def _lines(log: bytes, wishes: Wishes) -> Iterator[bytes]:
    since = stamp(wishes.since).encode() if wishes.since > 0 else b""
    for line in log.splitlines(keepends=True):
        when, _, rest = line.partition(b" ")
        _, _, rest = rest.partition(b" ")
        kind, _, text = rest.partition(b" ")
        if when >= since:
            text = text if kind == b"F" else text.removesuffix(b"\n")
            yield (when + b" " if wishes.timestamps else b"") + text
