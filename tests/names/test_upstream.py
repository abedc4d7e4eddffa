"""Kubernetes' end-to-end tests of DNS (test/e2e/network/dns.go), rows 50 to 58 of the list, with real programs.

The list of all rows is in tests/services/test_upstream.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import dns_objects
import pytest
from names.bench import Names
from waiting import eventually

from netlab.programs.dns_records import dashed as dashed_address

pytestmark = pytest.mark.kernel

Build = Callable[[str], Names]
REPOSITORY = Path(__file__).parents[2]
DNS = "10.96.0.10"
# A client of DNS that says over which protocol it asks: names and types from its arguments, answers as JSON.
ASK = f"""
import json, sys
sys.path.append({sysconfig.get_paths()["purelib"]!r})
import dns.message, dns.query
asked = {{"udp": dns.query.udp, "tcp": dns.query.tcp}}[sys.argv[1]]
found = []
for one in sys.argv[3:]:
    name, _, kind = one.partition("/")
    answer = asked(dns.message.make_query(name, kind), sys.argv[2], timeout=30).answer
    found.append(sorted(record.to_text() for rrset in answer for record in rrset))
print(json.dumps(found))
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop}}
spec: {{nodeName: node-1, containers: [{{name: c, image: x}}], {spec}}}
"""


def asked(names: Names, protocol: str, *questions: str) -> list[list[str]]:
    """Ask the lab's DNS by its Service from a pod."""
    found: list[list[str]] = json.loads(names.run("shop/client", sys.executable, "-c", ASK, protocol, DNS, *questions))
    return found


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_50_dns_of_the_cluster(names: Names, protocol: str) -> None:
    """``kubernetes.default`` over both protocols, and the pod's own name by its address."""
    address = names.address("shop/client")
    own = f"{address.replace('.', '-')}.shop.pod.cluster.local"

    assert [["10.96.0.1"], [address]] == asked(names, protocol, "kubernetes.default.svc.cluster.local/A", f"{own}/A")
    assert ["10.96.0.1"] == names.getent("kubernetes.default.svc.cluster.local")


def test_51_partial_names(names: Names) -> None:
    """The search domains complete them."""
    whole = {
        "kubernetes.default": "kubernetes.default",
        "kubernetes.default.svc": "kubernetes.default",
        "front": "front.shop",
        "front.shop": "front.shop",
        "front.shop.svc": "front.shop",
    }
    found = names.each(*whole, *(f"{name}.svc.cluster.local" for name in whole.values()))

    assert {name: found[f"{of}.svc.cluster.local"] for name, of in whole.items()} == {n: found[n] for n in whole}
    assert {1} == {len(addresses) for addresses in found.values()}


def test_52_hosts_file(names: Names) -> None:
    """A pod with hostname and subdomain finds itself by its whole name and by its hostname; ``hostname`` is its own."""
    address = names.address("shop/web-a")

    assert [address] == names.getent("first.web.shop.svc.cluster.local", "shop/web-a", "ahostsv4")[:1]
    assert [address] == names.getent("first", "shop/web-a", "ahostsv4")[:1]
    assert "first\n" == names.run("shop/web-a", "hostname")
    assert ["10.9.9.9"] == names.getent("bar.local")


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_53_dns_of_services(names: Names, protocol: str) -> None:
    """A and SRV of a headless Service and of one with a cluster IP, PTR of the cluster IP, and short names."""
    (front,) = names.getent("front")
    pods = sorted((names.address("shop/web-a"), names.address("shop/web-b")))
    zone = "shop.svc.cluster.local"
    questions = (f"front.{zone}/A", f"web.{zone}/A", f"_http._tcp.front.{zone}/SRV", f"_http._tcp.web.{zone}/SRV")
    reverse = f"{'.'.join(reversed(front.split('.')))}.in-addr.arpa/PTR"
    dashed = [dashed_address(one) for one in names.run("shop/web-b", "hostname", "-I").split()]
    targets = [f"0 100 8080 first.web.{zone}.", *(f"0 100 9090 {host}.web.{zone}." for host in dashed)]

    assert [
        [front],
        pods,
        [f"0 100 80 front.{zone}."],
        targets,
        [f"front.{zone}."],
    ] == asked(names, protocol, *questions, reverse)
    assert {*pods} == {*names.getent("web", base="ahostsv4")}


