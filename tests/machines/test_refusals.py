"""What agents and commands refuse, with the exit code 2 for what the user gave and 3 for what the machines have."""

from __future__ import annotations

import json
import time

import pytest
from etcd_members import certificates
from machines.agents import Agents, until
from machines.bed import ETCD_ADDRESS
from machines.labs import documents, written

from netlab import __version__

NAMES = ("a/b", "..", "A", "-", "x" * 64, "a\nb", "%00", "é")


def registration(**other: object) -> str:
    """Return the value of a registration, as an agent writes it."""
    value = {
        "format": 1,
        "address": "192.0.2.9",
        "version": __version__,
        "identity": "9",
        "port": 4789,
        "mtu": 1500,
        "lease": 1,
    }
    return json.dumps(value | other)


def started(on: Agents, name: str, *options: str) -> tuple[int, str]:
    """Start an agent that ends at once; return its exit code and error."""
    done = on.on[name].netlab("agent", *options)
    return done.returncode, done.stderr


def test_a_lab_needs_agents(agents, unique, tmp_path):
    """Without one, ``up`` says how to start it."""
    on = agents("m1", start=False)
    code, error = on.refused("m1", "up", "-f", written(tmp_path, documents(unique(), "routed", 2)))

    assert 3 == code
    assert "no machine is registered; start an agent on each: netlab agent --machine NAME" in error
    assert [] == on.etcd_keys()


def test_a_machine_that_the_topology_names_must_be_registered(agents, unique, tmp_path):
    """The error has the names of those that are."""
    on = agents("m1")
    text = documents(unique(), "routed", 2).replace("{name: n2}", "{name: n2, machine: m7}")
    code, error = on.refused("m1", "up", "-f", written(tmp_path, text))

    assert 3 == code
    assert "machine m7 of the Topology is not registered (registered: m1)" in error
    assert ["machines/m1"] == on.etcd_keys()


def test_the_second_machine_of_a_name_is_refused(agents):
    """The first one stays registered."""
    on = agents("m1", "m2", start=False)
    on.start("m1")
    code, error = started(on, "m2", "--machine", "m1")

    assert 2 == code
    assert "machine m1 is registered already, with address 192.0.2.1" in error
    assert b"192.0.2.1" in on.value("machines/m1")


def test_a_second_agent_of_a_machine_is_refused(agents):
    """Also one that has another name."""
    on = agents("m1")

    assert (2, "Error: an agent runs on this machine already\n") == started(on, "m1", "--machine", "other")
    assert on.registered("m1")


def test_another_version_of_netlab_is_refused(agents, unique, tmp_path):
    """By an agent that starts, and by a command."""
    on = agents("m1")
    on.put("machines/m9", registration(version="0.0.9\x1b[31m"))
    code, error = on.refused("m1", "up", "-f", written(tmp_path, documents(unique(), "routed", 2)))
    agent = on.stop("m1") or started(on, "m1", "--machine", "m1")

    assert 3 == code
    assert f"this is netlab {__version__}, and m9 has netlab 0.0.9\\x1b[31m; all machines" in error
    assert 3 == agent[0]
    assert "m9 has netlab 0.0.9" in agent[1]


def test_machines_with_different_ports_make_no_lab(agents, unique, tmp_path):
    """Tunnels of one lab have one UDP port."""
    on = agents("m1", "m2", start=False)
    on.start("m1")
    on.start("m2", options=("--vxlan-port", "4790"))
    code, error = on.refused("m1", "up", "-f", written(tmp_path, documents(unique(), "routed", 2)))

    assert 3 == code
    assert "the machines have different VXLAN ports: m1 4789, m2 4790; start all agents with one --vxlan-port" in error


