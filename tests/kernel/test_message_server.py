"""A server of messages: UDP and TCP, several messages in a connection, and clients that misbehave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from netlab.kernel import message_server
from netlab.kernel.message_server import MessageServer

LONG = 10_000


class Running:
    """A server that answers each message with its reverse; ``b"bad"`` raises an error."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.server = MessageServer([self.port], self.answer, self.errors.append)
        self.stopping = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def answer(self, message: bytes, stream: bool) -> bytes:
        if message == b"bad":
            raise ValueError(message)
        return message[::-1] * (LONG if message == b"long" else 1)

    def run(self) -> None:
        while not self.stopping:
            self.server.turn(0.01)

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection((host, self.port), timeout=5)


@pytest.fixture
def running() -> Iterator[Running]:
    found = Running()
    yield found
    found.stopping = True
    found.thread.join()
    found.server.close()


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(2) + one for one in messages)


def received(sock: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length and (more := sock.recv(65536)):
        found += more
    return found


def exchanged(sock: socket.socket, *messages: bytes) -> bytes:
    sock.sendall(framed(*messages))
    return received(sock, len(framed(*messages)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_protocols_answer_in_both_families(running: Running, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock, running.connect(host) as stream:
        sock.settimeout(5)
        # Connected: an answer from another address would not arrive.
        sock.connect((host, running.port))
        sock.send(b"abc")

        assert b"cba" == sock.recv(100)
        assert framed(b"fed") == exchanged(stream, b"def")


def test_an_answer_comes_from_the_address_that_was_asked(running: Running) -> None:
    """With several addresses, the machine might choose another one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(b"abc", ("127.0.0.77", running.port))

        assert (b"cba", ("127.0.0.77", running.port)) == sock.recvfrom(100)


def test_a_connection_has_several_messages_however_they_are_cut(running: Running) -> None:
    with running.connect() as sock:
        assert framed(b"a", b"cb") == exchanged(sock, b"a", b"bc")
        for byte in framed(b"xyz"):
            sock.sendall(bytes((byte,)))
        assert framed(b"zyx") == received(sock, 5)


def test_an_error_closes_its_connection_only(running: Running) -> None:
    with running.connect() as first, running.connect() as second:
        first.sendall(framed(b"bad"))

        assert b"" == received(first, 1)
        assert framed(b"ba") == exchanged(second, b"ab")
    assert ["ValueError"] == [type(error).__name__ for error in running.errors]


def test_an_error_over_udp_ends_nothing(running: Running) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", running.port))
        sock.send(b"bad")
        sock.send(b"ab")

        assert b"ba" == sock.recv(100)


def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection replaces the one that was silent for the longest time."""
    monkeypatch.setattr(message_server, "_CONNECTIONS", 3)
    socks = [running.connect() for _ in range(3)]
    try:
        for sock in socks:
            exchanged(sock, b"ab")
        socks.append(running.connect())
        assert framed(b"ba") == exchanged(socks[3], b"ab")
        assert b"" == received(socks[0], 1)
        assert framed(b"ba") == exchanged(socks[1], b"ab")
    finally:
        for sock in socks:
            sock.close()


def test_a_silent_connection_is_closed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_server, "_IDLE", 0.05)
    with running.connect() as sock:
        sock.sendall(b"\x00")
        assert b"" == received(sock, 1)


def test_a_client_that_reads_nothing_fills_no_memory(running: Running) -> None:
    """The server reads its messages only while there is room for answers. When it reads, it gets all of them."""
    with running.connect() as sock:
        sock.sendall(framed(*[b"long"] * 200))
        with running.connect() as other:
            assert framed(b"ba") == exchanged(other, b"ab")
        assert framed(*[b"gnol" * LONG] * 200) == received(sock, 200 * (2 + 4 * LONG))


def test_random_bytes_end_nothing(running: Running) -> None:
    for seed in range(20):
        with running.connect() as sock:
            sock.sendall(bytes((seed * i) % 256 for i in range(200)))
    with running.connect() as sock:
        assert framed(b"ba") == exchanged(sock, b"ab")
