"""Names in programs of a lab: which are found, which are not, and when the DNS server runs."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dns_objects
import pytest
from names.bench import Names
from waiting import eventually

pytestmark = pytest.mark.kernel

Build = Callable[[str], Names]
REPOSITORY = Path(__file__).parents[2]
DNS = "10.96.0.10"
POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
"""
ALLOW = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
      ports: [{port: 53, protocol: UDP}, {port: 53}]
"""
OWN_DNS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec:
  replicas: 2
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec: {containers: [{name: c, image: x, ports: [{name: dns, containerPort: 1053, protocol: UDP}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: 10.96.0.53
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns}, {name: dns-tcp, port: 53, targetPort: 1053}]
"""
MANY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: many, namespace: shop}
spec:
  replicas: 60
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Service
metadata: {name: many, namespace: shop}
spec: {clusterIP: None, selector: {app: many}}
"""
PYTHON = "import socket; print(sorted({a[4][0] for a in socket.getaddrinfo('front', 80, socket.AF_INET)}))"


def of_etc() -> str:
    """Return a hash of the host's files that name things, with their times."""
    found = hashlib.sha256()
    for name in ("resolv.conf", "hosts", "nsswitch.conf"):
        path = Path("/etc", name)
        if path.exists():
            found.update(path.read_bytes() + str(path.stat()).encode() + str(path.lstat()).encode())
    found.update(str(os.path.lexists("/etc/netns")).encode())
    return found.hexdigest()


def test_the_hosts_files_stay_as_they_are(names: Names) -> None:
    """The program has its own files. What it writes to them is gone when it ends."""
    before = of_etc()
    inside = names.run(
        "shop/client", "sh", "-c", "echo 10.1.1.1 changed >> /etc/hosts; cat /etc/hosts /etc/resolv.conf"
    )

    assert before == of_etc()
    assert "10.1.1.1 changed" in inside
    assert f"nameserver {DNS}" in inside
    assert "changed" not in names.run("shop/client", "cat", "/etc/hosts")


def test_no_name_service_of_the_host_is_reachable(names: Names) -> None:
    """The C library asks files and DNS only, and the sockets of other services are hidden."""
    switch = names.run("shop/client", "cat", "/etc/nsswitch.conf")
    hidden = ("/run/nscd", "/run/systemd/resolve", "/var/lib/sss/pipes", "/run/avahi-daemon")
    present = [place for place in hidden if Path(place).is_dir()]
    script = 'for place; do find -L "$place" -type s; done'

    assert "hosts: files dns" in switch.splitlines()
    assert 1 == sum(line.startswith("hosts:") for line in switch.splitlines())
    assert "" == names.run("shop/client", "sh", "-c", script, "sh", *present)


def test_hidden_sockets_of_a_host_that_has_them(names: Names) -> None:
    """A socket of nscd, as glibc looks for it before it reads nsswitch.conf."""
    place = Path("/run/nscd")
    made = not place.exists()
    place.mkdir(exist_ok=True)
    file = place / f"test-{os.getpid()}"
    file.touch()
    try:
        assert "" == names.run("shop/client", "find", "/run/nscd", "-name", file.name)
    finally:
        file.unlink()
        if made:
            place.rmdir()


def test_variables_do_not_change_the_resolver(names: Names) -> None:
    done = names.program(
        *("exec", "--lab", names.name, "shop/client", "--", "getent", "hosts", "front"),
        LOCALDOMAIN="nowhere.test",
        RES_OPTIONS="ndots:1",
    )

    assert "front.shop.svc.cluster.local" in done.stdout


def test_python_and_curl_resolve_as_the_c_library_does(names: Names) -> None:
    """curl cannot connect to the Service, and cannot resolve a name that does not exist."""
    assert (
        str(names.getent("front", base="ahostsv4")[:1])
        == names.run("shop/client", sys.executable, "-c", PYTHON).strip()
    )
    refused = names.call("exec", "shop/client", "--", "curl", "-s", "--max-time", "3", "http://front")
    unknown = names.call("exec", "shop/client", "--", "curl", "-s", "--max-time", "3", "http://nothing.shop")

    assert (7, 6) == (refused.returncode, unknown.returncode)