@pytest.mark.parametrize("value", ["", "x", "{}", '{"format":2}', b"\xff\xfe", "[" * 100_000], ids=range(6))
def test_a_damaged_record_is_said_and_removed(agents, unique, tmp_path, value):
    """Commands exit with 2, other labs work, and ``down`` removes it from etcd and from the machines."""
    on, lab = agents("m1"), unique("bad")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    on.netlab("m1", "up", "-f", file)
    on.put(f"labs/{lab}", value)
    until(lambda: b"damaged" in on.value(f"reports/{lab}/m1") or b"format" in on.value(f"reports/{lab}/m1"), on.logs)
    code, error = on.refused("m1", "get", "--lab", lab, "pods")

    assert 2 == code
    assert "Traceback" not in error
    assert 5 == len(on.inodes(lab)["m1"]), "its part stays until a command decides"
    other = unique("good")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(other, "routed", 1)))
    on.netlab("m1", "down", other)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_keys_that_netlab_did_not_write_are_left_out(agents, unique, tmp_path):
    """Names that are none, and values that are none, disturb no agent and no command."""
    on, lab = agents("m1"), unique("keys")
    for name in NAMES:
        for folder in ("labs", "next/labs", "machines", f"reports/{lab}"):
            on.put(f"{folder}/{name}", registration())
    odd = (
        registration(port=float("inf")),
        registration(mtu=float("nan")),
        registration(address="fe80::1%\x1b[31m"),
        registration(address=5),
        "[" * 100_000,
        "{" * 1_000_000,
        b"\xff",
        "null",
        "",
    )
    for number, value in enumerate(odd):
        on.put(f"machines/odd{number}", value)
        on.put(f"reports/{lab}/odd{number}", value)
        on.put(f"next/labs/odd{number}", value)
    time.sleep(1)
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    on.netlab("m1", "up", "-f", file)

    assert f"{lab}\n" == "".join(f"{line.split()[0]}\n" for line in on.netlab("m1", "get", "labs").splitlines()[1:])
    assert [] == on.drift(lab)
    on.netlab("m1", "down", lab)
    assert "Traceback" not in on.log("m1")
    assert on.registered("m1")
    assert {} == on.inodes(lab)["m1"]


def test_names_of_machines_are_checked(agents):
    """They become keys of etcd."""
    on = agents("m1", start=False)
    for name in ("a/b", "", "A", "x" * 64):
        code, error = started(on, "m1", "--machine", name)
        assert 2 == code
        assert "machine" in error
    assert [] == on.etcd_keys()


def test_addresses_must_be_those_of_the_machine(agents):
    """Other machines could not reach it at another one."""
    on = agents("m1", start=False)
    refused = (
        ("192.0.2.77", "no interface of this machine has 192.0.2.77"),
        ("127.0.0.1", "a loopback address"),
        ("x", "--address"),
    )
    for address, words in refused:
        code, error = started(on, "m1", "--machine", "m1", "--address", address)
        assert 2 == code
        assert words in error


def test_users_of_etcd(agents, unique, tmp_path):
    """An agent and a command need a user and its password; a wrong one exits with 3, and no password is printed."""
    on, lab = agents("m1", start=False), unique("users")
    user = {"name": "root", "password": "right-one"}
    on.etcd("auth/user/add", **user)
    on.etcd("auth/user/grant", user="root", role="root")
    on.etcd("auth/enable")
    file = written(tmp_path, documents(lab, "routed", 1))
    one = on.on["m1"].environment
    for values in ({}, {"NETLAB_ETCD_USER": "root", "NETLAB_ETCD_PASSWORD": "wrong-one"}):
        one |= values
        for done in (on.on["m1"].netlab("agent", "--machine", "m1"), on.on["m1"].netlab("up", "-f", file)):
            assert 3 == done.returncode, done.stderr
            assert "etcd refused" in done.stderr
            assert "wrong-one" not in done.stderr
    one |= {"NETLAB_ETCD_PASSWORD": "right-one"}
    on.start("m1", wait=False)
    until(lambda: "is registered with" in on.log("m1"), on.logs)
    on.netlab("m1", "up", "-f", file)
    assert 2 == len(on.inodes(lab)["m1"]) - 1
    on.netlab("m1", "down", lab)


def test_tls_of_etcd(agents, unique, tmp_path):
    """Agents and commands show a certificate, and trust only servers of the CA."""
    certificates(tmp_path, ETCD_ADDRESS)
    files = {"ca": str(tmp_path / "ca.crt"), "cert": str(tmp_path / "client.crt"), "key": str(tmp_path / "client.key")}
    server = [f"--cert-file={tmp_path}/server.crt", f"--key-file={tmp_path}/server.key"]
    more = [*server, f"--trusted-ca-file={tmp_path}/ca.crt", "--client-cert-auth"]
    on, lab = agents("m1", start=False, more=more, **files), unique("tls")
    file = written(tmp_path, documents(lab, "routed", 1))
    one = on.on["m1"].environment
    for done in (on.on["m1"].netlab("agent", "--machine", "m1"), on.on["m1"].netlab("up", "-f", file)):
        assert 3 == done.returncode, done.stderr
        assert "certificate" in done.stderr
    one |= {f"NETLAB_ETCD_{name}": files[field] for name, field in (("CACERT", "ca"), ("CERT", "cert"), ("KEY", "key"))}
    on.start("m1")
    on.netlab("m1", "up", "-f", file)
    on.netlab("m1", "down", lab)
    on.nothing_left()
