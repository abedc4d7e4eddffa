"""tcpdump, tshark and capinfos read what ``netlab capture`` writes; libpcap compiles its filters."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sizes import HANGS

import netlab
from netlab.errors import UsageError
from netlab.kernel import pcap_filter
from netlab.kernel.linux import Linux
from netlab.kernel.packet_sockets import PacketReceiver
from netlab.lab.lab import Lab
from netlab.probe.capture_files import ETHERNET, RAW, CapturedPacket, Pcap, PcapNg

REPOSITORY = Path(__file__).parents[2]
FILTER = "tcp port 5432"


def tool(*command: str | Path, data: bytes | None = None) -> str:
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=HANGS)
    return done.stdout.decode()


@contextmanager
def capturing(lab: str, *arguments: str | Path, out: Any = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``netlab capture``; when the block ends it is interrupted, as by Ctrl-C."""
    command = [sys.executable, "-m", "netlab", "capture", "--lab", lab, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, cwd=REPOSITORY)
    assert process.stderr is not None
    try:
        assert process.stderr.readline().startswith(b"capturing ")
        yield process
        process.send_signal(signal.SIGINT)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait(HANGS)
        process.stderr.close()
        if process.stdout is not None:
            process.stdout.close()


def send(name: str) -> str:
    """Send a packet that policies deny and one that they allow; return the address of the source of the second."""
    from scapy.layers.inet import IP, TCP

    with Lab.open(name) as lab:
        address = str(lab.find("shop/db").addresses[0])
        for source in ("shop/web", "shop/api"):
            lab.send(source, IP(dst=address) / TCP(dport=5432, flags="S"))
        return str(lab.find("shop/api").addresses[0])


def test_tshark_reads_several_namespaces_of_one_pcapng(shared_lab: str, tmp_path: Path) -> None:
    """With the names of their interfaces, directions, and the filter; the denied packet came to no db."""
    file = tmp_path / "x.pcapng"
    with capturing(shared_lab, "shop/web", "shop/db", "node:node-1", "--filter", FILTER, "-w", file):
        allowed = send(shared_lab)
    fields = ("frame.interface_name", "frame.interface_description", "ip.src", "tcp.dstport", "frame.p2p_dir")
    rows = [
        line.split("\t")
        for line in tool("tshark", "-r", file, "-T", "fields", *(w for f in fields for w in ("-e", f))).splitlines()
    ]
    known = tool("capinfos", "-M", file)

    assert {"shop/web-0:eth0", "shop/db-0:eth0"} < {row[0] for row in rows}
    assert {(allowed, "5432")} == {(row[2], row[3]) for row in rows if row[0] == "shop/db-0:eth0" and row[3] == "5432"}
    assert any(row[0].startswith("node:node-1:veth") and row[1].endswith("the link of shop/web-0") for row in rows)
    assert f"Filter string = {FILTER}" in known
    assert "nanoseconds (9)" in known
    assert "Capture application: netlab" in known
    assert tool("tcpdump", "-nr", file).count("Flags [S]") >= 3


