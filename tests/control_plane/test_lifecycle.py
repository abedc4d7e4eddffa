"""What a kubelet does about the containers of a real API server's pods, besides running them: hooks, and variables."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from control_plane.lab_plane import Plane
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])

SPACE = "lifecycle"
HOST = {"netlab/run": "host"}


@pytest.fixture(scope="module")
def here(started: Plane) -> Iterator[Plane]:
    """Return the control plane with a namespace of these tests."""
    started.make_namespace(SPACE)
    yield started
    started.kubectl("delete", "namespace", SPACE, "--wait=false")


def make(plane: Plane, name: str, *containers: dict[str, Any], **spec: Any) -> None:
    """Create a pod whose containers may run programs of the host."""
    all_of = [{"name": f"c{number}", "image": "any", **one} for number, one in enumerate(containers)]
    metadata = {"name": name, "namespace": SPACE, "labels": {"app": name}, "annotations": HOST}
    plane.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": all_of, **spec}})


def pod(plane: Plane, name: str) -> dict[str, Any]:
    return plane.get("pod", name, "-n", SPACE)


def state(plane: Plane, name: str) -> dict[str, Any]:
    found = pod(plane, name)["status"].get("containerStatuses")
    return dict(found[0]) if found else {}


def is_ready(plane: Plane, name: str) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True" for one in pod(plane, name)["status"].get("conditions", ())
    )


def events(plane: Plane, name: str, reason: str) -> list[dict[str, Any]]:
    """Return the Events of a reason about a pod."""
    found = plane.get("events", "-n", SPACE, f"--field-selector=involvedObject.name={name},reason={reason}")
    return list(found["items"])


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_a_pod_is_not_ready_until_its_post_start_has_ended(here):
    """The hook runs beside the container's program, and sees its volumes."""
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}]}
    hook = {"exec": {"command": ["sh", "-c", "until test -e /v/go; do sleep 0.1; done; echo $MINE > /v/done"]}}
    main = {
        "command": ["sleep", "600"],
        "env": [{"name": "MINE", "value": "yes"}],
        "lifecycle": {"postStart": hook},
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    make(here, "slow", main, terminationGracePeriodSeconds=0, **volumes)
    eventually(lambda: state(here, "slow").get("state", {}).get("waiting", {}).get("reason") == "ContainerCreating")
    assert "Pending" == pod(here, "slow")["status"]["phase"]
    assert not is_ready(here, "slow")
    here.kubectl("exec", "-n", SPACE, "slow", "--", "touch", "/v/go")

    assert eventually(lambda: is_ready(here, "slow"))
    assert "yes\n" == here.kubectl("exec", "-n", SPACE, "slow", "--", "cat", "/v/done")


def test_a_post_start_that_fails_ends_its_container(here):
    """An Event names the container; it starts again."""
    hook = {"exec": {"command": ["false"]}}
    make(
        here, "fails", {"command": ["sleep", "600"], "lifecycle": {"postStart": hook}}, terminationGracePeriodSeconds=0
    )
    eventually(lambda: state(here, "fails").get("restartCount"))

    (first, *_) = eventually(lambda: events(here, "fails", "FailedPostStartHook"))
    assert ("PostStartHook failed", "spec.containers{c0}") == (first["message"], first["involvedObject"]["fieldPath"])


def delete(plane: Plane, name: str) -> None:
    """Delete a pod, and wait until it is gone."""
    plane.kubectl("delete", "pod", name, "-n", SPACE, "--wait=false")
    eventually(lambda: "NotFound" in plane.kubectl("get", "pod", name, "-n", SPACE, check=False))


def test_pre_stop_runs_before_sigterm(here):
    """The log has the order."""
    program = "echo up; trap 'echo term >> /v/order; cat /v/order; exit 0' TERM; while :; do sleep 0.1; done"
    main = {
        "command": ["sh", "-c", program],
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "sleep 1; echo hook >> /v/order"]}}},
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}]}
    make(here, "order", main, terminationGracePeriodSeconds=60, **volumes)
    eventually(lambda: is_ready(here, "order"))
    words = ["kubectl", "--kubeconfig", str(here.kubeconfig), "logs", "-n", SPACE, "-f", "order"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as log:
        # Now kubectl follows the log.
        assert log.stdout is not None
        assert b"up\n" == log.stdout.readline()
        delete(here, "order")
        said, _ = log.communicate(timeout=30)

    assert b"hook\nterm\n" == said


def test_a_pause_with_a_pre_stop_is_terminating_until_that_has_ended(here):
    """So a Service keeps sending to it, as to a server that drains. A shorter grace period ends it."""
    make(here, "drains", {"lifecycle": {"preStop": {"sleep": {"seconds": 600}}}}, terminationGracePeriodSeconds=600)
    eventually(lambda: is_ready(here, "drains"))
    here.kubectl("delete", "pod", "drains", "-n", SPACE, "--wait=false")
    make(here, "later", {})
    eventually(lambda: is_ready(here, "later"))
    assert ("Running", True) == (pod(here, "drains")["status"]["phase"], is_ready(here, "drains"))

    here.kubectl("delete", "pod", "drains", "-n", SPACE, "--grace-period=1", "--timeout=30s")


def test_pre_stop_counts_against_the_grace_period_and_asks_by_http(here):
    """A hook that takes too long is no failure, and one that finds nobody is; a program has two seconds after that."""
    program = "trap '' TERM; while :; do sleep 0.1; done"
    long = {"command": ["sh", "-c", program], "lifecycle": {"preStop": {"exec": {"command": ["sleep", "600"]}}}}
    deaf = {"command": ["sh", "-c", program], "lifecycle": {"preStop": {"httpGet": {"port": 81}}}}
    make(here, "long", long, terminationGracePeriodSeconds=1)
    # Enough for a busy machine to see that nobody listens.
    make(here, "deaf", deaf, terminationGracePeriodSeconds=5)
    for name in ("long", "deaf"):
        eventually(partial(is_ready, here, name))
        delete(here, name)

    (event, *_) = eventually(lambda: events(here, "deaf", "FailedPreStopHook"))
    assert "PreStopHook failed" == event["message"]
    assert [] == events(here, "long", "FailedPreStopHook")


def test_pre_stop_asks_the_program_of_its_container(here):
    """At its port, by HTTP."""
    hook = {"httpGet": {"port": "http", "path": "/hostname"}}
    main = {
        "image": "agnhost",
        "args": ["netexec", "--http-port=8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "lifecycle": {"preStop": hook},
    }
    make(here, "asked", main, terminationGracePeriodSeconds=60)
    eventually(lambda: is_ready(here, "asked"))
    # It is ready before its program listens.
    connect = ("exec", "-n", SPACE, "asked", "--", "/agnhost", "connect", "127.0.0.1:8080", "--timeout=1s")
    eventually(lambda: here.kubectl(*connect, check=False) == "")

    delete(here, "asked")
    assert [] == events(here, "asked", "FailedPreStopHook")


# --- variables of Services --------------------------------------------------------------------------------------------


def test_a_program_has_the_variables_of_the_services_of_its_start(here):
    """Those of its namespace, where it wants them, and the API server's. One that is made later is missing.

    A program of kubectl exec has the variables of the container.
    """
    make(here, "server", {})
    here.kubectl("expose", "pod", "server", "-n", SPACE, "--port=80", "--name=my-web")
    address = here.get("service", "my-web", "-n", SPACE)["spec"]["clusterIP"]
    make(here, "linked", {"command": ["sh", "-c", "env | sort; sleep 600"]}, terminationGracePeriodSeconds=0)
    make(here, "apart", {"command": ["sleep", "600"]}, enableServiceLinks=False, terminationGracePeriodSeconds=0)
    for name in ("linked", "apart"):
        eventually(partial(is_ready, here, name))
    here.kubectl("expose", "pod", "server", "-n", SPACE, "--port=80", "--name=later")
    log = eventually(partial(here.kubectl, "logs", "-n", SPACE, "linked"))
    inside = here.kubectl("exec", "-n", SPACE, "linked", "--", "env")
    apart = here.kubectl("exec", "-n", SPACE, "apart", "--", "env")

    for found in (log, inside):
        assert f"MY_WEB_SERVICE_HOST={address}\n" in found
        assert f"MY_WEB_PORT_80_TCP=tcp://{address}:80\n" in found
        assert "KUBERNETES_SERVICE_PORT_HTTPS=443\n" in found
        assert "LATER_" not in found
    assert "KUBERNETES_SERVICE_HOST=" in apart
    assert "MY_WEB_" not in apart


# --- devices ----------------------------------------------------------------------------------------------------------


def test_a_program_has_devices_of_its_own(here):
    """A node's disks and memory are not among them, in a container and in kubectl exec."""
    make(here, "devices", {"command": ["sh", "-c", "ls /dev; sleep 600"]}, terminationGracePeriodSeconds=0)
    eventually(lambda: is_ready(here, "devices"))
    log = eventually(lambda: here.kubectl("logs", "-n", SPACE, "devices"))

    assert log == here.kubectl("exec", "-n", SPACE, "devices", "--", "ls", "/dev")
    assert {"null", "pts", "shm", "tty", "urandom", "zero"} < {*log.split()} < {*os.listdir("/dev"), "ptmx"}
