"""What a lab does at its endpoints: it runs programs there, and sends and receives packets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NoReturn, cast

from netlab.cluster import Endpoint
from netlab.dataplane import names
from netlab.errors import NotFound, UsageError
from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from scapy.packet import Packet

    from netlab.kernel.machine import ProcessResult, User
    from netlab.lab.convergence import Current
    from netlab.lab.lab import Lab
    from netlab.lab.sniffing import Sniffer
    from netlab.probe.capture import PacketSource
    from netlab.probe.capture import Place as CapturePlace


class Place(NamedTuple):
    """Where programs of an endpoint run: the endpoint's reference and name, and the name of its network namespace."""

    ref: str
    name: str
    namespace: str


class AtEndpoints:
    """The methods of ``Lab`` that run programs at an endpoint, or send and receive packets there."""

    _now: Current

    @property
    def _lab(self) -> Lab:
        # Lab and its subclasses alone inherit from this class.
        return cast("Lab", self)

    def send(
        self,
        source: str | Endpoint | Place,
        packet: Packet | Iterable[Packet],
        *,
        count: int = 1,
        interval: float = 0.0,
        interface: str = "",
    ) -> int:
        """Send packets made with Scapy from an endpoint; return how many were sent.

        A packet that begins with IP or IPv6 is routed by the endpoint's kernel, which also writes the Ethernet header.
        A packet that begins with Ether is sent as it is. A missing source is the one that this kernel chooses.
        A packet that policies deny counts as sent.

        Args:
          source: the endpoint, or its name as for ``find``.
          packet: a packet, or several.
          count: how often each is sent; all together at most 100,000 packets, 1,000 of them different.
          interval: seconds between two packets.
          interface: where a packet that begins with Ether is sent; by default ``eth0`` of a pod, ``underlay0`` of a
            node or host, ``lo`` of a pod in mode none.

        Raises:
          UsageError: for an unknown name, a packet without destination, or one that is too large or cannot be built.
          KernelError: when the kernel refuses a packet: it has no route, or the packet is larger than the MTU.
        """
        from netlab.lab.sending import send

        return send(self._lab, self._place(source), packet, count, interval, interface)

    def sniff(
        self,
        endpoint: str | Endpoint | Place | Sequence[str | Endpoint | Place],
        filter: str = "",
        *,
        count: int | None = None,
        seconds: float = 0.5,
        interface: str = "",
    ) -> Sniffer:
        """Return a context manager that receives packets of an endpoint, or of several, while its block runs.

        Args:
          endpoint: the endpoint, or its name as for ``find``.
          filter: an expression of pcap-filter(7), which needs libpcap; "" for all packets.
          count: end after this many packets; at most 10,000, which is the default.
          seconds: how long to wait for packets after the block, if ``count`` did not come before.
          interface: only this interface of the endpoint.

        Raises:
          UsageError: for an unknown name or interface, or a wrong filter.
          HostError: when libpcap is missing.
        """
        from netlab.lab.sniffing import Sniffer
        from netlab.probe import capture

        asked = [endpoint] if isinstance(endpoint, str | Place | Endpoint) else endpoint
        places = [self._place(one) for one in asked]
        found = [capture.Place(one.ref, one.namespace) for one in places]
        return Sniffer(self._lab, found, filter, count, seconds, interface)

    def listening(self, places: Iterable[tuple[Endpoint, int]]) -> AbstractContextManager[None]:
        """Run the echo program on ports of endpoints during a block, for HTTP. Ports in use are left alone.

        Raises:
          HostError, NotFound: when it cannot listen.
        """
        from netlab.lab.listeners import listening

        return listening(self._lab, places)

    def receive(
        self, places: Sequence[CapturePlace], interface: str, program: bytes, length: int, buffer: int
    ) -> PacketSource:
        """Return a capture of endpoints with a compiled filter; ``netlab.lab.capture.open_capture`` compiles it.

        The lock is held while the sockets are opened, and not afterwards: a capture stops no change of the lab.

        Raises:
          UsageError: for an unknown interface, or an endpoint that is gone.
          KernelError: when the kernel refuses a socket.
        """
        from netlab.probe.capture import Capture

        # Opening enters the namespaces. Without the lock, a concurrent ``down`` would end this process.
        with self._lab.held(shared=True):
            try:
                return Capture(self._lab.machine.inside, places, interface, program, length, buffer)
            except NotFound as error:
                raise UsageError(str(error)) from error

    def _place(self, endpoint: str | Endpoint | Place) -> Place:
        if isinstance(endpoint, Place):
            return endpoint
        if isinstance(endpoint, str):
            return self.locate(endpoint)
        return Place(endpoint.ref, endpoint.name, names.endpoint_namespace(self._lab.name, endpoint))

    def locate(self, ref: str, namespace: str = "default") -> Place:
        """Return where programs of an endpoint run, by a name as for ``find``. A pod's own name decodes no object.

        Raises:
          UsageError: when no endpoint of the lab has the name.
        """
        space, slash, name = ref.rpartition("/")
        where = names.own_namespace(self._lab.name, space if slash else namespace, name)
        if where in self._now.record.namespaces:
            return Place(f"{space if slash else namespace}/{name}", name, where)
        endpoint = self._lab.find(ref, namespace)
        return Place(endpoint.ref, endpoint.name, names.endpoint_namespace(self._lab.name, endpoint))

    def execute(
        self, place: Endpoint | Place, argv: Sequence[str] | Callable[[], object], user: User | None = None
    ) -> NoReturn:
        """Replace this process by a program inside an endpoint's namespace; raises UsageError, HostError.

        The lab's DNS is started first, and the program has the endpoint's ``/etc/resolv.conf`` and ``/etc/hosts``. If
        ``argv`` is a function, it is called in the namespace, and then the process ends.
        """
        place, hostname, files = self._prepared(place)
        try:
            self._lab.machine.execute(place.namespace, argv, hostname=hostname, user=user, files=files)
        except NotFound as error:
            raise UsageError(f"{place.ref} is gone: {error}") from error

    def execute_as(self, place: Endpoint | Place, argv: Sequence[str], user: str = "") -> NoReturn:
        """Do as ``execute``, as a user by name or number; "" is the user who typed sudo, else netlab's own."""
        from netlab.kernel import sudo_user

        self.execute(place, argv, sudo_user.named(user) if user else sudo_user.caller())

    def run(self, place: Endpoint | Place, argv: Sequence[str] | Callable[[], object], seconds: float) -> ProcessResult:
        """Run a program inside an endpoint's namespace, and return how it ended; kill it after ``seconds``.

        The lab's DNS is started first, and the program has the endpoint's ``/etc/resolv.conf`` and ``/etc/hosts``.
        It has no privilege: root runs it as ``nobody``. If ``argv`` is a function, a process of its own calls it, and
        the output is what it writes to descriptor 1.

        Raises:
          UsageError, HostError.
        """
        place, hostname, files = self._prepared(place)
        return self._lab.machine.capture(place.namespace, argv, seconds, hostname=hostname, files=files)

    def _prepared(self, place: Endpoint | Place) -> tuple[Place, str, dict[str, str]]:
        """Start the lab's DNS; return where programs of an endpoint run, their hostname and their files of ``/etc``."""
        from netlab.lab import dns, notices

        place = self._place(place)
        files = dns.prepare(self._lab, place.ref)
        if files is None:
            raise UsageError(f"{place.ref} is gone")
        for warning in files.warnings:
            notices.notice(f"warning: {warning}")
        return place, files.hostname, {"/etc/resolv.conf": files.resolv, "/etc/hosts": files.hosts}
