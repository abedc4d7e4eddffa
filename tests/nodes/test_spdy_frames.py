"""Frames of SPDY/3.1: those that kubectl sent, and broken ones."""

from __future__ import annotations

import contextlib
import random
import struct
import zlib

import pytest

from netlab.control_plane.nodes.spdy_frames import (
    DICTIONARY,
    FIN,
    PING,
    RST_STREAM,
    SYN_REPLY,
    SYN_STREAM,
    Decoder,
    Encoder,
    Frame,
    SpdyError,
)

# What kubectl 1.37.2 sent for one request to a forwarded port 80.
RECORDED = bytes.fromhex(
    "800300010000003d0000000100000000000078f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc6461c0c0c0c0590489"
    "c44c50e2663400000000ffff0000000101000000800300010000001800000003000000000000c2aa15540a2512d209000000ffff0000000300"
    "00004f474554202f20485454502f312e310d0a486f73743a203132372e302e302e313a31383038300d0a557365722d4167656e743a20637572"
    "6c2f372e38382e310d0a4163636570743a202a2f2a0d0a0d0a0000000301000000800300060000000400000001"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:18080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"


def decoded(data: bytes) -> list[Frame]:
    return list(Decoder().feed(data))


def test_the_frames_of_kubectl_are_read():
    """A stream for errors that kubectl closes at once, one for data, a request, its end, and a ping."""
    assert [
        Frame(SYN_STREAM, 1, 0, {"streamtype": "error", "port": "80", "requestid": "0"}),
        Frame(0, 1, FIN),
        Frame(SYN_STREAM, 3, 0, {"streamtype": "data", "port": "80", "requestid": "0"}),
        Frame(0, 3, 0, data=REQUEST),
        Frame(0, 3, FIN),
        Frame(PING, 1),
    ] == decoded(RECORDED)


def test_bytes_may_come_in_any_parts():
    """kubectl sends a frame as many messages."""
    draw, decoder, at = random.Random(1), Decoder(), 0  # noqa: S311
    found: list[Frame] = []
    while at < len(RECORDED):
        size = draw.randrange(1, 9)
        found += decoder.feed(RECORDED[at : at + size])
        at += size

    assert decoded(RECORDED) == found


def test_what_is_written_can_be_read():
    """Each frame that netlab sends, as a client reads it."""
    encoder = Encoder()
    data = b"".join(
        (
            encoder.syn_reply(1),
            encoder.data(1, b"hello"),
            encoder.rst_stream(3, 5),
            encoder.ping(7),
            encoder.syn_reply(5),
        )
    )

    assert [
        Frame(SYN_REPLY, 1),
        Frame(0, 1, data=b"hello"),
        Frame(RST_STREAM, 3, data=struct.pack(">I", 5)),
        Frame(PING, 7),
        Frame(SYN_REPLY, 5),
    ] == decoded(data)


def test_the_dictionary_is_that_of_the_standard():
    """Its checksum is in the first header of every client."""
    assert 0xE3C6A7C2 == zlib.adler32(DICTIONARY)
    assert RECORDED[20:24] == zlib.adler32(DICTIONARY).to_bytes(4, "big")


def test_unknown_frames_and_settings_are_left_out():
    """Clients may send windows and settings that netlab does not use."""
    settings = struct.pack(">HHI", 0x8003, 4, 4) + struct.pack(">I", 0)
    window = struct.pack(">HHI", 0x8003, 9, 8) + struct.pack(">II", 1, 100)

    assert [Frame(0, 1, data=b"x")] == decoded(settings + window + Encoder().data(1, b"x"))


def _bomb() -> bytes:
    """Return headers of ten megabytes in a few kilobytes."""
    packed = zlib.compressobj(zdict=DICTIONARY)
    body = packed.compress(struct.pack(">II", 1, 10 << 20) + bytes(10 << 20)) + packed.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack(">HHI", 0x8003, SYN_STREAM, 10 + len(body)) + struct.pack(">IIH", 1, 0, 0) + body


def _headers(plain: bytes) -> bytes:
    packed = zlib.compressobj(zdict=DICTIONARY)
    body = packed.compress(plain) + packed.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack(">HHI", 0x8003, SYN_STREAM, 10 + len(body)) + struct.pack(">IIH", 1, 0, 0) + body


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack(">II", 1, 0xFFFFFF), "a frame has 16777215 bytes"),
        (struct.pack(">HHI", 0x8002, 1, 0), "version 2"),
        (struct.pack(">HHI", 0x8003, SYN_STREAM, 2) + b"xx", "a frame of type 1 is too short"),
        (struct.pack(">HHI", 0x8003, RST_STREAM, 0), "a frame of type 3 is too short"),
        (struct.pack(">HHI", 0x8003, SYN_STREAM, 14) + bytes(10) + b"oops", "headers: "),
        (_bomb(), "headers are too large"),
        (_headers(struct.pack(">I", 1 << 30)), "1073741824 headers"),
        (_headers(struct.pack(">II", 1, 100) + b"short"), "headers are cut off"),
        (_headers(b"\0"), "headers are cut off"),
    ],
    ids=["frame", "version", "syn", "reset", "zlib", "bomb", "count", "name", "empty"],
)
def test_broken_and_too_large_frames_end_the_connection(data, message):
    """A client takes no memory without bound."""
    with pytest.raises(SpdyError, match=f"^{message}"):
        decoded(data)


def test_random_bytes_are_read_or_refused():
    """No other error comes of them."""
    draw = random.Random(2)  # noqa: S311
    for _ in range(2000):
        changed = bytearray(RECORDED)
        for _ in range(draw.randrange(1, 4)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        with contextlib.suppress(SpdyError):
            assert len(decoded(bytes(changed))) < len(RECORDED)
