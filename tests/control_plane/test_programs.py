"""Programs in pods of a real control plane: the stand-in for agnhost, programs of the host, logs and probes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from control_plane.lab_plane import Plane
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])

SPACE = "programs"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.56"
HOST = {"netlab/run": "host"}
FILE = "/tmp/alive"  # noqa: S108  of a program alone


@pytest.fixture(scope="module")
def here(started: Plane) -> Iterator[Plane]:
    """Return the control plane with a namespace of these tests."""
    started.make_namespace(SPACE)
    yield started
    started.kubectl("delete", "namespace", SPACE, "--wait=false")


def container(name: str = "c", *command: str, image: str = "any", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": image, **({"command": [*command]} if command else {}), **more}


def make(plane: Plane, name: str, *containers: dict[str, Any], host: bool = False, **spec: Any) -> None:
    metadata = {"name": name, "namespace": SPACE, "labels": {"app": name}, "annotations": HOST if host else {}}
    spec = {"terminationGracePeriodSeconds": 2, **spec}
    plane.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [*containers], **spec}}
    )


def pod(plane: Plane, name: str) -> dict[str, Any]:
    return plane.get("pod", name, "-n", SPACE)


def is_ready(plane: Plane, name: str) -> bool:
    return {"Ready": "True"}.items() <= {
        one["type"]: one["status"] for one in pod(plane, name)["status"].get("conditions", ())
    }.items()


def ready(plane: Plane, name: str) -> None:
    eventually(lambda: is_ready(plane, name))


def phase(plane: Plane, name: str) -> str:
    return str(pod(plane, name)["status"]["phase"])


def run(plane: Plane, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a pod by kubectl."""
    kubectl = ["kubectl", "--kubeconfig", str(plane.kubeconfig), "exec", "-n", SPACE, name, "--"]
    return subprocess.run([*kubectl, *words], capture_output=True, text=True, timeout=60)


def logs(plane: Plane, name: str, *words: str) -> str:
    return plane.kubectl("logs", "-n", SPACE, name, *words)


def state(plane: Plane, name: str, at: int = 0) -> dict[str, Any]:
    """Return the status of a container, empty before its node has written one."""
    found = pod(plane, name)["status"].get("containerStatuses")
    return dict(found[at]) if found else {}


def connect(plane: Plane, name: str, to: str, kind: str = "tcp") -> tuple[int, str]:
    """Return the exit code of a connection from a pod, and the first word of what it says."""
    done = run(plane, name, "/agnhost", "connect", to, "--timeout=1s", f"--protocol={kind}")
    return done.returncode, re.split("[:\n]", done.stderr)[0]


def listens(plane: Plane, name: str) -> None:
    """Wait until the program of a pod listens: a pod without a probe is ready before."""
    eventually(lambda: connect(plane, name, "127.0.0.1:8080") == (0, ""))


# --- agnhost ----------------------------------------------------------------------------------------------------------


def test_pods_of_judges_serve_and_ask_as_with_the_image(here):
    """As the Netpol suite and cyclonus have them: ports of one container or of several, TCP and UDP."""
    env = [{"name": f"SERVE_{kind}_PORT_{port}", "value": "foo"} for kind in ("TCP", "UDP") for port in (80, 81)]
    make(here, "server", container("c", "/agnhost", "porter", image=AGNHOST, env=env),
         container("d", image=AGNHOST, args=["serve-hostname", "--udp", "--http=false", "--port=82"]))  # fmt: skip
    make(here, "client", container(image=AGNHOST))
    ready(here, "server")
    ready(here, "client")
    address = pod(here, "server")["status"]["podIP"]

    def answers(port: int, kind: str) -> bool:
        return connect(here, "client", f"{address}:{port}", kind) == (0, "")

    for port, kind in ((80, "tcp"), (80, "udp"), (81, "tcp"), (81, "udp"), (82, "udp")):
        assert eventually(partial(answers, port, kind))
    for port, kind in ((82, "tcp"), (83, "tcp"), (83, "udp")):
        assert (1, "REFUSED") == connect(here, "client", f"{address}:{port}", kind)


