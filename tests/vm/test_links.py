"""Links that delay, lose or limit packets, in labs on a kernel that has netem."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from vm import wires

from netlab.kernel import netns

Program = Callable[..., "subprocess.CompletedProcess[str]"]
KERNELS = ["fast", "pyroute2"]
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "of-db", "namespace": "s"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}],
    },
}


def pod(name: str, node: str) -> dict[str, Any]:
    """Return a pod whose label ``app`` is its name."""
    metadata = {"name": name, "namespace": "s", "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, "containers": []}}


def topology(mode: str, links: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a Topology of three nodes and an outside host."""
    spec: dict[str, Any] = {
        "networks": [{"mode": mode}],
        "nodes": [{"name": name} for name in ("n1", "n2", "n3")],
        "hosts": [{"name": "out", "addresses": ["192.0.2.10"]}],
    }
    spec |= {"links": [*links]} if links else {}
    return {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "x"}, "spec": spec}


class Bench:
    """A lab of pods web (n1), db (n2) and other (n3), where db takes packets of web only."""

    def __init__(self, program: Program, name: str, folder: Path) -> None:
        self.program, self.name, self._file = program, name, folder / "input.yaml"

    def up(self, mode: str = "routed", links: Sequence[dict[str, Any]] = (), kernel: str = "fast") -> str:
        """Build the lab, or change it; return what the command says."""
        documents = [topology(mode, links), POLICY, pod("web", "n1"), pod("db", "n2"), pod("other", "n3")]
        self._file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        done = self.program("up", "-f", self._file, "--lab", self.name, "--kernel", kernel)
        assert 0 == done.returncode, done.stderr
        return done.stderr

    def netlab(self, *arguments: str, code: int = 0) -> str:
        """Run a command that names the lab; return what it prints."""
        done = self.program(*arguments, "--lab", self.name)
        assert code == done.returncode, done.stdout + done.stderr
        return done.stdout

    def pings(self, source: str, target: str, number: int = 5) -> list[float]:
        """Return the round-trip times, in milliseconds, of UDP packets that the other end sends back."""
        spaces = {"out": f"netlab.{self.name}.host.out"} | {
            n: f"netlab.{self.name}.node.{n}" for n in ("n1", "n2", "n3")
        }
        spaces |= {p: f"netlab.{self.name}.pod.s.{p}" for p in ("web", "db", "other")}
        address = _address(spaces[target])
        times = []
        with wires.listening(spaces[target]) as there, wires.listening(spaces[source]) as here:
            for _ in range(number):
                began = time.monotonic()
                here.sendto(b"there", (address, wires.PORT))
                _, peer = there.recvfrom(100)
                there.sendto(b"back", peer)
                here.recvfrom(100)
                times.append(1000 * (time.monotonic() - began))
        return times

    def sent(self, source: str, target: str, number: int) -> int:
        """Send packets between two machines; return how many arrive."""
        spaces = [f"netlab.{self.name}.node.{one}" for one in (source, target)]
        address = _address(spaces[1])
        with wires.listening(spaces[1]) as receiver, wires.opened(spaces[0], 2, 2) as sender:
            for _ in range(number):
                sender.sendto(b"one", (address, wires.PORT))
            receiver.settimeout(1)
            count = 0
            try:
                while receiver.recv(100):
                    count += 1
            except TimeoutError:
                return count
        return count


def _address(space: str) -> str:
    """Return the first IPv4 address of a namespace's link to others."""
    for link in json.loads(wires.run("ip", "-n", space, "-4", "-j", "address", "show")):
        if link["ifname"] in ("eth0", "underlay0"):
            return str(link["addr_info"][0]["local"])
    raise AssertionError(space)


@pytest.fixture
def bench(program: Program, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Bench]:
    """A lab that the test builds, and that is removed after it."""
    made = Bench(program, unique("link"), tmp_path)
    try:
        yield made
    finally:
        program("down", made.name)


def queues(bench: Bench) -> list[dict[str, Any]]:
    """Return the netem queues of the underlay, as tc lists them."""
    listed = json.loads(wires.tc(f"netlab.{bench.name}.underlay", "-j qdisc show"))
    return [one for one in listed if one["kind"] == "netem"]


