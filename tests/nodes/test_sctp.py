"""SCTP in user space, in place of a kernel's: its packets, and a request with its answer over them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from netlab.programs.agnhost import sctp

_SERVE_AND_ASK = """
import socket, sys
from netlab.programs.agnhost import connect, sctp, sockets
from netlab.programs.agnhost.sockets import accept_forever, in_thread, listen
# The kernel may have SCTP: then this module would not be used.
for family in (socket.AF_INET, socket.AF_INET6):
    sctp._raw[family] = socket.socket(family, socket.SOCK_RAW, sctp.PROTOCOL)
sctp._raw[socket.AF_INET6].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
in_thread(accept_forever, listen("sctp", 95), lambda made, client: made.sendall(made.recv(100).upper()))
for host in ("127.0.0.1", "::1"):
    with sctp.open_socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as made:
        made.settimeout(3)
        made.connect((host, 95))
        made.send(b"one")
        print(host, made.recv(100).decode())
in_thread(accept_forever, listen("sctp", 97), lambda made, client: made.sendall(b"bye"))
print({connect.main(["127.0.0.1:97", "--timeout=3s", "--protocol=sctp"]) for _ in range(100)})
print(connect.main(["127.0.0.1:95", "--timeout=3s", "--protocol=sctp"]))
print(connect.main(["127.0.0.1:96", "--timeout=1s", "--protocol=sctp"]))
"""


def test_the_checksum_is_crc32c():
    """The value of the test vector in RFC 3720, B.4: 32 bytes of zero."""
    assert 0x8A9136AA == sctp._checksum(bytes(32))


def test_chunks_that_say_a_wrong_length_are_left_out():
    """The rest of the packet is too."""
    whole = sctp._chunk(sctp._DATA, b"abc", 3)

    assert [(0, 3, b"abc")] == list(sctp._chunks(whole + b"\0\0\0\3" + whole))
    assert [] == list(sctp._chunks(b"\0\0\xff\xff"))


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")
def test_a_client_gets_its_answer_in_both_ip_families():
    """Also from a server that ends the association at once. A closed port is a timeout."""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'ip link set lo up && exec "{sys.executable}" -c "$0"', _SERVE_AND_ASK],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ["127.0.0.1 ONE", "::1 ONE", "{0}", "0", "1"] == done.stdout.split("\n")[:-1], done.stderr
    assert "TIMEOUT\n" == done.stderr


def test_a_command_without_sctp_opens_no_raw_socket(monkeypatch):
    """Only those that may speak it keep one."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(socket, "socket", refuse)

    sctp.prepare(["agnhost", "connect", "10.0.0.1:80", "--protocol=tcp"])


def test_the_first_checksums_may_be_made_by_several_threads():
    """A program reads in a thread of its own while it sends its first packet."""
    program = """
import sys, threading
from netlab.programs.agnhost import sctp
sys.setswitchinterval(1e-6)
found = []
threads = [threading.Thread(target=lambda: found.append(sctp._checksum(b"123456789"))) for _ in range(8)]
[one.start() for one in threads], [one.join() for one in threads]
assert found == [0xE3069283] * 8, found
"""
    assert 0 == subprocess.run([sys.executable, "-c", program], timeout=30).returncode