def test_machines_find_all_machines_by_their_hosts_file(names: Names) -> None:
    """Nodes and outside hosts have no name server."""
    for place in ("node:node-1", "host:api"):
        assert 1 == len(names.getent("node-2", place))
        assert ["100.64.9.9"] == names.getent("api.example.com", place)
        assert [] == names.getent("front.shop.svc.cluster.local", place)


def test_names_of_outside_hosts(names: Names) -> None:
    """A name that no host states is refused, and the server's output says so."""
    assert ["100.64.9.9"] == names.getent("api.example.com")
    assert [] == names.getent("www.example.org")
    (output,) = Path(f"/run/netlab/{names.name}/programs").glob("dns.*/output")
    assert "refused 'www.example.org'" in output.read_text()


def test_random_bytes_do_not_end_the_server(names: Names) -> None:
    """After random bytes over UDP and TCP, the same process answers."""
    before = names.servers()
    script = """
import random, socket, sys
drawn = random.Random(5)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(300):
    udp.sendto(drawn.randbytes(drawn.randrange(700)), (sys.argv[1], 53))
for _ in range(30):
    with socket.create_connection((sys.argv[1], 53), timeout=30) as tcp:
        tcp.sendall(drawn.randbytes(drawn.randrange(3000)))
"""
    assert 0 == names.call("exec", "shop/client", "--", sys.executable, "-c", script, DNS).returncode
    assert 1 == len(names.getent("front"))
    assert before == names.servers()


def test_a_server_that_was_killed_runs_again_when_it_is_needed(lab_of: Build) -> None:
    names = lab_of(dns_objects.text())
    assert 1 == len(names.getent("front"))
    (before,) = names.servers()
    os.kill(int(before), signal.SIGKILL)

    assert 1 == len(names.getent("front"))
    assert [before] != names.servers()


def test_two_commands_at_once_start_one_server(lab_of: Build) -> None:
    names = lab_of(dns_objects.text())
    command = [
        sys.executable,
        "-m",
        "netlab",
        "exec",
        "--lab",
        names.name,
        "shop/client",
        "--",
        "getent",
        "hosts",
        "front",
    ]
    both = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {one.communicate()[0] for one in both}

    assert 1 == len(printed)
    assert "front.shop.svc.cluster.local" in printed.pop()
    found = subprocess.run(["pgrep", "-f", "netlab.programs.dns_server"], capture_output=True, text=True, check=False)
    inside = os.stat(f"/run/netns/netlab.{names.name}.pod.kube-system.kube-dns").st_ino
    assert 1 == sum(inode(pid) == inside for pid in found.stdout.split())


def inode(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def test_down_ends_the_server(lab_of: Build) -> None:
    names = lab_of(dns_objects.text())
    names.getent("front")
    (server,) = names.servers()
    names.program("down", names.name)

    assert eventually(lambda: not Path(f"/proc/{server}").exists())
    assert not Path(f"/run/netlab/{names.name}").exists()


def test_a_lab_without_programs_starts_nothing(lab_of: Build) -> None:
    """A change, a list and a probe start nothing either."""
    names = lab_of(dns_objects.text())
    names.ok("get", "pods")
    names.apply(POLICIES)
    names.call("probe", "shop/client", "shop/web-a:8080")

    assert not Path(f"/run/netlab/{names.name}/programs").exists()


def test_a_lab_without_services_has_dns_once_a_program_asks(lab_of: Build) -> None:
    """The first program adds the DNS pod and its Service. ``up`` of the same input removes them."""
    text = dns_objects.text().partition("apiVersion: v1\nkind: Service")[0].rstrip("-\n")
    names = lab_of(text)
    assert "kube-dns" not in names.ok("get", "pods")
    assert ["10.96.0.1"] == names.getent("kubernetes.default")
    assert 1 == len(names.servers())
    names.program("up", "-f", names.write(text), "--lab", names.name)

    assert [] == names.servers()
    assert ["10.96.0.1"] == names.getent("kubernetes.default")


def test_changes_are_in_force_when_their_command_returns(lab_of: Build) -> None:
    """A new Service, a deleted one, a label that makes a pod an endpoint, and the server of a new DNS pod."""
    names = lab_of(dns_objects.text())
    assert [] == names.getent("late")
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: late, namespace: shop}\n"
    service += "spec: {clusterIP: 10.96.9.9, ports: [{port: 80}]}"
    names.apply(service)
    assert ["10.96.9.9"] == names.getent("late")
    names.ok("delete", "-f", names.write(service))
    assert [] == names.getent("late")

    assert 2 == len(set(names.getent("web", base="ahostsv4")))
    names.ok("label", "pod", "shop/client", "app=web")
    assert 3 == len(set(names.getent("web", base="ahostsv4")))