def test_a_pod_of_agnhost_serves_tls(here):
    """With a certificate that it makes when it starts, as in the specs of the API server's proxy."""
    env = [{"name": "SERVE_TLS_PORT_443", "value": "foo"}, {"name": "SERVE_PORT_80", "value": "bar"}]
    make(here, "encrypts", container("c", "/agnhost", "porter", image=AGNHOST, env=env))
    ready(here, "encrypts")
    path = f"/api/v1/namespaces/{SPACE}/pods/https:encrypts:443/proxy/"

    assert eventually(lambda: here.kubectl("get", "--raw", path, check=False) == "foo")
    assert 0 == state(here, "encrypts")["restartCount"]


def test_a_policy_makes_connect_time_out(here):
    """And without it the port answers again; a shell in a pod has /agnhost too, and finds Services by name."""
    make(here, "denied", container(image=AGNHOST, args=["netexec"]))
    make(here, "asks", container(image=AGNHOST))
    here.kubectl("expose", "pod", "denied", "-n", SPACE, "--port=8080")
    ready(here, "denied")
    ready(here, "asks")
    ask = ("sh", "-c", "/agnhost connect denied:8080 --timeout=1s")
    assert eventually(lambda: run(here, "asks", *ask).returncode == 0)
    spec = {"podSelector": {"matchLabels": {"app": "denied"}}, "policyTypes": ["Ingress"]}
    metadata = {"name": "deny", "namespace": SPACE}
    here.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})

    eventually(lambda: run(here, "asks", *ask).stderr.startswith("TIMEOUT\n"))
    here.kubectl("delete", "networkpolicy", "deny", "-n", SPACE)
    assert eventually(lambda: run(here, "asks", *ask).returncode == 0)


def test_exec_joins_the_container(here):
    """It sees the container's program, its variables and its network, and is user nobody."""
    make(here, "joined", container(image=AGNHOST, args=["netexec"], env=[{"name": "MINE", "value": "yes"}]))
    ready(here, "joined")
    found = run(here, "joined", "sh", "-c", "id -u; echo $MINE; cat /proc/1/cmdline | tr '\\0' ' '; hostname")

    assert found.stdout.startswith("65534\nyes\n")
    assert "runtime_process" in found.stdout
    assert found.stdout.endswith("joined\n")
    missing = run(here, "joined", "no-such-program")
    assert 127 == missing.returncode
    assert "no such program on this host" in missing.stderr


def test_a_subcommand_that_is_missing_is_said(here):
    """The container fails as often as it is tried; the log says why."""
    make(here, "missing", container(image=AGNHOST, args=["webhook"]))
    eventually(lambda: state(here, "missing").get("restartCount", 0) >= 1)

    assert "CrashLoopBackOff" == eventually(lambda: state(here, "missing")["state"].get("waiting"))["reason"]
    assert 'unknown command "webhook"' in logs(here, "missing", "--previous")
    assert not is_ready(here, "missing")


def test_a_container_that_ends_starts_again(here):
    """Its exit code is in the state before."""
    make(here, "again", container(image=AGNHOST, args=["netexec"]))
    ready(here, "again")
    listens(here, "again")
    run(here, "again", "curl", "-s", "http://localhost:8080/exit?code=3")
    found = eventually(lambda: (one := state(here, "again"))["restartCount"] == 1 and one)
    ready(here, "again")

    assert 3 == found["lastState"]["terminated"]["exitCode"]
    listens(here, "again")


# --- programs of the host ---------------------------------------------------------------------------------------------


