"""``netlab capture``: what it prints and writes, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sizes import HANGS

from netlab.cli.commands import capture
from netlab.kernel import signals
from netlab.lab.lab import Lab
from netlab.probe.capture import Limits
from netlab.probe.capture_files import ETHERNET, CapturedPacket
from netlab.probe.packet_text import summary

REPOSITORY = Path(__file__).parents[2]
Ended = tuple[int, list[str], list[str]]


class Capturing:
    """A running ``netlab capture``; ``end`` sends it a signal, and returns its exit code, output and messages."""

    def __init__(self, lab: str, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "netlab", "capture", "--lab", lab, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY, text=True
        )
        assert self.process.stderr is not None
        self.first = self.process.stderr.readline()
        self._printed = ""

    def until(self, *texts: str) -> None:
        """Wait until a printed line has the texts: a packet arrives some time after it was sent."""
        assert self.process.stdout is not None
        while not any(all(text in line for text in texts) for line in self._printed.split("\n")[:-1]):
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data
            self._printed += data.decode()

    def end(self, number: int = 0) -> Ended:
        if number:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=HANGS)
        return self.process.returncode, (self._printed + out).splitlines(), err.splitlines()


@contextmanager
def capturing(lab: str, *arguments: str | Path) -> Iterator[Capturing]:
    running = Capturing(lab, *arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def send(name: str) -> list[str]:
    """Send a packet that policies deny and one that they allow; return the addresses of both sources and of the db."""
    from scapy.layers.inet import IP, TCP

    with Lab.open(name) as lab:
        web, api, db = (str(lab.find(f"shop/{pod}").addresses[0]) for pod in ("web", "api", "db"))
        for source in ("shop/web", "shop/api"):
            assert 1 == lab.send(source, IP(dst=db) / TCP(sport=1111, dport=5432, flags="S"))
        return [web, api, db]


def test_a_denied_packet_is_seen_at_its_pod_and_not_at_the_other(shared_lab: str, tmp_path: Path) -> None:
    """On pods and on their node, printed and in one file with the names of interfaces; Ctrl-C is the usual end."""
    from scapy.layers.inet import TCP
    from scapy.utils import rdpcap

    file = tmp_path / "x.pcapng"
    with capturing(shared_lab, "shop/web", "shop/api", "node:node-1", "shop/db", "-w", file, "--print") as running:
        web, api, db = send(shared_lab)
        running.until("shop/db-0", f"{api}:1111 > {db}:5432 S")
        unfinished = file.exists()
        code, lines, said = running.end(signal.SIGINT)
    seen = {tuple(line.split()[1:4]): line for line in lines if f"> {db}:5432 S" in line}
    with warnings.catch_warnings():
        # Scapy leaves its file to the garbage collector.
        warnings.simplefilter("ignore")
        found = rdpcap(str(file))
    names = {(one.sniffed_on, one.src) for one in (p for p in found if TCP in p and p[TCP].dport == 5432)}

    assert "capturing shop/web-0, shop/api-0, node:node-1, shop/db-0; end with Ctrl-C\n" == running.first
    assert (0, False) == (code, unfinished)
    assert said[-1].startswith("captured ")
    assert {"shop/web-0", "shop/api-0", "shop/db-0"} == {place for place, *_ in seen if place != "node:node-1"}
    assert f"{api}:1111 >" in seen["shop/db-0", "eth0", "in"]
    assert not any(f"{web}:1111" in line and line.split()[1] == "shop/db-0" for line in lines)
    # The node shows the pod that its link leads to.
    assert any(place == "node:node-1" and name.endswith("(shop/web-0)") for place, name, _ in seen)
    assert {"shop/web-0:eth0", "shop/api-0:eth0", "shop/db-0:eth0"} < {str(name) for name, _ in names}


@pytest.mark.parametrize(
    "arguments",
    [
        ("capture", "shop/db", "--seconds", "0.2"),
        ("exec", "shop/web", "--", "true"),
        ("probe", "shop/web", "shop/db:5432"),
        ("trace", "shop/web", "shop/db:5432"),
        ("verify", "-f", "scenarios/manifests/three-pods.yaml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_leaves_nothing_in_the_home(
    arguments: tuple[str, ...],
    shared_lab: str,
    program: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Scapy would leave files of 3 MB, and folders of the user's shell."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".local").mkdir()
    lab = [] if arguments[0] == "verify" else ["--lab", shared_lab]
    done = program(arguments[0], *lab, *arguments[1:], HOME=str(tmp_path), SHELL="/bin/bash")

    assert 0 == done.returncode, done.stderr
    assert [tmp_path / ".local"] == [*tmp_path.rglob("*")]


def test_the_import_of_scapy_leaves_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that netlab starts get the user's folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    before = dict(os.environ)
    capture._import_summary()

    assert before == dict(os.environ)


def test_a_capture_ends_with_its_last_packet_and_its_lab(lab: str, tmp_path: Path) -> None:
    """``-c`` counts packets. ``down`` is not kept waiting, and the file is whole."""
    file = tmp_path / "x.pcap"
    with capturing(lab, "shop/db", "-c", "1", "-i", "eth0") as counted, capturing(lab, "shop/db", "-w", file) as other:
        send(lab)
        few = counted.end()
        with Lab.open(lab) as opened:
            opened.down()
        code, lines, said = other.end()

    assert (0, 1) == (few[0], len(few[1]))
    assert (0, [], "shop/db-0 is gone: its capture ends") == (code, lines, said[0])
    assert bytes.fromhex("4d3cb2a1") == file.read_bytes()[:4]
    assert len(file.read_bytes()) > 24


def test_a_signal_ends_a_capture_with_its_code_and_a_whole_file(shared_lab: str, tmp_path: Path) -> None:
    """SIGTERM, as from a service manager."""
    file = tmp_path / "x"
    with capturing(shared_lab, "shop/db", "-w", file) as running:
        code, _, said = running.end(signal.SIGTERM)

    assert (143, "captured 0 packets of 0 bytes") == (code, said[-1])
    assert bytes.fromhex("0a0d0d0a") == file.read_bytes()[:4]


def test_an_interrupt_between_two_steps_of_a_capture_loses_no_packet(capsys: pytest.CaptureFixture[str]) -> None:
    """It arrives while the packets of a batch are on their way from the socket to the output."""

    packet = CapturedPacket("a/b", "eth0", ETHERNET, 0, bytes(60), 60, False)
    left = [packet, packet]

    class Interrupted:
        def __init__(self) -> None:
            self.known: list[tuple[str, str]] = []
            self.links: set[int] = set()
            self.refs = ["a/b"]

        def packets(self, seconds: float) -> list[CapturedPacket]:
            with signals.allowed():
                pass
            if len(left) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return [left.pop()] if left else []

        def gone(self) -> list[str]:
            return []

        def drops(self) -> dict[str, int]:
            return {}

        def close(self) -> None:
            pass

    capture._run(Interrupted(), None, capture._Printed({}), Limits())

    said = capsys.readouterr()
    assert 2 == len(said.out.splitlines())
    assert "captured 2 packets of 120 bytes" in said.err


def test_an_interrupt_while_the_reader_stalls_loses_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is printed once, and in order, when the reader goes on."""
    printed = capture._Printed({})
    printed.add([CapturedPacket("a/b", f"eth{number}", ETHERNET, 0, bytes(60), 60, False) for number in range(2000)])
    reader, writer = os.pipe()
    interrupt = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    with os.fdopen(reader) as lines, os.fdopen(writer, "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            printed.flush()
        interrupt.join()
        with ThreadPoolExecutor() as pool:
            found = pool.submit(lines.readlines)
            printed.flush()
            full.close()
            numbers = [line.split()[2] for line in found.result()]

    assert [f"eth{number}" for number in range(2000)] == numbers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shop/db", "-i", "eth9"), "shop/db-0 has no interface 'eth9'; it has lo, eth0"),
        (("shop/db", "-i", "a/b"), "'a/b' is not the name of an interface"),
        (("shop/nothing",), "no pod or workload 'shop/nothing'"),
        (("shop/db", "--filter", "host db"), "'db' is no word of pcap-filter(7); for a machine, write its address"),
        (("shop/db", "-w", "-", "--print"), "-w - writes packets to standard output: leave out --print"),
        (("shop/db", "-w", "/nonexistent/x"), "-w /nonexistent/x: no directory /nonexistent"),
        (("shop/db", "-w", "/dev/tty0"), "/dev/tty0 is a device; name a file"),
    ],
)
def test_wrong_arguments(
    shared_lab: str, netlab: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    """One line and exit code 2, before anything is captured."""
    done = netlab("capture", "--lab", shared_lab, *arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert message in done.stderr


def test_ports_are_numbers() -> None:
    """As `grep 5432` looks for them. /etc/services has names for these ports; Scapy's own setting stays."""
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    usual = conf.noenum
    default: dict[str, Any] = {"ref": "a/b", "interface": "eth0", "link": ETHERNET, "time": 0, "outgoing": False}
    wanted = {
        "Ether / IP / TCP 10.0.0.1:20 > 10.0.0.2:5432 S": IP(src="10.0.0.1", dst="10.0.0.2")
        / TCP(sport=20, dport=5432),
        "Ether / IPv6 / TCP fd00::1:443 > fd00::2:8080 S": IPv6(src="fd00::1", dst="fd00::2")
        / TCP(sport=443, dport=8080),
        "Ether / IP / UDP 10.0.0.1:53 > 10.0.0.2:123": IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=53, dport=123),
        "Ether / IPv6 / UDP fd00::1:53 > fd00::2:514": IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=53, dport=514),
    }

    for text, packet in wanted.items():
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        found = summary(CapturedPacket(data=data, length=len(data), **default))
        assert found.startswith(text)
    assert conf.noenum is usual


def test_packets_that_cannot_be_decoded_are_one_line() -> None:
    """Any bytes."""
    default: dict[str, Any] = {"ref": "a/b", "interface": "eth0", "link": ETHERNET, "time": 0, "outgoing": False}
    frames = [b"", b"\0", bytes(14) + b"\x45", bytes.fromhex("ffffffffffff0200000000010800") + b"\xff" * 90]
    frames += [bytes(12) + bytes.fromhex(kind) + bytes(range(60)) for kind in ("86dd", "0806", "8100", "0800")]

    for frame in frames:
        text = summary(CapturedPacket(data=frame, length=len(frame), **default))
        assert 1 >= len(text.splitlines())
        assert text == " ".join(text.split())
