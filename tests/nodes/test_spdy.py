"""SPDY as clients speak it: frames, and the streams of ``exec`` as channels."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import pytest
from nodes.test_remote_command import execute

from netlab.control_plane.nodes import spdy, spdy_channels
from netlab.control_plane.nodes.websocket import ProtocolError

HEADERS = {"streamtype": "stdin", "requestid": "0"}


def test_frames_come_whole_however_their_bytes_are_cut():
    """One byte at a time gives the same frames."""
    client, server = spdy.Connection(), spdy.Connection()
    sent = client.syn_stream(1, HEADERS) + client.syn_stream(3, HEADERS) + spdy.data_frame(1, b"x" * 300, final=True)
    found = [frame for at in range(len(sent)) for frame in server.feed(sent[at : at + 1])]

    assert [
        spdy.Frame(spdy.SYN_STREAM, 1, b"", False, HEADERS),
        spdy.Frame(spdy.SYN_STREAM, 3, b"", False, HEADERS),
        spdy.Frame(spdy.DATA, 1, b"x" * 300, True),
    ] == found


def test_a_stream_that_go_opened_is_read():
    """The bytes are those of github.com/moby/spdystream 0.5.1, which Kubernetes uses: the first stream of an exec."""
    recorded = bytes.fromhex(GO_SYN_STREAM)

    assert [spdy.Frame(spdy.SYN_STREAM, 1, b"", False, {"streamtype": "error"})] == list(
        spdy.Connection().feed(recorded)
    )


GO_SYN_STREAM = "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x80\x03\x00\x01\x00\xff\xff\xff",
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01",
        b"\x80\x03\x00\x03\x00\x00\x00\x02\x00\x01",
        b"\x80\x03\x00\x01\x00\x00\x00\x0c" + b"\x00\x00\x00\x01" + b"x" * 8,
    ],
    ids=["too large", "another version", "too short", "not compressed"],
)
def test_what_is_no_frame_of_spdy_ends_the_connection(sent):
    """Nothing of it is kept."""
    with pytest.raises(ProtocolError):
        list(spdy.Connection().feed(sent))


@pytest.mark.parametrize(
    "plain", [b"", b"\0\0\0\2\0\0\0\1a", b"\0\0\xff\xff", b"\0\0\0\1" + b"\0\0\xff\xff" + b"a" * 65535], ids=len
)
def test_headers_that_are_cut_off_or_too_many_end_the_connection(plain):
    """A small block of zlib may be large when it is unpacked."""
    deflate = zlib.compressobj(zdict=spdy._DICTIONARY)
    body = (1).to_bytes(4, "big") + bytes(6) + deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)

    with pytest.raises(ProtocolError):
        list(spdy.Connection().feed(b"\x80\x03\x00\x01\x00" + len(body).to_bytes(3, "big") + body))


def test_a_request_for_spdy_is_answered_with_the_protocol_that_both_speak():
    """Older protocols send errors as text, which has no exit code."""
    headers = {"upgrade": "SPDY/3.1", "x-stream-protocol-version": "v5.channel.k8s.io, v4.channel.k8s.io"}
    answer = spdy_channels.accept(headers)

    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in answer
    assert spdy_channels.accept({**headers, "x-stream-protocol-version": "channel.k8s.io"}) is None
    assert spdy_channels.accept({**headers, "upgrade": "websocket"}) is None


def test_a_terminal_has_no_stream_of_errors():
    """It has one of sizes instead."""
    assert {3, 1, 2} == spdy_channels.wanted({"output": ["1"], "error": ["1"]})
    assert {3, 0, 1, 4} == spdy_channels.wanted({"input": ["1"], "output": ["1"], "error": ["1"], "tty": ["1"]})


def talk(
    argv: list[str],
    channels: dict[str, int],
    given: bytes = b"",
    after: bytes = b"",
    wanted: set[int] | None = None,
) -> dict[int, bytes]:
    """Run a program over SPDY: open the streams, send input, and return what came on each stream.

    ``wanted`` are the channels that the request asks for, by default those of the streams.
    """
    failures: list[BaseException] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            streams = spdy_channels.Channels(reader, writer)
            kinds = {"error": 3, "stdin": 0, "stdout": 1, "stderr": 2, "resize": 4}
            if await streams.open(wanted or {kinds[name.lower()] for name in channels}):
                await execute(streams, argv)
        except BaseException as error:
            failures.append(error)
        finally:
            writer.close()

    async def main() -> dict[int, bytes]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        client = spdy.Connection()
        for name, stream in channels.items():
            writer.write(client.syn_stream(stream, {"streamType": name.lower()}))
        if "stdin" in channels:
            writer.write(
                spdy.data_frame(channels["stdin"], given) + spdy.data_frame(channels["stdin"], b"", final=True)
            )
        writer.write(after)
        found: dict[int, bytes] = {}
        replies = set()
        while data := await reader.read(1 << 16):
            for frame in client.feed(data):
                if frame.kind == spdy.SYN_REPLY:
                    replies.add(frame.stream)
                elif frame.kind == spdy.DATA:
                    found[frame.stream] = found.get(frame.stream, b"") + frame.data
                elif frame.kind == spdy.PING:
                    found[-1] = frame.data
        writer.close()
        server.close()
        assert replies <= set(channels.values())
        return found

    found = asyncio.run(asyncio.wait_for(main(), 20))
    assert [] == failures
    return found


def test_streams_are_counted_so_a_terminal_may_have_errors_in_place_of_sizes():
    """cyclonus asks for a terminal and for errors, and opens no stream of sizes. The kubelet serves it at once."""
    asked = spdy_channels.wanted({"output": ["1"], "error": ["1"], "tty": ["1"]})
    found = talk(["echo", "hello"], {"error": 1, "stdout": 3, "stderr": 5}, wanted=asked)

    assert b"hello\n" == found[3]
    assert "Success" == json.loads(found[1])["status"]


def test_a_program_has_its_streams_and_its_exit_code():
    """The error stream has a Status, as that of a WebSocket."""
    found = talk(["sh", "-c", "cat; echo err >&2; exit 3"], {"error": 1, "stdin": 3, "stdout": 5, "stderr": 7}, b"in")

    assert (b"in", b"err\n") == (found[5], found[7])
    assert [{"reason": "ExitCode", "message": "3"}] == json.loads(found[1])["details"]["causes"]


def test_output_that_nobody_asked_for_is_left_out():
    """The program runs all the same."""
    found: Any = talk(["sh", "-c", "echo out; echo err >&2"], {"error": 1, "stdout": 3})

    assert {1, 3} == set(found)
    assert "Success" == json.loads(found[1])["status"]


def test_a_ping_is_answered_with_its_number():
    """Clients keep a connection alive by them."""
    ping = b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x09"

    assert b"\0\0\0\x09" == talk(["sleep", "0.3"], {"error": 1, "stdout": 3}, after=ping)[-1]


def test_a_second_stream_of_a_type_ends_the_connection(tmp_path):
    """Which one has the data would be unknown, so nothing runs."""
    mark = tmp_path / "ran"

    assert {} == talk(["touch", str(mark)], {"error": 1, "stdout": 3, "STDOUT": 5, "stdin": 7})
    assert not mark.exists()
