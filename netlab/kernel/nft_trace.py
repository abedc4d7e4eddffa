"""nftables' tracing: the rules that a packet meets inside a network namespace, read from ``nft monitor trace``.

One ``nft -i`` per namespace loads a table that marks the packets to trace, and then monitors. The table has the flag
``owner`` (nft(8)): the kernel removes it when the socket of the process closes. The kernel kills nft when netlab ends.
So nothing stays, even where netlab is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial

from netlab.errors import KernelError
from netlab.kernel import libc, netns, nft
from netlab.kernel.machine import Event, Match

__all__ = ["TABLE", "Event", "Match", "Monitor", "parse", "written"]

TABLE = "netlab_trace"
_SECONDS = 5.0
_PAUSE = 0.02
# Ports of the monitor's own packets on the loopback. The first proves that nft monitors, the second that all is read.
_READY, _DONE = 9, 10
_LOOPBACK = "127.0.0.1"

_LINE = re.compile(
    r"trace id (?P<id>\w+) (?P<family>\w+) (?P<table>\S+) (?P<chain>\S+) "
    r"(?P<kind>packet|rule|policy|verdict)(?:: | )(?P<text>.*)"
)
_RULE = re.compile(r"(?P<rule>.*?) ?\(verdict (?P<verdict>[^)]*)\)")

_REFUSED = re.compile(r"Error: .*|.*not supported.*")


def written(match: Match) -> str:
    """Return a match as an nft expression."""
    four = match.destinations[0].version == 4
    ip = "ip" if four else "ip6"
    ends = f"{ip} saddr {_one_of(match.sources)} {ip} daddr {_one_of(match.destinations)}"
    if match.protocol == "ICMP":
        return f"{ends} {'icmp' if four else 'icmpv6'} type echo-request"
    return f"{ends} {match.protocol.lower()} dport {_one_of(match.ports)}"


def _one_of(values: Sequence[object]) -> str:
    return f"{{ {', '.join(dict.fromkeys(map(str, values)))} }}"


def parse(text: str) -> Iterator[Event]:
    """Yield the events in the output of ``nft monitor trace``; other lines (``conntrack:``) are left out."""
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is None:
            continue
        kind, words, verdict = found["kind"], found["text"].strip(), ""
        if kind == "rule":
            if (rule := _RULE.fullmatch(words)) is None:
                continue
            words, verdict = rule["rule"], rule["verdict"]
        elif kind != "packet":
            words, verdict = "", words
        yield Event(found["id"], found["family"], found["table"], found["chain"], kind, words, verdict)  # type: ignore[arg-type]


class Monitor:
    """Traces the matching packets of a namespace from construction to ``close``; a context manager.

    ``families`` are the nft families (inet, bridge) in which packets are marked.

    Raises:
      NotFound: when the namespace is gone.
      HostError: when there is no ``nft``.
      KernelError: when nft or the kernel cannot trace.
    """

    def __init__(self, namespace: str, match: Match, families: Sequence[str] = ("inet",)) -> None:
        self._namespace = namespace
        self._text = ""
        with netns.inside(namespace):
            self._nft = subprocess.Popen(
                [nft.program(), "-i"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=nft.ENVIRONMENT,
                preexec_fn=partial(libc.end_with_parent, pid=os.getpid()),
            )
            self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._start([*(_table(family, match) for family in families), "monitor trace"])
            self._until(_READY)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End nft and with it the table; return when both are gone."""
        self._nft.kill()
        self._nft.wait()
        for stream in (self._nft.stdin, self._nft.stdout, self._sender):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def events(self) -> list[Event]:
        """Return all events so far, in order; raises KernelError when nft reports no more."""
        self._until(_DONE)
        events = list(parse(self._text))
        own = {e.id for e in events if e.kind == "packet" and _sign(f"({_READY}|{_DONE})").search(f"{e.text} ")}
        return [event for event in events if event.id not in own and event.table != TABLE]

    def _start(self, commands: Sequence[str]) -> None:
        assert self._nft.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._nft.stdin.write("".join(f"{command}\n" for command in commands).encode())
            self._nft.stdin.flush()

    def _until(self, port: int) -> None:
        """Send packets to a port of the loopback until one appears in the trace."""
        assert self._nft.stdout is not None
        deadline = time.monotonic() + _SECONDS
        sign = _sign(str(port))
        while not sign.search(self._text):
            with contextlib.suppress(ConnectionRefusedError):
                self._sender.sendto(b"", (_LOOPBACK, port))
            ready, _, _ = select.select([self._nft.stdout], [], [], _PAUSE)
            piece = os.read(self._nft.stdout.fileno(), 1 << 16) if ready else b"-"
            self._text += piece.decode(errors="replace") if ready else ""
            refused = _REFUSED.search(self._text)
            if refused or not piece or time.monotonic() > deadline:
                why = refused[0] if refused else "nft reports no traced packet"
                raise KernelError(f"tracing in {self._namespace}", 0, why)


def _sign(port: str) -> re.Pattern[str]:
    """Return a pattern of the monitor's own packets to a port in a trace."""
    return re.compile(rf"ip daddr {re.escape(_LOOPBACK)} .*udp dport {port} ")


def _table(family: str, match: Match) -> str:
    """Return the table that marks packets, on one line. Its chains come before all others and have no verdict."""
    marks = f"{written(match)} meta nftrace set 1;"
    if family != "bridge":
        marks += f" ip daddr {_LOOPBACK} udp dport {{ {_READY}, {_DONE} }} meta nftrace set 1;"
    chains = " ".join(
        f"chain {hook} {{ type filter hook {hook} priority -350; {marks} }};" for hook in ("prerouting", "output")
    )
    return f"table {family} {TABLE} {{ flags owner; {chains} }}"
