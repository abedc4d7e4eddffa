"""Servers and clients in a running lab: sockets inside its namespaces, and what each side sees of the other."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import select
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from netlab.cluster.types import address_of
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.lab import dns
from netlab.lab.lab import Lab
from netlab.objects.scenarios import ObjectRef
from netlab.objects.services import Service
from netlab.objects.types import Address, Document

# The arguments of a socket. SCTP is not in every kernel, and so only in tests of the virtual machine.
KINDS = {
    "TCP": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "UDP": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "SCTP": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# Seconds after which a connection without an answer is opened once more, and then counts as dropped. An answer comes
# within a millisecond.
SILENCE = (0.1, 0.4)
TRIES = 24
_REFUSED = {errno.ECONNREFUSED: "refused"}
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM)


class Answer(NamedTuple):
    """The outcome of one connection. ``how`` is ``answered``, ``refused``, ``silent`` or ``unreachable``.

    ``endpoint`` answered; it saw the client at ``seen`` and ``port``.
    """

    how: str
    endpoint: str = ""
    seen: str = ""
    port: int = 0


class Bench:
    """Servers and clients in a running lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._servers: dict[socket.socket, tuple[str, int, str]] = {}
        self._ports = itertools.count(20_000)

    # --- the lab ------------------------------------------------------------------------------------------------

    def namespace(self, ref: str) -> str:
        return names.endpoint_namespace(self.lab.name, self.lab.cluster.by_ref[ref])

    def address(self, ref: str, family: int = 4) -> str:
        return str(address_of(self.lab.cluster.by_ref[ref], family))

    def service(self, ref: str) -> Service:
        return next(one for one in self.lab.cluster.services if f"{one.meta.namespace}/{one.meta.name}" == ref)

    def cluster_ip(self, ref: str, family: int = 4) -> str:
        return str(next(a for a in self.service(ref).cluster_ips if a.version == family))

    def node_port(self, ref: str, port: int = 80, protocol: str = "TCP") -> int:
        return next(p.node_port for p in self.service(ref).ports if (p.port, p.protocol) == (port, protocol))

    def balancer(self, ref: str, family: int = 4) -> str:
        found = (one.address for one in self.service(ref).load_balancer)
        return str(next(a for a in found if a is not None and a.version == family))

    def ip(self, ref: str, *arguments: str) -> str:
        """Run ``ip`` in the namespace of an endpoint."""
        with netns.inside(self.namespace(ref)):
            return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout

    def own_addresses(self, ref: str) -> set[str]:
        """Return all addresses in the namespace of an endpoint."""
        words = [line.split() for line in self.ip(ref, "-o", "address", "show").splitlines()]
        return {str(ip_address(each[3].split("/")[0])) for each in words}

    def apply(self, *documents: Document) -> None:
        self.lab.apply(documents)

    def delete(self, *refs: str) -> None:
        """Delete objects, each as ``KIND NAMESPACE/NAME``."""
        parts = (ref.split(" ", 1) for ref in refs)
        self.lab.delete([ObjectRef(kind, name.partition("/")[2], name.partition("/")[0]) for kind, name in parts])

    def programs(self) -> None:
        """Have the programs run that a lab starts with the first program of a user."""
        dns.prepare(self.lab, next(iter(self.lab.cluster.by_ref)))

    def health(self, source: str, node: str, port: int, family: int = 4) -> tuple[int, int] | str:
        """Ask a node's healthCheckNodePort; return the status and the number of local endpoints, or how it ended."""
        with netns.inside(self.namespace(source)):
            client = socket.socket(FAMILIES[family], socket.SOCK_STREAM)
        with client:
            client.settimeout(5)
            try:
                client.connect((self.address(node, family), port))
            except ConnectionRefusedError:
                return "refused"
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            came = b"".join(iter(lambda: client.recv(4096), b""))
        head, _, body = came.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["localEndpoints"]

    # --- servers ------------------------------------------------------------------------------------------------

    def serve(self, refs: Iterable[str], port: int = 80, protocol: str = "TCP", families: Sequence[int] = (4,)) -> None:
        """Listen at a port of each endpoint. Servers answer while ``ask`` waits."""
        for ref, family in itertools.product(refs, families):
            with netns.inside(self.namespace(ref)):
                made = socket.socket(FAMILIES[family], *KINDS[protocol])
            if family == 6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("", port))
            made.setblocking(False)
            if protocol != "UDP":
                made.listen(64)
            self._servers[made] = (ref, port, protocol)

    def stop(self, ref: str) -> None:
        """Close the servers of an endpoint."""
        for made in [one for one, (own, *_) in self._servers.items() if own == ref]:
            del self._servers[made]
            made.close()

    def close(self) -> None:
        for made in self._servers:
            made.close()

    # --- clients ------------------------------------------------------------------------------------------------

    def ask(self, source: str, address: str | Address, port: int = 80, protocol: str = "TCP", own: int = 0) -> Answer:
        """Open one connection, or send one datagram, and return its outcome.

        Silence is asked once more. When the host stops this machine for a moment, a packet waits in the kernel
        for longer than the first of ``SILENCE``, or the second; it does not do so twice.

        ``own`` is the source port; by default it is a new one for each call.
        """
        answer = Answer("silent")
        for seconds in SILENCE:
            answer = self._ask(source, address, port, protocol, own, seconds)
            if answer.how != "silent":
                break
        return answer

    def _ask(self, source: str, address: str | Address, port: int, protocol: str, own: int, seconds: float) -> Answer:
        family = ip_address(str(address)).version
        with netns.inside(self.namespace(source)):
            client = socket.socket(FAMILIES[family], *KINDS[protocol])
        with client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.setblocking(False)
            # Counted, so that each run of a test reaches the same endpoints.
            client.bind(("", own or next(self._ports)))
            try:
                if protocol != "UDP":
                    error = client.connect_ex((str(address), port))
                else:
                    client.connect((str(address), port))
                    client.send(b"netlab")
                    error = 0
            except OSError as failed:
                error = failed.errno or 0
            if error in _UNREACHABLE:
                return Answer("unreachable")
            if error not in (0, errno.EINPROGRESS):
                return Answer(_REFUSED.get(error, errno.errorcode.get(error, "?")))
            return self._wait(client, protocol, seconds)

    def _wait(self, client: socket.socket, protocol: str, seconds: float) -> Answer:
        deadline = time.monotonic() + seconds
        served = Answer("silent")
        late = False
        while not late:
            # One look after the deadline: on a busy machine this process may not have run before.
            late = (left := deadline - time.monotonic()) <= 0
            writers = [] if protocol == "UDP" else [client]
            ready, writable, _ = select.select([client, *self._servers], writers, [], max(0.0, left))
            for server in ready:
                if server is client:
                    continue
                served = self._served(server, protocol) or served
            if protocol == "UDP" and client in ready:
                try:
                    client.recv(100)
                except ConnectionRefusedError:
                    return Answer("refused")
                except OSError as failed:
                    return Answer("unreachable" if failed.errno in _UNREACHABLE else str(failed.errno))
                return served._replace(how="answered")
            if protocol != "UDP" and (client in writable or client in ready):
                error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    return Answer(_REFUSED.get(error, "unreachable" if error in _UNREACHABLE else str(error)))
                if served.endpoint:
                    return served._replace(how="answered")
        return served if served.how == "silent" else Answer("silent")

    def _served(self, server: socket.socket, protocol: str) -> Answer | None:
        ref, _, _ = self._servers[server]
        if protocol != "UDP":
            with contextlib.suppress(BlockingIOError):
                connection, peer = server.accept()
                connection.close()
                return Answer("silent", ref, str(ip_address(peer[0])), peer[1])
            return None
        with contextlib.suppress(OSError):
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)
            return Answer("silent", ref, str(ip_address(peer[0])), peer[1])
        return None

    def answers(
        self, source: str, address: str | Address, port: int = 80, protocol: str = "TCP", tries: int = TRIES
    ) -> set[Answer]:
        """Ask ``tries`` times from different source ports; return the different answers, with port 0."""
        found: set[Answer] = set()
        for _ in range(tries):
            answer = self.ask(source, address, port, protocol)._replace(port=0)
            found.add(answer)
            if answer.how == "silent":
                # The other tries would be dropped too, and each takes the whole wait.
                break
        return found

    def endpoints(
        self, source: str, address: str | Address, port: int = 80, protocol: str = "TCP", tries: int = TRIES
    ) -> set[str]:
        """Return the endpoints that answered, and the outcome of the other connections."""
        return {one.endpoint or one.how for one in self.answers(source, address, port, protocol, tries)}


@contextlib.contextmanager
def bench(lab: Lab) -> Iterator[Bench]:
    """Yield a bench for a lab, and close its sockets afterwards."""
    made = Bench(lab)
    try:
        yield made
    finally:
        made.close()
