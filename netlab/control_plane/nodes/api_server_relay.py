"""The way from a lab to the API server: a relay at one port of each node.

The API server listens on the host's loopback address, which no packet of a lab reaches. netlab listens in the network
namespace of each node, as an API server on the node would, and passes bytes on to that one port of the host. TLS is
between the client and the API server, so netlab neither reads nor adds anything. Packets to the port are packets to a
node, for policies too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable

from netlab.cluster import Cluster
from netlab.control_plane.nodes.connections import all_of, copy, held
from netlab.control_plane.nodes.reachable import Place
from netlab.dataplane.names import node_namespace
from netlab.errors import NetlabError
from netlab.kernel.loopback import ADDRESS
from netlab.kernel.machine import Inside

PORT = 6443
"""Where a node answers for the API server, as those of kubeadm do."""
# Connections at a time: of all clients, and of one address, so that one pod does not take those of all others.
_MOST, _MOST_OF_ONE = 2000, 500
_BACKLOG = 128
# Seconds: for the connection to the API server, and without a byte either way. A watch has bookmarks each minute.
_CONNECT_SECONDS, _IDLE_SECONDS = 10.0, 3600.0
# A client whose node was stopped is silent: the kernel asks it after 30 s, and ends the connection 30 s later.
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
_UNANSWERED_MILLISECONDS = 60_000
# A stopped node has no address of IPv6 until it starts (ip(7), ipv6(7)); Python does not name these options.
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78


def places(cluster: Cluster) -> list[Place]:
    """Return where the relay of a lab listens."""
    return [
        Place(node_namespace(cluster.name, node.name), str(address), PORT)
        for node in cluster.nodes
        for address in node.addresses
    ]


class ApiServerRelay:
    """Passes connections to nodes on to the API server.

    Args:
      port: that of the API server, on the host's loopback address.
      inside: enters a network namespace, as ``Machine.inside``.
      failed: called with each failure, in words.
    """

    def __init__(self, port: int, inside: Inside, failed: Callable[[str], object]) -> None:
        self._port, self._inside, self._failed = port, inside, failed
        self._open: Counter[str] = Counter()

    def start(self, wanted: Iterable[Place]) -> frozenset[str]:
        """Listen at places, and pass on in a thread of its own; return the addresses at which it listens.

        If another program has the port of a place, ``failed`` is called, and the other places are served.
        """
        listening = {}
        for place in wanted:
            try:
                listening[place.address] = self._listen(place)
            except (NetlabError, OSError) as error:
                why = getattr(error, "strerror", None) or error
                self._failed(f"cannot listen for clients of the API server at {place.address}:{place.port}: {why}")
        loop = asyncio.new_event_loop()
        for one in listening.values():
            loop.run_until_complete(asyncio.start_server(held(self.answer), sock=one))
        threading.Thread(target=loop.run_forever, daemon=True).start()
        return frozenset(listening)

    def _listen(self, place: Place) -> socket.socket:
        ipv6 = ":" in place.address
        with self._inside(place.namespace):
            found = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                level, option = (socket.IPPROTO_IPV6, _IPV6_FREEBIND) if ipv6 else (socket.IPPROTO_IP, _IP_FREEBIND)
                found.setsockopt(level, option, 1)
            found.bind((place.address, place.port))
            found.listen(_BACKLOG)
            found.setblocking(False)
        except BaseException:
            found.close()
            raise
        return found

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the bytes of a client and of the API server on until both have ended, or are silent for too long."""
        client = str((writer.get_extra_info("peername") or ("",))[0])
        if self._open.total() >= _MOST or self._open[client] >= _MOST_OF_ONE:
            writer.transport.abort()
            return
        self._open[client] += 1
        try:
            # A side that breaks off is no error.
            with contextlib.suppress(OSError, TimeoutError):
                await self._pass_on(reader, writer)
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _keep_alive(writer.get_extra_info("socket"))
        async with asyncio.timeout(_CONNECT_SECONDS):
            inner, outer = await asyncio.open_connection(ADDRESS, self._port)
        try:
            now = asyncio.get_running_loop().time
            async with asyncio.timeout(_IDLE_SECONDS) as silence:

                def heard() -> None:
                    silence.reschedule(now() + _IDLE_SECONDS)

                await all_of(copy(reader, outer, heard), copy(inner, writer, heard))
            # What the client has not taken yet is sent before the end.
            writer.close()
            async with asyncio.timeout(_CONNECT_SECONDS):
                await writer.wait_closed()
        finally:
            outer.transport.abort()


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (*_KEEP_ALIVE, (socket.TCP_USER_TIMEOUT, _UNANSWERED_MILLISECONDS)):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
