"""The ingress controller follows the lab: from outside, through its load balancer, as root and as an ordinary user."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from ingress_lab import (
    CLIENT,
    USER,
    IngressLab,
    certificate,
    closed,
    ingress,
    ingress_lab,
    pod,
    readable_copy,
    secret,
    service,
    topology,
)

from netlab.kernel.processes import started
from netlab.programs.nginx_conf import CONNECT_SECONDS

HOST = "host:client"

# Sends half of a request, and the other half when it is told to.
SLOW = """
import socket, sys
with socket.create_connection((sys.argv[1], 80), 60) as to:
    to.sendall(b"POST /slow HTTP/1.1\\r\\nHost: shop.example\\r\\nContent-Length: 2\\r\\n\\r\\nx")
    print("half", flush=True)
    sys.stdin.readline()
    to.sendall(b"x")
    print(to.recv(1000).decode().splitlines()[0])
"""


def _documents(*names: str) -> list[dict[str, object]]:
    pods = [pod(f"shop/{name}-0", name, node=f"n{number % 2 + 1}") for number, name in enumerate(names)]
    return [
        topology("10.244.0.0/16", "fd00:10:244::/56"),
        pod(CLIENT, server=False, node="n1"),
        *pods,
        *(service(f"shop/{name}") for name in names),
    ]


def _nginx(lab: IngressLab) -> dict[int, str]:
    """Return the processes of nginx in the controller's pod, by id, with their titles."""
    space = os.stat(f"/run/netns/netlab.{lab.name}.pod.ingress-nginx.controller").st_ino
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.stat(entry / "ns/net").st_ino == space:
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return {number: title for number, title in found.items() if title.startswith("nginx: ")}


def _alive(numbers: Iterable[int]) -> list[int]:
    """Return the processes that run; process 1 of a container may leave dead ones."""
    return [number for number in numbers if started(number)]


@pytest.fixture(params=[None, USER], ids=["root", "rootless"])
def one(request: pytest.FixtureRequest, unique: Callable[[str], str], tmp_path: Path) -> Iterator[IngressLab]:
    """A lab that does not exist yet, of root or of an ordinary user."""
    if request.param is None:
        with ingress_lab(unique("ing"), tmp_path) as made:
            yield made
        return
    with readable_copy() as place, ingress_lab(unique("ing"), place, request.param) as made:
        yield made


def test_a_request_from_outside_in_both_families(one: IngressLab) -> None:
    """It comes through the load balancer's address, also over HTTPS, as root and as an ordinary user."""
    crt, key = certificate(one.directory, "one", "shop.example")
    rules = [("shop.example", ["^/cart a:80", "=/pay b:http"])]
    tls = [(["shop.example"], "one")]
    one.up([*_documents("a", "b"), secret("shop/one", crt, key), ingress("shop/i", rules, tls=tls)])
    one.ready()
    for family in (4, 6):
        address = one.load_balancer(family)
        got = [
            one.curl(url, "--cacert", str(crt), place=HOST, address=address)
            for url in ("http://shop.example/cart/1", "https://shop.example/pay", "http://shop.example/other")
        ]
        assert [(200, "a-0"), (200, "b-0"), (404, "")] == [(answer.status, answer.pod) for answer in got]
    one.down()
    assert "is running" in one.netlab("get", "pods", "--lab", one.name, check=False).stderr


def test_nginx_has_no_privilege_and_its_key_is_its_own(unique: Callable[[str], str], tmp_path: Path) -> None:
    """nginx is user nobody without capabilities. Only nginx can read the key. ``down`` removes all of it."""
    crt, key = certificate(tmp_path, "one", "shop.example")
    rules = [("shop.example", ["^/ a:80"])]
    with ingress_lab(unique("ing"), tmp_path) as lab:
        lab.up([*_documents("a"), secret("shop/one", crt, key), ingress("shop/i", rules, tls=[((), "one")])])
        lab.ready()
        processes = _nginx(lab)
        (folder,) = Path(f"/run/netlab/{lab.name}/programs").glob("nginx.*")
        (kept,) = folder.glob("*.key")

        assert 2 == len(processes)
        for number in processes:
            status = Path(f"/proc/{number}/status").read_text()
            assert "Uid:\t65534\t65534\t65534\t65534" in status
            assert "CapEff:\t0000000000000000" in status
        assert (0o600, 65534) == (stat.S_IMODE(kept.stat().st_mode), kept.stat().st_uid)
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        lab.curl("http://shop.example/seen")
        assert 'shop.example "GET /seen HTTP/1.1" 200' in (folder / "access.log").read_text()
        lab.down()
        assert not folder.exists()
        assert not _alive(processes)


def test_a_change_is_in_force_and_drops_no_connection(unique: Callable[[str], str], tmp_path: Path) -> None:
    """A request of an old connection is answered while rules change; the next request meets the new rules."""
    rules = [("shop.example", ["^/ a:80"])]
    with ingress_lab(unique("ing"), tmp_path) as lab:
        lab.up([*_documents("a", "b"), ingress("shop/i", rules)])
        lab.ready()
        before = _nginx(lab)
        command = [*lab.exec(CLIENT), sys.executable, "-c", SLOW, lab.address("ingress-nginx/controller")]
        slow = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert slow.stdout is not None
        assert slow.stdout.readline() == "half\n"
        for to in ("b:80", "a:80", "b:80"):
            new = yaml.safe_dump(ingress("shop/i", [("shop.example", [f"^/ {to}"])]))
            lab.netlab("apply", "-f", "-", "--lab", lab.name, text=new)
            assert f"{to[0]}-0" == lab.curl("http://shop.example/").pod
        assert "HTTP/1.1 200 OK" == slow.communicate("go on\n")[0].strip()
        after = _nginx(lab)

        assert min(before) in after  # the master
        lab.netlab("delete", "ingress", "i", "-n", "shop", "--lab", lab.name)
        assert not _alive(after)


def test_a_backend_that_policy_denies_is_502_or_504_within_5_s(unique: Callable[[str], str], tmp_path: Path) -> None:
    """``explain`` says the same. If policy denies one of two endpoints, some requests fail."""
    documents = [
        *_documents("a", "b"),
        pod("shop/b-1", "b"),
        ingress("shop/i", [("shop.example", ["^/a a:80", "^/b b:80"])]),
        closed("shop/no-a", "a"),
    ]
    one_only = closed("shop/no-b-1", "b")
    with ingress_lab(unique("ing"), tmp_path) as lab:
        lab.up(documents)
        lab.ready(but=("shop/a-0",))
        # How long nginx waits for a connection; a busy machine adds what it likes.
        assert CONNECT_SECONDS < 5
        assert lab.curl("http://shop.example/a").status in (502, 504)
        said = lab.netlab("explain", "http://shop.example/a", "--from", HOST, "--lab", lab.name, "--family", "4").stdout
        assert "host:client -> http://shop.example/a, IPv4: deny" in said
        assert "NetworkPolicy shop/no-a isolates it" in said
        lab.netlab("label", "pod", "shop/b-1", "alone=yes", "--lab", lab.name)
        one_only["spec"]["podSelector"] = {"matchLabels": {"alone": "yes"}}
        lab.netlab("apply", "-f", "-", "--lab", lab.name, text=yaml.safe_dump(one_only))
        said = lab.netlab("explain", "http://shop.example/b", "--from", HOST, "--lab", lab.name, "--family", "4").stdout
        assert "http://shop.example/b, IPv4: some" in said
        statuses = {lab.curl("http://shop.example/b").status for _ in range(4)}
        assert 200 in statuses
        assert statuses & {502, 504}