@pytest.mark.parametrize(
    ("mode", "kernel"), [("overlay", "fast"), ("routed", "pyroute2"), ("macvlan", "fast"), ("macvlan", "pyroute2")]
)
def test_only_packets_between_the_two_machines_are_delayed(bench: Bench, mode: str, kernel: str) -> None:
    """Those of tunnels and of pods on the underlay too; a round trip takes twice the delay at least."""
    bench.up(mode, [{"between": ["n1", "n2"], "delay": "100ms"}], kernel)

    assert min(bench.pings("n1", "n2")) >= 200
    assert min(bench.pings("web", "db")) >= 200
    assert min(bench.pings("n1", "n3")) < 200
    assert min(bench.pings("web", "other")) < 200
    assert min(bench.pings("n2", "out")) < 200


def test_a_link_of_one_machine_delays_all_that_it_sends_and_gets(bench: Bench) -> None:
    """And nothing between other machines."""
    bench.up("routed", [{"between": ["n3"], "delay": "100ms"}])

    assert min(bench.pings("n1", "n3")) >= 200
    assert min(bench.pings("other", "web")) >= 200
    assert min(bench.pings("n1", "n2")) < 200


@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_a_link_of_a_pod_delays_all_that_it_sends_and_gets(bench: Bench, mode: str) -> None:
    """And nothing of its node."""
    bench.up(mode, [{"between": ["s/web"], "delay": "100ms"}])

    assert min(bench.pings("web", "other")) >= 200
    assert min(bench.pings("n1", "n3")) < 200


@pytest.mark.parametrize("kernel", KERNELS)
def test_all_values_are_those_that_tc_shows(bench: Bench, kernel: str) -> None:
    """In both directions, in iproute2's own numbers."""
    link = {
        "delay": "20ms",
        "jitter": "2ms",
        "loss": "0.1%",
        "duplicate": "1%",
        "corrupt": "2%",
        "reorder": "25%",
        "rate": "100mbit",
    }
    bench.up("routed", [{"between": ["n1", "n2"], **link}], kernel)

    found = queues(bench)
    assert 2 == len(found)
    for one in found:
        options = one["options"]
        assert 0.02 == pytest.approx(options["delay"]["delay"])
        assert 0.002 == pytest.approx(options["delay"]["jitter"])
        assert 0.001 == pytest.approx(options["loss-random"]["loss"], rel=1e-3)
        assert 0.01 == pytest.approx(options["duplicate"]["duplicate"], rel=1e-3)
        assert 0.02 == pytest.approx(options["corrupt"]["corrupt"], rel=1e-3)
        assert 0.25 == pytest.approx(options["reorder"]["reorder"], rel=1e-3)
        assert 12_500_000 == options["rate"]["rate"]


def test_a_share_of_packets_is_lost(bench: Bench) -> None:
    """Between the two machines, and not elsewhere."""
    bench.up("routed", [{"between": ["n1", "n2"], "loss": "50%"}])

    assert 40 < bench.sent("n1", "n2", 200) < 160
    assert 200 == bench.sent("n1", "n3", 200)


def test_a_rate_limits_a_link(bench: Bench) -> None:
    """20 packets of 1,000 bytes take some 1.6 s at 100 kbit/s, and the last of them comes after 1.5 s at least."""
    bench.up("routed", [{"between": ["n1", "n2"], "rate": "100kbit"}])
    spaces = [f"netlab.{bench.name}.node.{one}" for one in ("n1", "n2")]
    with wires.listening(spaces[1]) as receiver, wires.opened(spaces[0], 2, 2) as sender:
        began = time.monotonic()
        for _ in range(20):
            sender.sendto(bytes(1000), (_address(spaces[1]), wires.PORT))
        for _ in range(20):
            receiver.recv(2000)
        took = time.monotonic() - began

    assert took >= 1.5


