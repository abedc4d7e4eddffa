"""``kubectl port-forward`` to pods, by a WebSocket and by SPDY alone."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from control_plane.lab_plane import Plane, running
from control_plane.test_egress import serving
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
# Says how many bytes it got, after their end.
COUNT = """
import socket, threading
def count(one):
    size = 0
    while data := one.recv(1 << 16):
        size += len(data)
    one.sendall(b"%d" % size)
    one.close()
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
while True:
    threading.Thread(target=count, args=(server.accept()[0],)).start()
"""


@contextlib.contextmanager
def forwarded(plane: Plane, target: str, port: int, **environment: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Yield a port of this host that kubectl forwards."""
    words = ["kubectl", "--kubeconfig", str(plane.kubeconfig), "port-forward", "-n", "shop", target, f":{port}"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment
    ) as kubectl:
        assert kubectl.stdout is not None
        try:
            found = re.match(r"Forwarding from 127.0.0.1:(\d+) -> ", kubectl.stdout.readline())
            assert found is not None
            yield int(found[1]), kubectl
        finally:
            kubectl.kill()


def wait_until_it_listens(plane: Plane, pod: str, port: int) -> None:
    inside = ["exec", "-n", "shop", pod, "--", "ss", "-Htln"]
    assert eventually(lambda: f"127.0.0.1:{port} " in plane.kubectl(*inside))


def ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as opened:
        opened.sendall(data)
        opened.shutdown(socket.SHUT_WR)
        answer = b""
        while more := opened.recv(1 << 16):
            answer += more
        return answer


@pytest.mark.parametrize(("websockets", "listens"), [("true", 8080), ("false", 8081)])
def test_kubectl_forwards_a_port_of_this_host_to_a_pod(of_lab, websockets, listens):
    """The program listens on the pod's loopback address. Ten megabytes, and thirty connections at a time.

    Each has a port of its own, as the program before may still end.
    """
    pod = running(of_lab.pods())[0]["metadata"]["name"]
    with (
        serving(of_lab, pod, "/usr/bin/python3", "-c", COUNT.replace("8080", str(listens))),
        forwarded(of_lab, f"pod/{pod}", listens, KUBECTL_PORT_FORWARD_WEBSOCKETS=websockets) as (port, _),
        ThreadPoolExecutor(30) as pool,
    ):
        wait_until_it_listens(of_lab, pod, listens)

        assert b"10485760" == ask(port, bytes(10 << 20))
        assert {b"100000"} == set(pool.map(lambda _: ask(port, bytes(100_000)), range(60)))


def test_a_service_is_forwarded_to_one_of_its_pods(of_lab):
    """As kubectl chooses it."""
    pods = [one["metadata"]["name"] for one in running(of_lab.pods())]
    with contextlib.ExitStack() as stack:
        for pod in pods:
            stack.enter_context(serving(of_lab, pod, "/usr/bin/python3", "-c", COUNT.replace("8080", "80")))
            wait_until_it_listens(of_lab, pod, 80)
        port, _ = stack.enter_context(forwarded(of_lab, "service/web", 80))

        assert b"1000" == ask(port, bytes(1000))


def test_a_closed_port_is_said(of_lab):
    """kubectl prints the reason, and ends, as with any kubelet."""
    pod = running(of_lab.pods())[0]["metadata"]["name"]
    with forwarded(of_lab, f"pod/{pod}", 81) as (port, kubectl):
        assert b"" == ask(port, b"")
        said, _ = kubectl.communicate(timeout=30)

    assert f"error forwarding port 81 to pod shop/{pod}: Connection refused" in said
