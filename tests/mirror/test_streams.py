"""The frames of watches: whole, in order, within limits; and the process that writes them."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror.watched_server import WatchedServer

from netlab.errors import HostError
from netlab.kernel.kube_streams import MOST_LINE, Frame, Frames
from netlab.sources.cluster import opened

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@pytest.fixture
def pipe() -> Iterator[tuple[Frames, int]]:
    """Return frames, and the descriptor by which they come."""
    fd, to = os.pipe()
    yield Frames(fd), to
    os.close(fd)
    os.close(to)


def head(**fields: object) -> bytes:
    return json.dumps({"watch": 1, "event": "line", **fields}).encode() + b"\n"


def test_frames_come_whole_and_in_order(pipe: tuple[Frames, int]) -> None:
    """Also those whose bytes come one by one, and those of a size that no pipe holds."""
    frames, to = pipe
    large = b"x" * (1 << 20)
    sent = head(event="open", status=200) + head(size=3) + b"a\nb" + head(size=len(large)) + large + head(event="end")

    def write() -> None:
        for at in range(40):
            os.write(to, sent[at : at + 1])
        rest = memoryview(sent)[40:]
        while rest:
            rest = rest[os.write(to, rest) :]

    writer = threading.Thread(target=write)
    writer.start()
    found: list[Frame] = []
    while len(found) < 4:
        found += frames.read(5)
    writer.join()

    assert [("open", b""), ("line", b"a\nb"), ("line", large), ("end", b"")] == [(f.event, f.body) for f in found]
    assert [] == frames.read(0)


@pytest.mark.parametrize(
    "written",
    [
        b"no JSON\n",
        b"[]\n",
        head(event="odd"),
        head(size=-1),
        head(size=MOST_LINE + 1),
        head(size="3"),
        head(watch="1"),
        head(status=[]),
        head(more=1),
        b"x" * (1 << 15),
    ],
)
def test_what_is_no_frame_is_refused(pipe: tuple[Frames, int], written: bytes) -> None:
    """The process is that of a user, so netlab as root trusts nothing of it."""
    frames, to = pipe
    os.write(to, written)

    with pytest.raises(HostError, match="wrote something else"):
        frames.read(1)


def test_the_end_of_the_process_is_an_error() -> None:
    """And no silence for ever."""
    fd, to = os.pipe()
    os.close(to)
    with pytest.raises(HostError, match="the process that watches the API server ended"):
        Frames(fd).read(5)
    os.close(fd)


def test_a_closed_connection_does_not_end_the_process(server: WatchedServer) -> None:
    """OpenSSL may write to one; SIGPIPE is ignored there."""
    with opened("cluster:", watches=True) as process:
        status = Path(f"/proc/{process._pid}/status").read_text()
        ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)

    assert ignored >> (signal.SIGPIPE - 1) & 1