def test_54_hostname_and_subdomain(names: Names) -> None:
    """The headless Service of the subdomain's name gives the pod a name."""
    assert [names.address("shop/web-a")] == names.getent("first.web", base="ahostsv4")[:1]
    assert [] == names.getent("web-b.web")


def test_55_external_name(lab_of: Build) -> None:
    """An alias; another alias; the Service with a cluster IP. Each is in force when ``apply`` returns."""
    names = lab_of(dns_objects.text())
    (front,) = names.getent("front")
    name = "bar.shop.svc.cluster.local"
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: bar, namespace: shop}\nspec: "
    assert [["front.shop.svc.cluster.local."]] == asked(names, "udp", f"{name}/CNAME")
    assert [front] == names.getent("bar")

    names.apply(service + "{type: ExternalName, externalName: plain.shop.svc.cluster.local}")
    assert [["plain.shop.svc.cluster.local."]] == asked(names, "udp", f"{name}/CNAME")
    assert ["10.96.77.77"] == names.getent("bar")

    names.apply(service + "{clusterIP: 10.96.77.88, ports: [{port: 80}]}")
    assert [["10.96.77.88"], []] == asked(names, "tcp", f"{name}/A", f"{name}/CNAME")
    assert ["10.96.77.88"] == names.getent("bar")


def test_56_dns_config(lab_of: Build) -> None:
    """With ``dnsPolicy: None``, resolv.conf has what the pod says."""
    config = "dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1], searches: [resolv.conf.local]}"
    names = lab_of(dns_objects.text(more=POD.format(name="own", spec=config)))

    assert "search resolv.conf.local\nnameserver 1.1.1.1\n" == names.run("shop/own", "cat", "/etc/resolv.conf")


def test_57_own_server(lab_of: Build) -> None:
    """A pod asks another pod's server, and ``ndots:2`` lets a name be searched."""
    names = lab_of(dns_objects.text())
    address = names.address("shop/web-b")
    hosts = {"notexistname.resolv.conf.local": ["10.7.7.7"]}
    snapshot = names.folder / "own.json"
    snapshot.write_text(json.dumps({"version": 1, "zone": "z", "namespaces": [], "services": {}, "hosts": hosts}))
    code = "from netlab.programs.dns_server import main; main()"
    command = [sys.executable, "-m", "netlab", "exec", "--lab", names.name, "shop/web-b", "--"]
    command += [sys.executable, "-c", code, "53", str(snapshot)]
    config = f"dnsPolicy: None, dnsConfig: {{nameservers: [{address}], searches: [resolv.conf.local], OPTIONS}}"
    config = config.replace("OPTIONS", "options: [{name: ndots, value: '2'}]")
    with subprocess.Popen(command, cwd=REPOSITORY) as server:
        try:
            names.apply(POD.format(name="asking", spec=config))
            found = eventually(lambda: names.getent("notexistname", "shop/asking"))
        finally:
            server.terminate()

    assert ["10.7.7.7"] == found
    assert "options ndots:2\n" in names.run("shop/asking", "cat", "/etc/resolv.conf")


def test_58_many_search_domains(lab_of: Build) -> None:
    """More than six, and more than 256 letters together, are accepted and written."""
    domains = [f"{'x' * 50}.{i}.test" for i in range(8)]
    config = f"dnsConfig: {{searches: [{', '.join(domains)}]}}"
    names = lab_of(dns_objects.text(more=POD.format(name="own", spec=config)))

    search = f"search shop.svc.cluster.local svc.cluster.local cluster.local {' '.join(domains)}\n"
    assert search in names.run("shop/own", "cat", "/etc/resolv.conf")
    assert 1 == len(names.getent("front", "shop/own"))
