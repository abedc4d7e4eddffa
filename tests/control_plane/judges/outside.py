"""A machine outside of the cluster, where the process of a suite runs: load balancers are reached from there.

The API server listens on the loopback address of the host. A relay gives its port to the loopback address of the
machine: the kubeconfig stays as it is, and TLS is between the suite and the API server.

The machine has a default route, as one in another network has, and what it sends there is lost. Without it the kernel
would refuse to send a packet to a load balancer that is gone, which the suite does not take for an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml

from netlab.control_plane.nodes.connections import held
from netlab.lab.lab import Lab

_LOOPBACK = "127.0.0.1"
_CHUNK = 65536
# Nobody is asked for a hardware address, so no packet waits for one and fails.
_DEFAULT_ROUTE = (
    "link add away up arp off type veth peer name lost",
    "link set lost up",
    "route add default dev away",
)


class Outside(NamedTuple):
    """A machine outside of the cluster, by the path of its network namespace."""

    namespace: str

    def started(self, words: list[str]) -> list[str]:
        """Return the words that start a program there."""
        return ["nsenter", f"--net={self.namespace}", "--", *words]


@contextlib.contextmanager
def outside(lab: str, host: str, kubeconfig: Path) -> Iterator[Outside]:
    """Yield a host of a lab's Topology, from which the API server of a kubeconfig is reached until the end.

    Raises:
      NetlabError: when there is no such lab or host.
      CalledProcessError: when it cannot have a default route.
      OSError: when its port is taken.
    """
    opened = Lab.open(lab)
    with contextlib.closing(opened):
        space = opened.locate(f"host:{host}").namespace
        server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        port = urlsplit(server).port or 443
        # A socket stays in the namespace where it was made.
        with opened.machine.inside(space):
            listener = socket.create_server((_LOOPBACK, port), backlog=512)
        machine = Outside(opened.namespace_path(space))
        for words in _DEFAULT_ROUTE:
            subprocess.run(machine.started(["ip", *words.split()]), check=True)
        with listener, relay(listener, port):
            yield machine


@contextlib.contextmanager
def relay(listener: socket.socket, port: int) -> Iterator[None]:
    """Connect those who connect to a socket with a port of this host's loopback address, until the end."""
    runner, ends = asyncio.Runner(loop_factory=asyncio.new_event_loop), asyncio.Event()
    loop = runner.get_loop()

    async def work() -> None:
        joined = held(lambda reader, writer: _join(reader, writer, port))
        async with await asyncio.start_server(joined, sock=listener):
            await ends.wait()

    def run() -> None:
        # Its end ends the connections that are left.
        with runner:
            runner.run(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Send what comes from either end to the other one, until both have ended."""
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
        there, back = await asyncio.open_connection(_LOOPBACK, port)
        with contextlib.closing(back):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()
    target.write_eof()