def test_tcpdump_reads_a_pcap_and_a_pipe(shared_lab: str, tmp_path: Path) -> None:
    """The pipe is read while the capture runs."""
    file = tmp_path / "x.pcap"
    reader = subprocess.Popen(["tcpdump", "-nr", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with (
        capturing(shared_lab, "shop/db", "--filter", FILTER, "-w", "-", out=reader.stdin),
        capturing(shared_lab, "shop/db", "--filter", FILTER, "-w", file),
    ):
        send(shared_lab)
    out, _ = reader.communicate(timeout=HANGS)

    assert b"Flags [S]" in out
    assert ["S", "R."] == [line.split("[")[1].split("]")[0] for line in tool("tcpdump", "-nr", file).splitlines()]
    assert "nanosecond pcap" in tool("capinfos", "-t", file)


def packet(**more: Any) -> CapturedPacket:
    default: dict[str, Any] = {
        "ref": "shop/web",
        "interface": "eth0",
        "link": ETHERNET,
        "time": 1_700_000_000_123_456_789,
    }
    frame = bytes.fromhex("ffffffffffff020000000001" + "0800") + bytes(range(51))
    return CapturedPacket(**(default | {"data": frame, "length": len(frame), "outgoing": True} | more))


def test_capinfos_reads_every_block(tmp_path: Path) -> None:
    """Interfaces of two kinds, one that comes later, a packet that was cut, a count of drops, and any text as name."""
    file = PcapNg(100, [("shop/web", "eth0")], "tcp", 'lab "ü"', {("shop/web", "eth0"): "x/y"})
    parts = [
        file.head(),
        file.packet(packet(length=1000)),
        file.packet(packet(interface="ipip.1", link=RAW, data=b"\x45" + bytes(19), length=20, outgoing=False)),
        file.tail([("shop/web", 7), ("shop/db", 0)]),
    ]
    (tmp_path / "x").write_bytes(b"".join(parts))
    said = tool("capinfos", "-M", tmp_path / "x")
    shown = json.loads(tool("tshark", "-r", tmp_path / "x", "-T", "json"))
    frames = [one["_source"]["layers"]["frame"] for one in shown]

    assert "Number of interfaces in file: 2" in said
    assert "Name = shop/web:ipip.1" in said
    assert 'Description = eth0 of shop/web in lab "ü", the link of x/y' in said
    assert ["1000", "20"] == [one["frame.len"] for one in frames]
    assert ["65", "20"] == [one["frame.cap_len"] for one in frames]
    assert "1700000000.123456789" == frames[0]["frame.time_epoch"]


def test_tcpdump_reads_an_empty_file(tmp_path: Path) -> None:
    """A capture that is interrupted at once is a valid file."""
    for name, form in (("a.pcap", Pcap(100)), ("b.pcapng", PcapNg(100, [("shop/web", "lo")]))):
        (tmp_path / name).write_bytes(form.head() + form.tail([]))

        assert "" == tool("tcpdump", "-nr", tmp_path / name)


@pytest.mark.parametrize(
    "expression",
    [
        *("tcp port 80", "arp", "ip6 host fd00::1", "net 10.0.0.0/8", "ether host aa:bb:cc:dd:ee:ff", "port http"),
        *(
            "portrange 80-90 and not src 10.0.0.1",
            "tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
            "ip proto \\tcp",
            "less 64",
        ),
    ],
)
def test_a_filter_is_compiled(expression: str) -> None:
    """To whole instructions of eight bytes."""
    program = pcap_filter.compiled(expression, 262144)

    assert len(program) % 8 == 0
    assert len(program) > 16


def test_a_filter_with_an_error_is_refused() -> None:
    """With the words of libpcap."""
    with pytest.raises(UsageError, match="filter 'tcp port': can't parse filter expression"):
        pcap_filter.compiled("tcp port", 100)
    with pytest.raises(UsageError, match="too long for the kernel"):
        pcap_filter.compiled(" or ".join(f"(port {i} and less {i})" for i in range(100, 250)), 100)


def test_a_pod_that_is_captured_can_be_replaced() -> None:
    """Also on a macvlan, whose MAC is taken until the capture has closed its socket in the old pod's namespace."""
    objects, _ = netlab.load([str(REPOSITORY / "examples/shop"), str(REPOSITORY / "topologies/macvlan.yaml")])
    with (
        netlab.temporary(objects) as lab,
        capturing(lab.name, "other/stranger", "shop/web", out=subprocess.DEVNULL) as process,
    ):
        lab.delete([netlab.ObjectRef("Pod", "stranger", "other")])
        lab.apply([one for one in objects.documents if one.kind == "Pod"])
        assert process.stderr is not None
        assert b"other/stranger is gone: its capture ends\n" == process.stderr.readline()
        assert [] == lab.drift()


@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="needs /dev/net/tun")
def test_a_filter_fits_links_with_and_without_ethernet(spaces: Callable[..., list[str]], kernel: Linux) -> None:
    """A packet of a tunnel begins with its IP header, and one socket receives both kinds."""
    (space,) = spaces("tun")
    with kernel.inside(space):
        for command in (
            "tuntap add dev t0 mode tun",
            "addr add 10.9.9.1/24 dev t0",
            "link set t0 up",
            "link set lo up",
        ):
            subprocess.run(["ip", *command.split()], check=True, timeout=HANGS)
        # A packet that a program writes to the device comes in: struct ifreq with IFF_TUN and IFF_NO_PI, TUNSETIFF.
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", b"t0", 0x1001))
        receivers = {
            expression: PacketReceiver("", pcap_filter.compiled(expression, 1000), 1000, 1 << 20)
            for expression in ("udp port 9", "host 10.9.9.2", "tcp", "arp")
        }
        # An empty datagram from 10.9.9.2 to 10.9.9.1, port 9.
        os.write(device, bytes.fromhex("4500001c0000000040110000 0a090902 0a090901 00090009 00080000"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", ("127.0.0.1", 9))
    found = {
        expression: [(one.interface, one.ethernet, one.outgoing, one.data[0]) for one in receiver.read(100)]
        for expression, receiver in receivers.items()
    }
    for receiver in receivers.values():
        receiver.close()
    os.close(device)

    tunnel = ("t0", False, False, 0x45)
    assert {"udp port 9": [tunnel, ("lo", True, False, 0)], "host 10.9.9.2": [tunnel], "tcp": [], "arp": []} == found


def test_a_user_without_root_captures(tmp_path: Path) -> None:
    """In the user's own namespaces, with a filter."""
    uid = 1_100_000 + os.getpid()
    home = Path(f"/tmp/netlab-capture-{os.getpid()}")  # noqa: S108
    home.mkdir(mode=0o755)
    os.chown(home, uid, uid)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": ":".join([str(REPOSITORY), *packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    python = python if os.access(python, os.X_OK) else sys.executable

    def netlab(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", "netlab", *arguments],
            capture_output=True,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd=home,
            env=environment,
            timeout=HANGS,
            check=False,
        )

    up = netlab("up", "-f", str(REPOSITORY / "examples/shop"))
    try:
        assert 0 == up.returncode, up.stderr
        process = subprocess.Popen(
            [python, "-m", "netlab", "capture", "shop/db", "--filter", FILTER, "-c", "1", "-w", "x.pcap"],
            stderr=subprocess.PIPE,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd=home,
            env=environment,
        )
        assert process.stderr is not None
        assert b"capturing" in process.stderr.readline()
        netlab("probe", "shop/api", "shop/db:5432")
        assert b"captured 1 packet of 58 bytes\n" == process.stderr.read()
        assert 0 == process.wait(HANGS)
        process.stderr.close()
        assert "Flags [S]" in tool("tcpdump", "-nr", home / "x.pcap")
        assert uid == (home / "x.pcap").stat().st_uid
    finally:
        netlab("down", "--all")
        subprocess.run(["rm", "-r", str(home)], check=False)