@pytest.mark.parametrize("kernel", KERNELS)
def test_up_repairs_queues_and_finds_nothing_to_change_afterwards(bench: Bench, kernel: str) -> None:
    """A queue that is gone, one with another delay, and a port that is made again."""
    links = [
        {"between": ["n1", "n2"], "delay": "100ms"},
        {"between": ["n1", "n3"], "loss": "1%", "rate": "1gbit"},
        {"between": ["out"], "delay": "1500us"},
    ]
    bench.up("routed", links, kernel)
    assert f"lab {bench.name}: unchanged" in bench.up("routed", links, kernel)
    assert "0" == bench.netlab("get", "labs", "-o", "wide").splitlines()[1].split()[4]
    space = f"netlab.{bench.name}.underlay"
    (some, *_) = queues(bench)
    wires.tc(space, f"qdisc del dev {some['dev']} root")
    assert f"lab {bench.name}: unchanged" not in bench.up("routed", links, kernel)
    assert f"lab {bench.name}: unchanged" in bench.up("routed", links, kernel)
    port = next(one["dev"] for one in queues(bench) if one["dev"] != some["dev"])
    wires.ip(space, f"link del {port}")
    bench.up("routed", links, kernel)
    assert f"lab {bench.name}: unchanged" in bench.up("routed", links, kernel)
    assert min(bench.pings("n1", "n2")) >= 200
    bench.up("routed", [], kernel)
    assert [] == queues(bench)
    assert min(bench.pings("n1", "n2")) < 200


def test_impair_sets_changes_lists_and_clears(bench: Bench) -> None:
    """The record keeps it: an apply leaves it in force."""
    bench.up("routed")
    bench.netlab("impair", "n1", "n2", "--delay", "100ms")
    assert min(bench.pings("web", "db")) >= 200
    assert re.search(r"node:n1,node:n2 +delay 100ms", bench.netlab("impair"))

    bench.netlab("label", "pod", "s/other", "app=web")
    assert min(bench.pings("web", "db")) >= 200

    bench.netlab("impair", "n2", "n1", "--delay", "10ms", "--jitter", "1ms")
    assert min(bench.pings("web", "db")) < 200
    assert 2 == len(queues(bench))

    bench.netlab("impair", "--clear", "n1", "n2")
    assert [] == queues(bench)
    bench.netlab("impair", "n1", "n2", "--delay", "100ms")
    bench.netlab("impair", "out", "--delay", "100ms")
    bench.netlab("impair", "--clear")
    assert [] == queues(bench)
    assert min(bench.pings("n1", "out")) < 200


@pytest.mark.parametrize(
    "link",
    [
        {"between": ["n1", "n2"], "delay": "200ms"},
        {"between": ["n1", "n2"], "delay": "50ms", "jitter": "50ms"},
        {"between": ["n1", "n2"], "delay": "50ms", "reorder": "50%"},
        {"between": ["n1", "n2"], "loss": "30%"},
        {"between": ["n2"], "loss": "10%", "delay": "5ms"},
        {"between": ["n1", "n2"], "corrupt": "10%"},
        {"between": ["n1", "n2"], "duplicate": "50%"},
        {"between": ["n1", "n2"], "rate": "256kbit"},
        {"between": ["s/db"], "loss": "10%"},
    ],
    ids=lambda link: " ".join(f"{k} {v}" for k, v in link.items() if k != "between"),
)
def test_probes_tell_loss_from_denial(bench: Bench, link: dict[str, Any]) -> None:
    """No pair differs from its expected verdict; with loss some may stay inconclusive."""
    bench.up("overlay" if link["between"] == ["n1", "n2"] else "routed", [link])
    done = bench.program("verify", "--lab", bench.name, "-o", "json")
    assert done.returncode in (0, 1), done.stderr
    summary = json.loads(done.stdout)["summary"]

    assert 0 == summary["differ"], done.stdout
    assert summary["inconclusive"] <= (1 if "loss" in link or "corrupt" in link else 0), done.stdout


def test_a_program_of_a_pod_cannot_see_or_change_what_is_between_machines(bench: Bench) -> None:
    """The queues are in the underlay's namespace, which no program runs in."""
    bench.up("routed", [{"between": ["n1", "n2"], "delay": "100ms"}])

    for node in ("n1", "n2", "n3"):
        with netns.inside(f"netlab.{bench.name}.node.{node}"):
            assert "netem" not in wires.run("tc", "qdisc", "show")
