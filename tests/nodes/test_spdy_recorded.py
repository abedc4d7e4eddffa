"""The frames of SPDY/3.1 that kubectl sent, whole, in parts and changed."""

from __future__ import annotations

import contextlib
import random
import struct

from netlab.control_plane.nodes.spdy import DATA, PING, SYN_STREAM, Connection, Frame
from netlab.control_plane.nodes.websocket import ProtocolError

# What kubectl 1.37.2 sent for one request to a forwarded port 80.
RECORDED = bytes.fromhex(
    "800300010000003d0000000100000000000078f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc6461c0c0c0c0590489"
    "c44c50e2663400000000ffff0000000101000000800300010000001800000003000000000000c2aa15540a2512d209000000ffff0000000300"
    "00004f474554202f20485454502f312e310d0a486f73743a203132372e302e302e313a31383038300d0a557365722d4167656e743a20637572"
    "6c2f372e38382e310d0a4163636570743a202a2f2a0d0a0d0a0000000301000000800300060000000400000001"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:18080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"


def decoded(data: bytes) -> list[Frame]:
    return list(Connection().feed(data))


def test_the_frames_of_kubectl_are_read():
    """A stream for errors that kubectl closes at once, one for data, a request, its end, and a ping."""
    assert [
        Frame(SYN_STREAM, 1, headers={"streamtype": "error", "port": "80", "requestid": "0"}),
        Frame(DATA, 1, final=True),
        Frame(SYN_STREAM, 3, headers={"streamtype": "data", "port": "80", "requestid": "0"}),
        Frame(DATA, 3, REQUEST),
        Frame(DATA, 3, final=True),
        Frame(PING, 0, struct.pack(">I", 1)),
    ] == decoded(RECORDED)


def test_bytes_may_come_in_any_parts():
    """kubectl sends a frame as many messages."""
    draw, frames, at = random.Random(1), Connection(), 0  # noqa: S311
    found: list[Frame] = []
    while at < len(RECORDED):
        size = draw.randrange(1, 9)
        found += frames.feed(RECORDED[at : at + size])
        at += size

    assert decoded(RECORDED) == found


def test_random_bytes_are_read_or_refused():
    """No other error comes of them."""
    draw = random.Random(2)  # noqa: S311
    for _ in range(2000):
        changed = bytearray(RECORDED)
        for _ in range(draw.randrange(1, 4)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        with contextlib.suppress(ProtocolError):
            assert len(decoded(bytes(changed))) < len(RECORDED)
