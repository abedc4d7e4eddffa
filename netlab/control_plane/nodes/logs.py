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
    """Reads a log as it grows; a log that was cut or begun anew is read on."""

    def __init__(self, path: Path) -> None:
        self._path, self._file, self._at, self._last = path, 0, 0, b""

    def new(self) -> bytes:
        """Return the whole lines that came since the last call."""
        try:
            with open(self._path, "rb") as file:
                number = os.fstat(file.fileno()).st_ino
                same = number == self._file
                file.seek(self._at if same else 0)
                data = file.read()
        except OSError:
            return b""
        whole = data[: data.rfind(b"\n") + 1]
        self._at = (self._at if same else 0) + len(whole)
        self._file = number
        lines = whole.splitlines(keepends=True)
        if not same and self._last:
            lines = [line for line in lines if line.partition(b" ")[0] > self._last]
        if lines:
            self._last = lines[-1].partition(b" ")[0]
        return b"".join(lines)


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
