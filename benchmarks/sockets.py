"""The floor of probing: raw sockets in two namespaces, and a loop that sends on one and receives on the other."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from types import TracebackType

from benchmarks import private, wire

_A, _B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
_MAC_A, _MAC_B = b"\x0a\x5c\0\0\0\1", b"\x0a\x5c\0\0\0\2"
_PROTOCOL = 253  # RFC 3692: for experiments; no kernel answers it with anything but an ICMP error, which is off here
_BURST = 128
_PATIENCE = 1.0
_TRIES = 3


class Pair:
    """Two namespaces joined by a veth, with a raw socket in each; a context manager."""

    def __enter__(self) -> Pair:
        with private.back_home():
            self._fds = [private.new_network()]
            here = wire.Socket()
            private.setting("ipv4/icmp_ratemask", "8")
            self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._fds.append(private.new_network())
            there = wire.Socket()
            self._receiver = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _PROTOCOL)
            self._receiver.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE
        here.send([wire.raised(1), wire.veth("a", 2, _MAC_A, "b", 2, _MAC_B, self._fds[1])])
        here.send([wire.address(2, _A, 24), wire.neighbour(2, _B, _MAC_B)])
        there.send([wire.raised(1), wire.raised(2), wire.address(2, _B, 24), wire.neighbour(2, _A, _MAC_A)])
        here.close()
        there.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.close()
        self._receiver.close()
        for fd in self._fds:
            os.close(fd)

    def exchange(self, packets: int) -> float:
        """Send ``count`` packets, receive each, and return the seconds; raises TimeoutError if one is lost again.

        A busy machine drops a packet now and then. A time with a loss is no floor, so another try is timed.
        """
        for _ in range(_TRIES):
            self._drain(packets)
            began = time.perf_counter()
            lost = packets - self._exchanged(packets)
            if not lost:
                return time.perf_counter() - began
        raise TimeoutError(f"{lost} of {packets} packets were lost")

    def _exchanged(self, packets: int) -> int:
        """Send packets and return how many came."""
        packet = bytearray(struct.pack("!BBHHHBBH4s4sQ", 0x45, 0, 28, 0, 0, 64, _PROTOCOL, 0, _A, _B, 0))
        target = (socket.inet_ntoa(_B), 0)
        received = 0
        for first in range(0, packets, _BURST):
            burst = range(first, min(first + _BURST, packets))
            for number in burst:
                struct.pack_into("!Q", packet, 20, number)
                self._sender.sendto(packet, target)
            received += self._drain(len(burst))
        # On a busy machine the kernel's thread ksoftirqd delivers the last packets, when it gets a processor.
        while received < packets and select.select([self._receiver], [], [], _PATIENCE)[0]:
            received += self._drain(packets - received)
        return received

    def _drain(self, expected: int) -> int:
        for number in range(expected):
            try:
                self._receiver.recv(64)
            except BlockingIOError:
                return number
        return expected
