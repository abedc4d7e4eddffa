"""The echo program answers HTTP, TCP and UDP with what it sees."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netlab.programs.echo import HTTP, REQUEST, TCP, UDP, client, listening, main, serve


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """One port of each kind on loopback."""
    with ExitStack() as stack:
        sockets = [(kind, stack.enter_context(listening(kind, 0)), "db-0") for kind in (HTTP, TCP, UDP)]
        stopped = threading.Event()
        thread = threading.Thread(target=serve, args=(sockets, stopped.is_set, 0.01))
        thread.start()
        try:
            yield {kind: one.getsockname()[1] for kind, one, _ in sockets}
        finally:
            stopped.set()
            thread.join()


def _asked(port: int, request: bytes) -> bytes:
    """Return all that a server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def _get(port: int, path: str, more: str = "") -> tuple[str, str]:
    """Return the head and the body of an answer."""
    head, _, body = _asked(
        port, f"GET {path} HTTP/1.1\r\nHost: shop\r\n{more}Connection: close\r\n\r\n".encode()
    ).partition(b"\r\n\r\n")
    return head.decode(), body.decode()


def test_http_answers_any_path_with_what_it_sees(ports):
    """Hostname, client, method, path, host and headers, as JSON."""
    head, body = _get(ports[HTTP], "/cart?x=1", "X-Seen: yes\r\n")
    seen = json.loads(body)

    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert ("db-0", "GET", "/cart?x=1", "shop") == tuple(seen[key] for key in ("hostname", "method", "path", "host"))
    assert seen["client"].startswith("127.0.0.1:")
    assert ["X-Seen", "yes"] in seen["headers"]


@pytest.mark.parametrize(("path", "text"), [("/hostname", "db-0"), ("/echo?msg=a%20b", "a b")])
def test_http_answers_some_paths_with_text(ports, path, text):
    """agnhost netexec has the same paths."""

    assert text == _get(ports[HTTP], path)[1]


def test_http_answers_two_requests_on_one_connection(ports):
    """Both may come in one packet."""
    two = (
        b"GET /hostname HTTP/1.1\r\n\r\nPOST /echo?msg=x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    )

    assert 2 == _asked(ports[HTTP], two).count(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
    ],
)
def test_http_refuses_a_bad_request(ports, request_):
    """It answers 400 and closes the connection."""

    assert _asked(ports[HTTP], request_).startswith(b"HTTP/1.1 400 ")


def test_a_request_without_end_is_cut_off(ports):
    """The connection is closed without an answer."""
    with (
        socket.create_connection(("127.0.0.1", ports[HTTP]), 5) as connection,
        pytest.raises(OSError, match=r"reset|[Bb]roken"),
    ):
        _send_until_refused(connection)


def _send_until_refused(connection: socket.socket) -> None:
    for _ in range(1000):
        connection.sendall(b"x" * REQUEST)


@pytest.mark.parametrize(
    ("sent", "answer"), [(b"hostname\n", b"db-0\n"), (b"echo a b", b"a b"), (b"\x00\xff", b"\x00\xff")]
)
def test_tcp_and_udp_answer_the_same(ports, sent, answer):
    """Commands get their answer, and all else is sent back."""
    with socket.create_connection(("127.0.0.1", ports[TCP]), 5) as connection:
        connection.sendall(sent)
        by_tcp = connection.recv(100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(5)
        datagrams.connect(("127.0.0.1", ports[UDP]))
        datagrams.send(sent)
        by_udp = datagrams.recv(100)

    assert (answer, answer) == (by_tcp, by_udp)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (("10.0.0.1", 5), "10.0.0.1:5"),
        (("::ffff:10.0.0.1", 5, 0, 0), "10.0.0.1:5"),
        (("fd00::1", 5, 0, 0), "[fd00::1]:5"),
    ],
)
def test_a_client_is_an_address_and_a_port(peer, text):
    """An IPv4 client of an IPv6 socket has its IPv4 address."""

    assert text == client(peer)


def test_a_port_in_use_is_one_line(capsys):
    """The status is 1."""
    with listening(TCP, 0) as taken:
        port = taken.getsockname()[1]

        assert 1 == main(["--tcp", str(port)])
    assert f"tcp port {port}: Address already in use\n" == capsys.readouterr().err


def test_it_ends_after_its_seconds():
    """The status is 0."""
    with listening(TCP, 0) as found:
        port = found.getsockname()[1]

    assert 0 == main(["--tcp", str(port), "--seconds", "0"])


@pytest.mark.parametrize("wrong", [["--http"], ["--http", "x"], ["--nosuch", "1"], ["--help"]])
def test_wrong_arguments_print_the_usage(wrong, capsys):
    """The status is 2."""

    assert 2 == main(wrong)
    assert "usage: python -m netlab.programs.echo " in capsys.readouterr().err
