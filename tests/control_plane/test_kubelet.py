"""netlab as the kubelets of a real control plane: ``kubectl exec`` and ``logs``, and who may ask."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from control_plane.lab_plane import Plane, running
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])


def test_kubectl_runs_programs_of_the_host_in_a_pod(of_lab):
    """Output, errors, input and exit codes are those of the program; the network is the pod's."""
    one = running(of_lab.pods())[0]
    name, address = one["metadata"]["name"], one["status"]["podIP"]
    ask = ("exec", "-n", "shop", name)

    assert address in of_lab.kubectl(*ask, "--", "ip", "-4", "addr")
    assert '"in"' == of_lab.kubectl(*ask, "-i", "--", "cat", given="in")
    assert "65534\n" == of_lab.kubectl(*ask, "--", "id", "-u")
    failed = subprocess.run(
        ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), *ask, "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (3, "out\n") == (failed.returncode, failed.stdout)
    assert failed.stderr.startswith("err\n")


def test_a_program_listens_on_a_low_port_and_names_are_found(of_lab):
    """As in a container; another pod reaches it by the name of a Service, whose only endpoint it is."""
    names = [one["metadata"]["name"] for one in running(of_lab.pods())]
    ask = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-n", "shop"]
    of_lab.kubectl("label", "pod", names[0], "-n", "shop", "serves=yes")
    of_lab.kubectl("create", "service", "clusterip", "one", "-n", "shop", "--tcp=80")
    of_lab.kubectl("set", "selector", "service", "one", "serves=yes", "-n", "shop")
    server = ["/usr/bin/python3", "-m", "http.server", "80"]
    null = subprocess.DEVNULL
    with subprocess.Popen([*ask, names[0], "--", *server], stdin=null, stdout=null) as program:
        try:
            curl = [*ask, names[1], "--", "curl", "-sf", "-o", "/dev/null", "-m", "3", "http://one"]
            assert eventually(lambda: subprocess.run(curl, stderr=null).returncode == 0)
        finally:
            program.kill()
    of_lab.kubectl("delete", "service", "one", "-n", "shop")
    of_lab.kubectl("label", "pod", names[0], "-n", "shop", "serves-")


def test_much_goes_in_and_out_of_a_program(of_lab):
    """Ten megabytes come back as they were sent, and thirty programs run at a time."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    ask = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-n", "shop", "-i", name, "--"]
    data = os.urandom(10 << 20)
    back = subprocess.run([*ask, "cat"], input=data, capture_output=True, timeout=60, check=True)
    assert data == back.stdout
    with ThreadPoolExecutor(10) as pool:
        found = pool.map(lambda n: subprocess.run([*ask, "echo", str(n)], capture_output=True, timeout=60), range(30))

    assert [f"{n}\n".encode() for n in range(30)] == [done.stdout for done in found]


def test_a_terminal_has_a_size_and_job_control(of_lab):
    """`kubectl exec -it` gets one."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    ask = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-n", "shop", "-it", name, "--"]
    # kubectl sends the size a moment after the program has begun.
    wait = 'for i in $(seq 100); do [ "$(stty size)" = "0 0" ] || break; sleep 0.1; done'
    # script(1) gives kubectl a terminal.
    shown = subprocess.run(
        [
            "script",
            "-qec",
            f"stty rows 33 cols 77; {' '.join(ask)} sh -c '{wait}; stty size; tty; kill -INT $$'",
            "/dev/null",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "33 77" in shown.stdout
    assert "/dev/pts/" in shown.stdout


def test_a_program_ends_with_its_client(of_lab):
    """kubectl is killed; nothing is left in the pod."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    ask = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-n", "shop", "-i", name, "--"]
    with subprocess.Popen(
        [*ask, "sh", "-c", "echo here; sleep 3600"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert b"here\n" == client.stdout.readline()
        inside = eventually(lambda: _sleepers(of_lab, name))
        client.kill()

    assert eventually(lambda: not _sleepers(of_lab, name)), inside


def _sleepers(of_lab: Plane, pod: str) -> list[str]:
    """Return the ids of the programs ``sleep`` in a pod's network namespace."""
    space = os.stat(f"/run/netns/netlab.{of_lab.name}.pod.shop.{pod}").st_ino
    found = []
    for entry in Path("/proc").iterdir():
        try:
            sleeps = entry.name.isdecimal() and (entry / "comm").read_text() == "sleep\n"
            if sleeps and (entry / "ns" / "net").stat().st_ino == space:
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_logs_of_a_pause_are_empty(of_lab):
    """It prints nothing."""
    name = running(of_lab.pods())[0]["metadata"]["name"]

    assert "" == of_lab.kubectl("logs", "-n", "shop", name)


def test_only_the_api_server_may_ask_a_kubelet(of_lab):
    """The administrator's own certificate is refused, and so is a client without one."""
    port = json.loads(Path(f"/run/netlab/{of_lab.name}/control-plane/settings.json").read_text())["ports"]["kubelet"]
    pki = Path(f"/run/netlab/{of_lab.name}/control-plane/pki")
    ask = ["curl", "-s", "--cacert", str(pki / "ca.crt"), f"https://127.0.0.1:{port}/pods"]
    as_admin = ["--cert", str(pki / "admin.crt"), "--key", str(pki / "admin.key")]
    own = ["--cert", str(pki / "kubelet-client.crt"), "--key", str(pki / "kubelet-client.key")]

    assert b"only the API server may ask\n" == subprocess.run([*ask, *as_admin], capture_output=True).stdout
    assert 0 != subprocess.run(ask, capture_output=True).returncode
    assert b"PodList" in subprocess.run([*ask, *own], capture_output=True, check=True).stdout
    ask[-1] = f"https://127.0.0.1:{port}/metrics"
    assert b"netlab_changes_total" in subprocess.run([*ask, *own], capture_output=True, check=True).stdout