def test_policies_apply_to_dns(lab_of: Build) -> None:
    """Under a default deny no name is found. A rule for DNS lets it through, over UDP and TCP."""
    fast = "dnsConfig: {options: [{name: timeout, value: '1'}, {name: attempts, value: '1'}]}\n  hostAliases:"
    names = lab_of(dns_objects.text().replace("hostAliases:", fast))
    assert 1 == len(names.getent("front"))
    names.apply(POLICIES)
    assert [] == names.getent("front.shop.svc.cluster.local.")
    assert ["10.9.9.9"] == names.getent("foo.local")
    names.apply(ALLOW)
    assert 1 == len(names.getent("front"))


def test_the_inputs_own_dns_pods_serve(lab_of: Build) -> None:
    """All of the input's DNS pods answer on their own port, and netlab adds no pod."""
    names = lab_of(dns_objects.text(more=OWN_DNS))

    assert "nameserver 10.96.0.53\n" in names.run("shop/client", "cat", "/etc/resolv.conf")
    assert all(len(names.getent("front")) == 1 for _ in range(4))
    assert 2 == len(names.servers())
    assert "kube-system/kube-dns" not in names.ok("get", "pods", "-o", "name")


def test_a_long_answer_comes_over_tcp(lab_of: Build) -> None:
    """The C library asks again over TCP when an answer over UDP is cut."""
    names = lab_of(dns_objects.text(more=MANY))

    assert 60 == len(set(names.getent("many", base="ahostsv4")))


def test_a_lab_without_dns_starts_no_server(lab_of: Build) -> None:
    """Programs have a resolver without servers, and the hosts file."""
    names = lab_of(dns_objects.text().replace("  hosts:", "  dns: false\n  hosts:"))

    assert "# No name server: the lab answers no DNS.\n" == names.run("shop/client", "cat", "/etc/resolv.conf")
    assert ["10.9.9.9"] == names.getent("foo.local")
    assert [] == names.getent("front")
    assert [] == names.servers()


def test_a_port_that_is_taken_is_a_warning(lab_of: Build) -> None:
    """Another server in the DNS pod keeps the port. Programs run without DNS, and the next one tries again."""
    names = lab_of(dns_objects.text())
    listen = "import socket, time; s = socket.socket(); s.bind(('', 53)); s.listen(); print(flush=True); time.sleep(60)"
    names.getent("front")
    (server,) = names.servers()
    os.kill(int(server), signal.SIGKILL)
    command = [sys.executable, "-c", listen]
    inside = ["nsenter", f"--net=/run/netns/netlab.{names.name}.pod.kube-system.kube-dns", *command]
    with subprocess.Popen(inside, stdout=subprocess.PIPE) as taken:
        try:
            assert taken.stdout is not None
            taken.stdout.readline()
            done = names.call("exec", "shop/client", "--", "echo", "runs")
        finally:
            taken.kill()

    assert (0, "runs\n") == (done.returncode, done.stdout)
    assert "answers no DNS" in done.stderr
    assert "Traceback" not in done.stderr
    assert 1 == len(names.getent("front"))
