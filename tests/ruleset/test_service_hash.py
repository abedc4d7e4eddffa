"""The endpoint that ``chosen`` predicts is the one that the kernel chooses."""

import json
import subprocess
import sys
from collections import Counter
from ipaddress import ip_address

import pytest

from netlab.ruleset.service_hash import SEED, chosen

COUNTS = (1, 2, 3, 5, 7)
PORTS = range(30000, 30020)
SOURCES = {4: ("127.0.0.1", "127.0.3.9"), 6: ("fd00::1", "fd00::2")}

_CONNECT = """
import json, socket, subprocess, sys
family, counts, ports, sources = json.loads(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
version, service, host = (
    (socket.AF_INET, "10.96.0.{}", "127.0.0.1") if family == 4 else (socket.AF_INET6, "fd00:96::{}", "fd00::1")
)
for one in sources if family == 6 else ():
    subprocess.run(["ip", "addr", "add", one + "/128", "dev", "lo"], check=True)
subprocess.run(["ip", f"-{family}", "route", "add", "10.96.0.0/16" if family == 4 else "fd00:96::/64", "dev", "lo"],
               check=True)
subprocess.run(["nft", "-f", "-"], input=sys.stdin.read(), text=True, check=True)
listeners = []
for index in range(max(counts)):
    one = socket.socket(version)
    one.bind((host, 9000 + index))
    one.listen(1000)
    listeners.append(one)
found = []
for count in counts:
    for source in sources:
        for port in ports:
            with socket.socket(version) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                client.settimeout(5)
                client.bind((source, port))
                client.connect((service.format(count), 80))
            for index, listener in enumerate(listeners):
                listener.setblocking(False)
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    continue
                found.append((count, source, port, index))
print(json.dumps(found))
"""


def _rules(family: int) -> str:
    ip, kind, service, host = (
        ("ip", "ipv4_addr", "10.96.0.{}", "127.0.0.1")
        if family == 4
        else ("ip6", "ipv6_addr", "fd00:96::{}", "fd00::1")
    )
    elements = ", ".join(
        f"{service.format(count)} . {index} : {host} . {9000 + index}" for count in COUNTS for index in range(count)
    )
    rules = "\n".join(
        f"{ip} daddr {service.format(count)} meta l4proto tcp "
        f"ct mark set jhash {ip} saddr . th sport mod {count} seed {SEED:#x} "
        f"dnat {ip} to {ip} daddr . ct mark map @endpoints"
        for count in COUNTS
    )
    return (
        f"table inet t {{ map endpoints {{ type {kind} . mark : {kind} . inet_service; elements = {{ {elements} }} }}\n"
        f"chain out {{ type nat hook output priority -100;\n{rules}\n}}\n}}\n"
    )


@pytest.mark.kernel
@pytest.mark.parametrize("family", [4, 6])
def test_prediction_is_the_kernels_choice(family):
    """Real connections from two addresses and twenty ports each, to Services of one to seven endpoints."""
    arguments = json.dumps([family, COUNTS, [*PORTS], SOURCES[family]])
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", _CONNECT, arguments],
        input=_rules(family), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert len(found) == len(COUNTS) * len(SOURCES[family]) * len(PORTS)
    for count, source, port, index in found:
        assert index == chosen(ip_address(source), port, count), (count, source, port)


def test_every_endpoint_is_chosen_about_as_often():
    """10,000 source ports over ten endpoints: each gets a tenth, within a tenth of it."""
    found = Counter(chosen(ip_address("10.244.0.2"), port, 10) for port in range(20000, 30000))

    assert sorted(found) == [*range(10)]
    assert all(900 < times < 1100 for times in found.values())


def test_one_endpoint_is_always_chosen():
    assert {chosen(ip_address("fd00::1"), port, 1) for port in range(1, 65536, 999)} == {0}