def test_a_program_of_the_host_runs_where_the_pod_asks_for_it(here):
    """Init containers first; variables, folder, exit code and phase. Without the annotation it is a pause."""
    script = "echo $WHO $(pwd) $(id -u); echo error >&2; exit $CODE"
    env = [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    first = container("first", "sh", "-c", "echo first; sleep 0.5")
    for name, code in (("good", "0"), ("bad", "3")):
        variables = [*env, {"name": "CODE", "value": code}]
        main = container("main", "sh", "-c", script, env=variables, workingDir="/usr")
        make(here, name, main, host=True, initContainers=[first], restartPolicy="Never")
    make(here, "quiet", container("main", "sh", "-c", "exit 1"), restartPolicy="Never")

    assert eventually(lambda: phase(here, "good") == "Succeeded")
    assert eventually(lambda: phase(here, "bad") == "Failed")
    assert "first\n" == logs(here, "good", "-c", "first")
    assert {"good /usr 65534", "error"} == set(logs(here, "good", "-c", "main").splitlines())
    assert 3 == state(here, "bad")["state"]["terminated"]["exitCode"]
    assert eventually(lambda: phase(here, "quiet") == "Running")


def test_a_job_completes(here):
    """The real controller sees its pods succeed."""
    template = {
        "metadata": {"annotations": HOST},
        "spec": {"restartPolicy": "Never", "containers": [container("c", "sh", "-c", "echo done")]},
    }
    here.apply({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job", "namespace": SPACE},
        "spec": {"completions": 2, "parallelism": 2, "template": template},
    })  # fmt: skip
    here.kubectl("wait", "-n", SPACE, "--for=condition=Complete", "job/job", "--timeout=90s")

    assert "done\n" == here.kubectl("logs", "-n", SPACE, "job/job")


def test_a_program_gets_sigterm_and_its_grace_period(here):
    """One that ends at SIGTERM ends at once, and one that does not when the time is over."""
    trap = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
    make(here, "willing", container("c", "sh", "-c", trap), host=True, terminationGracePeriodSeconds=600)
    make(here, "unwilling", container("c", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"), host=True)
    for name in ("willing", "unwilling"):
        ready(here, name)
        here.kubectl("delete", "pod", name, "-n", SPACE, "--timeout=90s")


def test_logs_are_followed_until_the_end(here):
    """With times, and the last lines only, if the client wants that."""
    make(here, "talks", container("c", "sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done"), host=True,
         restartPolicy="Never")  # fmt: skip
    eventually(lambda: pod(here, "talks")["status"]["phase"] in ("Running", "Succeeded"))

    assert [f"line {n}" for n in range(1, 7)] == logs(here, "talks", "-f").splitlines()
    assert "line 5\nline 6\n" == logs(here, "talks", "--tail=2")
    when, _, text = logs(here, "talks", "--timestamps", "--tail=1").partition(" ")
    assert ("T", "line 6\n") == (when[10], text)


def test_logs_of_a_pod_that_is_removed_end(here):
    """``kubectl logs -f`` ends with its pod, also where the pod is gone at once, and where it is a pause."""
    make(here, "talking", container("c", "sh", "-c", "while sleep 0.1; do echo x; done"), host=True)
    make(here, "pauses", container())
    ready(here, "talking")
    ready(here, "pauses")
    ask = ["kubectl", "--kubeconfig", str(here.kubeconfig), "logs", "-f", "-n", SPACE]
    null = subprocess.DEVNULL
    with (
        subprocess.Popen([*ask, "talking"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as talks,
        subprocess.Popen([*ask, "pauses"], stdout=null, stderr=null) as pauses,
    ):
        try:
            assert talks.stdout is not None
            assert b"x\n" == talks.stdout.readline()
            here.kubectl("delete", "pod", "talking", "pauses", "-n", SPACE, "--grace-period=0", "--force")
            talks.communicate(timeout=90)
            pauses.wait(90)
        finally:
            talks.kill()
            pauses.kill()


def test_containers_share_a_volume_and_read_a_config_map(here):
    """At paths that the host has, and at others; nothing of it is left on the host. A Secret stops the container."""
    here.kubectl("create", "configmap", "settings", "-n", SPACE, "--from-literal=a.conf=one")
    volumes = [
        {"name": "shared", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "none", "optional": True}},
    ]
    mounts = [
        {"name": "shared", "mountPath": "/data"},
        {"name": "settings", "mountPath": "/etc/of/pod"},
        {"name": "settings", "mountPath": "/usr/lib/of.conf", "subPath": "a.conf"},
    ]
    write = container("write", "sh", "-c", "cp /etc/of/pod/a.conf /data/copy; sleep 600", volumeMounts=mounts)
    read = container(
        "read", "sh", "-c", "sleep 600", volumeMounts=[{"name": "shared", "mountPath": "/usr/share/of/pod"}]
    )
    make(here, "volumes", write, read, host=True, volumes=volumes)
    secret = container("c", "sleep", "600", volumeMounts=[{"name": "secret", "mountPath": "/s"}])
    make(here, "secretive", secret, host=True, volumes=volumes)
    ready(here, "volumes")
    of = ("-c", "read", "--", "cat", "/usr/share/of/pod/copy")

    assert "one" == eventually(
        lambda: here.kubectl("exec", "-n", SPACE, "volumes", *of, check=False) == "one" and "one"
    )
    assert "one" == run(here, "volumes", "cat", "/usr/lib/of.conf").stdout
    assert 0 != run(here, "volumes", "sh", "-c", "echo x > /etc/of/pod/a.conf").returncode
    assert not Path("/data/copy").exists()
    assert not Path("/etc/of").exists()
    assert not Path("/usr/share/of").exists()
    last = eventually(lambda: state(here, "secretive").get("lastState", {}).get("terminated"))
    assert ("StartError", "volume secret: netlab keeps no Secrets") == (last["reason"], last["message"])


# --- probes -----------------------------------------------------------------------------------------------------------


def test_a_program_has_to_pass_its_probes(here):
    """A port where nothing listens is a failure here, as it is for a command that fails."""
    every = {"periodSeconds": 1, "failureThreshold": 1}
    probes: dict[str, Any] = {
        "tcp": {"tcpSocket": {"port": 8080}},
        "http": {"httpGet": {"port": 8080, "path": "/readyz"}},
        "closed": {"tcpSocket": {"port": 9}},
        "command": {"exec": {"command": ["sh", "-c", 'test -n "$HOSTNAME"']}},
        "fails": {"exec": {"command": ["/agnhost", "connect", "127.0.0.1:9"]}},
    }
    for name, probe in probes.items():
        make(here, f"probe-{name}", container(image=AGNHOST, args=["netexec"], readinessProbe={**probe, **every}))
    for name in ("tcp", "http", "command"):
        ready(here, f"probe-{name}")
    time.sleep(2)

    assert [False, False] == [is_ready(here, f"probe-{name}") for name in ("closed", "fails")]


def test_a_liveness_probe_starts_a_program_anew(here):
    """When the file is gone that it looks for."""
    probe = {"exec": {"command": ["test", "-e", FILE]}, "periodSeconds": 1, "failureThreshold": 1}
    script = f"touch {FILE}; sleep 3; rm {FILE}; sleep 600"
    make(
        here, "mortal", container("c", "sh", "-c", script, livenessProbe={**probe, "initialDelaySeconds": 1}), host=True
    )
    ready(here, "mortal")

    assert eventually(lambda: state(here, "mortal")["restartCount"] > 0)


# --- kubectl attach, and failures -------------------------------------------------------------------------------------


def test_attach_shows_what_a_program_prints_from_now_on(here):
    """Until it has ended."""
    script = f"echo early; until test -e {FILE}; do sleep 0.2; echo late; done"
    make(here, "attached", container("c", "sh", "-c", script), host=True, restartPolicy="Never")
    eventually(lambda: "early" in here.kubectl("logs", "-n", SPACE, "attached", check=False))
    attach = ["kubectl", "--kubeconfig", str(here.kubeconfig), "attach", "-n", SPACE, "attached"]
    with subprocess.Popen(attach, stdout=subprocess.PIPE, text=True) as shown:
        try:
            assert shown.stdout is not None
            assert "late\n" == shown.stdout.readline()
            assert 0 == run(here, "attached", "touch", FILE).returncode
            assert {"late\n"} >= {*shown.stdout}
            assert 0 == shown.wait()
        finally:
            shown.kill()


def test_programs_start_anew_when_netlab_as_the_nodes_was_killed(here):
    """They end with it; it is counted as a restart. What had finished stays so."""
    make(here, "survivor", container(image=AGNHOST, args=["netexec"]))
    make(here, "finished", container("c", "sh", "-c", "exit 0"), host=True, restartPolicy="Never")
    ready(here, "survivor")
    eventually(lambda: phase(here, "finished") == "Succeeded")
    os.kill(here.process("agent"), signal.SIGKILL)
    here.up()

    assert eventually(lambda: state(here, "survivor")["restartCount"] == 1)
    ready(here, "survivor")
    listens(here, "survivor")
    assert "Succeeded" == phase(here, "finished")


def test_a_pod_that_has_to_end_says_whether_it_is_ready_while_it_serves(here):
    """netexec fails its probe of readiness from SIGTERM on, and answers until it ends."""
    probe = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    make(here, "serves-on", container("c", image=AGNHOST, args=["netexec", "--delay-shutdown=60"],
         readinessProbe=probe), terminationGracePeriodSeconds=60)  # fmt: skip
    ready(here, "serves-on")
    here.kubectl("delete", "pod", "serves-on", "-n", SPACE, "--wait=false")
    eventually(lambda: not is_ready(here, "serves-on"))

    assert "Running" == phase(here, "serves-on")
    assert "running" in state(here, "serves-on")["state"]
    here.kubectl("delete", "pod", "serves-on", "-n", SPACE, "--force", "--grace-period=0")
