"""``netlab capture``: print the packets of endpoints, or write them to a file."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import options, terminal
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.quantity import quantity

if TYPE_CHECKING:
    from netlab.kernel.output import Stream
    from netlab.probe.capture import Limits, PacketSource
    from netlab.probe.capture_files import CapturedPacket, CaptureFile

_MOST_SECONDS = 7 * 24 * 3600
_SIZE = 1 << 30
_LAST = 10_000
# Characters that are printed at once.
_WRITTEN = 2048
# The variables that name the folders where Scapy makes its own.
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")


@click.command("capture")
@click.argument("pods", metavar="POD...", nargs=-1, required=True, shell_complete=options.completed("endpoints"))
@options.lab
@options.namespace
@option("-i", "--interface", metavar="NAME", default="", help="Only this interface.  [default: all]")
@option("--filter", "expression", metavar="EXPR", default="", help="Only packets of this pcap-filter(7) expression.")
@option("-w", "--write", "file", metavar="FILE|-", default="", help="Write packets to this file, - for a pipe.")
@option("--print", "shown", is_flag=True, help="With -w, print the packets too.")
@option("-c", "--count", type=click.IntRange(1, 1 << 40), metavar="N", help="End after this many packets.")
@option("--seconds", type=click.FloatRange(0, _MOST_SECONDS, min_open=True), metavar="N", help="End after this time.")
@option(
    "--bytes",
    "size",
    type=click.IntRange(1, 1 << 40),
    metavar="N",
    help=f"End before the packets have more bytes.  [default: {_SIZE} with -w]",
)
@option(
    *("-s", "--snaplen"),
    type=click.IntRange(1, 262_144),
    default=262_144,
    show_default=True,
    metavar="N",
    help="Bytes of each packet that are captured.",
)
@options.verbose
def capture_command(
    pods: Sequence[str],
    lab: str,
    namespace: str,
    interface: str,
    expression: str,
    file: str,
    shown: bool,
    count: int | None,
    seconds: float | None,
    size: int | None,
    snaplen: int,
) -> None:
    """Print the packets of pods, nodes and hosts as Scapy sums them up, or write them to a file.

    POD is NAMESPACE/POD, node:NAME or host:NAME; several are captured together. Each line has the time, the endpoint,
    the interface there (and the pod that a node's interface leads to), and the direction as the endpoint sees it. A
    packet is shown also if a policy drops it later: a denied packet leaves its pod, and does not come to the other one.

    -w FILE.pcap writes a pcap file. Any other name, and -, is a pcapng file, which has the name of each interface;
    `netlab capture POD -w - | wireshark -k -i -` shows it live. FILE gets its name when the capture ends. The capture
    ends at Ctrl-C, at a limit, or when the lab is removed.
    """
    from netlab.kernel import output
    from netlab.lab.capture import open_capture, pods_behind
    from netlab.machines.labs import labs
    from netlab.probe.capture import Limits, Place
    from netlab.probe.capture_files import ETHERNET, RAW, Pcap, PcapNg

    if file == "-" and shown:
        raise UsageError("-w - writes packets to standard output: leave out --print")
    if file and file != "-":
        options.keep_manifests(file, "-w")
        output.check(file, "-w")
    running = labs().open(lab)
    places = [Place(one.ref, one.namespace) for one in (running.locate(pod, namespace) for pod in dict.fromkeys(pods))]
    capture = open_capture(running, places, interface=interface, expression=expression, length=snaplen)
    pods_of = pods_behind(running, places)
    with contextlib.closing(capture), contextlib.ExitStack() as stack:
        written: _Written | None = None
        if file:
            form: CaptureFile = PcapNg(snaplen, capture.known, expression, f"lab {running.name}", pods_of)
            if file.endswith(".pcap"):
                form = Pcap(snaplen, RAW if interface and capture.links == {RAW} else ETHERNET)
            written = stack.enter_context(_writing(stack.enter_context(output.stream(file)), form, capture))
        printed = _Printed(pods_of) if shown or not file else None
        _run(capture, written, printed, Limits(count, size or (_SIZE if file else None), seconds))


class _Written:
    """Writes packets to a file, and counts those that the format cannot hold."""

    def __init__(self, stream: Stream, form: CaptureFile) -> None:
        self._stream, self._form = stream, form
        self.regular = stream.regular
        self.left_out = 0
        stream.write(form.head())

    def write(self, packets: Sequence[CapturedPacket]) -> None:
        parts = [self._form.packet(packet) for packet in packets]
        self.left_out += parts.count(b"")
        self._stream.write(b"".join(parts))

    def end(self, capture: PacketSource) -> None:
        if tail := self._form.tail(capture.drops().items()):
            self._stream.write(tail)


@contextlib.contextmanager
def _writing(stream: Stream, form: CaptureFile, capture: PacketSource) -> Iterator[_Written]:
    written = _Written(stream, form)
    try:
        yield written
    except (KeyboardInterrupt, SystemExit):
        written.end(capture)
        raise
    written.end(capture)


def _import_summary() -> Callable[[CapturedPacket], str]:
    """Import Scapy so that it leaves nothing in the user's home, and return ``summary``.

    Its import makes ``~/.config``, a cache of 3 MB in ``~/.cache/scapy``, and with bash ``~/.local/share``. It has no
    setting against that: scapy/main.py reads these variables. Nothing can be made below a file. Without the cache the
    import takes a tenth longer.
    """
    usual = {name: os.environ.get(name) for name in _FOLDERS}
    os.environ.update(dict.fromkeys(_FOLDERS, os.devnull))
    try:
        from netlab.probe.packet_text import summary
    finally:
        for name, value in usual.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return summary


class _Printed:
    """Prints packets, a line each. The lines that an interrupt leaves wait for the next ``flush``."""

    def __init__(self, pods: Mapping[tuple[str, str], str]) -> None:
        # To import Scapy takes a while, in which an interrupt would lose the first lines.
        self._summary, self._pods = _import_summary(), pods
        self._waiting: deque[str] = deque()

    def add(self, packets: Sequence[CapturedPacket]) -> None:
        self._waiting += map(self._line, packets)

    def flush(self) -> None:
        from netlab.kernel import signals

        with signals.deferred():
            while self._waiting:
                # So few fit into the buffer of standard output, and an interrupt of its writing leaves them there.
                size = 0
                while self._waiting and size < _WRITTEN:
                    line = self._waiting.popleft()
                    terminal.put(line)
                    size += len(line)
                with signals.allowed():
                    terminal.flush()

    def _line(self, packet: CapturedPacket) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(packet.time // 1_000_000_000))
        fraction = packet.time // 1000 % 1_000_000
        direction = "out" if packet.outgoing else "in "
        pod = self._pods.get((packet.ref, packet.interface))
        interface = f"{packet.interface}({pod})" if pod else packet.interface
        return f"{moment}.{fraction:06d} {packet.ref} {interface} {direction} {self._summary(packet)}"


def _run(capture: PacketSource, written: _Written | None, printed: _Printed | None, limits: Limits) -> None:
    """Capture until the end, and say how much came. An interrupt is the usual end of a capture, and no error."""
    from netlab.kernel import signals
    from netlab.probe.capture import Limits, batches

    count = size = 0

    def take(until: Limits) -> None:
        nonlocal count, size
        # An interrupt loses no packet and leaves nothing half done. It arrives while this waits for packets, or for a
        # reader of its output, which may stall.
        with signals.deferred():
            for packets in batches(capture, until, _gone):
                count += len(packets)
                size += sum(len(packet.data) for packet in packets)
                if printed is not None:
                    printed.add(packets)
                if written is not None:
                    with contextlib.nullcontext() if written.regular else signals.allowed():
                        written.write(packets)
                if printed is not None:
                    printed.flush()

    try:
        try:
            terminal.say(f"capturing {_listed(capture.refs)}; end with Ctrl-C")
            take(limits)
        except KeyboardInterrupt:
            if printed is not None:
                printed.flush()
            # What came before the interrupt still waits; a flood does not end, so this takes some of it only.
            left = _LAST if limits.packets is None else min(_LAST, limits.packets - count)
            take(Limits(left, None if limits.size is None else limits.size - size, 0))
    finally:
        drops = {ref: dropped for ref, dropped in capture.drops().items() if dropped}
        terminal.say(f"captured {quantity(count, 'packet')} of {quantity(size, 'byte')}{_dropped(drops)}")
        if written is not None and written.left_out:
            what = quantity(written.left_out, "packet")
            terminal.say(f"left out {what} of tunnels: a pcap file holds one kind of link; write a .pcapng file")


def _listed(refs: Sequence[str]) -> str:
    return ", ".join(refs) if len(refs) <= 5 else f"{', '.join(refs[:4])} and {len(refs) - 4} more"


def _dropped(drops: dict[str, int]) -> str:
    if not drops:
        return ""
    return "; not read in time and dropped: " + ", ".join(f"{count:,} of {ref}" for ref, count in drops.items())


def _gone(ref: str) -> None:
    from netlab.kernel import signals

    with signals.allowed():
        terminal.say(f"{ref} is gone: its capture ends")
