"""A client that opens a TCP connection again and again, and counts how many nothing accepts.

One connection is one question, and it is answered if the destination accepts it. A question is lost if it is refused,
if no answer comes, or if the kernel had to send its first packet twice. The client needs the standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import struct
import time

EVERY = 0.01
"""Seconds between two questions."""
PATIENCE = 3.0
"""Seconds after which a question has no answer."""

_TCP_INFO_SIZE = 104
# The offset of tcpi_total_retrans in struct tcp_info (include/uapi/linux/tcp.h).
_RETRANSMITTED = 100
_NO_LINGER = struct.pack("ii", 1, 0)


class Asking:
    """The questions of one client to one address and port."""

    def __init__(self, address: str, port: int) -> None:
        self._to = address, port
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._open: dict[int, tuple[socket.socket, float]] = {}
        self._poll = select.poll()
        self.asked = 0
        # When each question began, and why it was lost, "" if it was not.
        self._ended: list[tuple[float, str]] = []

    def run(self, stop: int, first: int) -> None:
        """Ask until ``stop`` has something to read; write a byte to ``first`` when the first question has ended."""
        self._poll.register(stop, select.POLLIN)
        stopping, told, due = False, False, time.monotonic()
        while not stopping or self._open:
            now = time.monotonic()
            if not stopping and now >= due:
                self._ask(now)
                due = max(due + EVERY, now - EVERY)
            wait = max(0.0, due - time.monotonic()) if not stopping else EVERY
            for number, _ in self._poll.poll(1000 * wait):
                if number == stop:
                    self._poll.unregister(stop)
                    stopping = True
                else:
                    self._answer(number)
            self._give_up(time.monotonic())
            if not told and self._ended:
                told = True
                os.write(first, b".")

    def document(self) -> bytes:
        """Return what became of the questions, as JSON.

        ``longest`` is the longest time in seconds from a lost question to the next one with an answer.
        """
        since, longest, reasons = None, 0.0, []
        for began, why in sorted(self._ended):
            if why:
                reasons.append(why)
                since = began if since is None else since
            elif since is not None:
                longest, since = max(longest, began - since), None
        found = {"asked": self.asked, "lost": len(reasons), "first": reasons[0] if reasons else "", "longest": longest}
        return json.dumps(found).encode()

    def _ask(self, now: float) -> None:
        self.asked += 1
        asking = socket.socket(self._family, socket.SOCK_STREAM)
        asking.setblocking(False)
        # A connection that closes leaves nothing behind, so the client never lacks ports.
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        failed = asking.connect_ex(self._to)
        if failed not in (0, errno.EINPROGRESS):
            self._lose(asking, now, os.strerror(failed))
            return
        self._open[asking.fileno()] = asking, now
        self._poll.register(asking, select.POLLOUT)

    def _answer(self, number: int) -> None:
        asking, began = self._open.pop(number)
        self._poll.unregister(asking)
        failed = asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._lose(asking, began, os.strerror(failed))
            return
        info = asking.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        again = len(info) == _TCP_INFO_SIZE and struct.unpack_from("I", info, _RETRANSMITTED)[0]
        if again:
            self._lose(asking, began, "the first packet was lost")
            return
        asking.close()
        self._ended.append((began, ""))

    def _give_up(self, now: float) -> None:
        for number, (asking, began) in list(self._open.items()):
            if now - began > PATIENCE:
                del self._open[number]
                self._poll.unregister(asking)
                self._lose(asking, began, f"no answer within {PATIENCE:g} s")

    def _lose(self, asking: socket.socket, began: float, why: str) -> None:
        asking.close()
        self._ended.append((began, why))
