"""``control-plane up`` again: at once, with other options, and after something was taken, removed or damaged."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_plane.lab_plane import PROGRAMS, WEB, Plane, lacking, running
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
ALL = (*PROGRAMS[:-1], "agent")
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "other"}}
NO_NODES = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "no-nodes"},
    "webhooks": [
        {
            "name": "no.nodes.example",
            # Nobody listens there.
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nodes"]}],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
    ],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Start a control plane by two commands at a time."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path_factory.mktemp("again"), f"again-{os.getpid():x}")
    try:
        commands = [found.starting(), found.starting()]
        assert [0, 0] == [one.wait(120) for one in commands]
        yield found
    finally:
        found.netlab("down", found.name, check=False)


def works(plane: Plane) -> bool:
    """Return whether a new pod runs, so each program does its part."""
    plane.apply(WEB | {"metadata": {"name": "web", "namespace": "default"}})
    plane.kubectl("rollout", "restart", "deployment", "web")
    plane.kubectl("rollout", "status", "deployment", "web", "--timeout=60s")
    pods = [one["metadata"]["name"] for one in running(plane.pods("default"))]
    return bool(eventually(plane.all_ready)) and 3 == sum(name.startswith("web-") for name in pods)


def test_two_commands_at_once_start_one_control_plane(own):
    """One waits for the other, and changes nothing."""
    pids = [own.process(program) for program in ALL]
    assert works(own)

    own.up()
    assert pids == [own.process(program) for program in ALL]


def test_other_rules_of_abac_are_in_force_at_once(own):
    """The API server reads them when it starts, so it starts again; without the option they stay."""
    ask = ("auth", "can-i", "list", "pods", "--as=bob")
    assert "no" in own.kubectl(*ask, check=False)
    rule = {"user": "bob", "namespace": "*", "resource": "pods", "readonly": True}
    version = "abac.authorization.kubernetes.io/v1beta1"
    (own.folder / "bob.jsonl").write_text(json.dumps({"apiVersion": version, "kind": "Policy", "spec": rule}))

    own.netlab("control-plane", "up", "-f", "lab.yaml", "--abac", "bob.jsonl")
    assert "yes\n" == own.kubectl(*ask)
    own.netlab("control-plane", "up", "-f", "lab.yaml")
    assert "yes\n" == own.kubectl(*ask)


def test_each_object_of_the_input_has_a_line_that_says_what_became_of_it(own):
    """Objects of netlab's own, such as the Service of DNS, have none."""
    (own.folder / "more.yaml").write_text(json.dumps(WEB | {"metadata": {"name": "more", "namespace": "lines"}}))
    again = ("control-plane", "up", "--lab", own.name, "-f", "more.yaml")

    assert "namespace/lines created\ndeployment/lines/more created\n" == own.netlab(*again).stdout
    assert "namespace/lines unchanged\ndeployment/lines/more unchanged\n" == own.netlab(*again).stdout
    own.kubectl("delete", "namespace", "lines", "--wait=false")


def test_what_kubectl_prints_is_input_again(own):
    """It has the uid and the version of an object that may have changed or gone since."""
    own.apply(WEB | {"metadata": {"name": "printed", "namespace": "default"}})
    (own.folder / "printed.yaml").write_text(own.kubectl("get", "deployment", "printed", "-o", "yaml"))
    own.kubectl("scale", "deployment", "printed", "--replicas=1")
    again = ("control-plane", "up", "--lab", own.name, "-f", "printed.yaml")

    assert "deployment/default/printed configured\n" == own.netlab(*again).stdout
    own.kubectl("delete", "deployment", "printed", "--timeout=60s")
    assert "deployment/default/printed created\n" == own.netlab(*again).stdout
    own.kubectl("delete", "deployment", "printed", "--wait=false")


def test_without_input_up_starts_what_ended_and_sends_nothing(own):
    """The lab is the one with a control plane."""
    os.kill(own.process("kube-scheduler"), signal.SIGKILL)
    said = own.netlab("control-plane", "up", "--lab", own.name)

    assert "" == said.stdout
    assert eventually(own.all_ready)


def test_pods_run_while_admission_refuses_the_nodes(own):
    """One of these pods may be the webhook that has to answer. The nodes are registered as soon as they may be."""
    own.apply(NO_NODES)
    create = ("create", "--dry-run=server", "-f", "-")
    try:
        eventually(lambda: "no.nodes.example" in own.kubectl(*create, given=NODE, check=False))
        own.kubectl("label", "node", "n1", "disk-")
        os.kill(own.process("agent"), signal.SIGKILL)
        own.again()
        assert works(own)
        assert "node n1 is not registered: " in (own.log("agent") / "output").read_text()
        assert "disk" not in own.get("node", "n1")["metadata"]["labels"]
    finally:
        own.kubectl("delete", "validatingwebhookconfiguration", "no-nodes")
    assert eventually(lambda: own.get("node", "n1")["metadata"]["labels"].get("disk") == "fast")


def test_another_topology_is_refused(own):
    """The nodes of a lab stay; a command that asks for others must not do nothing."""
    topology = (own.folder / "lab.yaml").read_text().replace("n3", "n4")
    (own.folder / "other.yaml").write_text(topology)
    failed = own.netlab("control-plane", "up", "--lab", own.name, "-f", "other.yaml", check=False)

    assert 2 == failed.returncode
    assert (
        f"Error: lab {own.name} runs with another Topology; remove it first: netlab down {own.name}\n" == failed.stderr
    )


def test_a_plugin_that_the_api_server_does_not_have_is_an_error_once(own):
    """The server's own words say what is wrong. The next command without the option starts it again."""
    again = ("control-plane", "up", "--lab", own.name)
    failed = own.netlab(*again, "--admission-plugins", "Nope", check=False)

    assert 3 == failed.returncode
    assert "Nope" in failed.stderr.splitlines()[-1]
    own.netlab(*again)
    assert eventually(own.all_ready)


def test_a_port_that_was_taken_meanwhile_is_replaced(own):
    """Another program has the ports of all that were killed; the kubeconfig has the new one."""
    settings = Path(f"/run/netlab/{own.name}/control-plane/settings.json")
    before = json.loads(settings.read_text())["ports"]
    for program in ALL:
        os.kill(own.process(program), signal.SIGKILL)
    taken: list[socket.socket] = []
    try:
        for port in before.values():
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            eventually(functools.partial(_bound, one, port))
            one.listen()
            taken.append(one)
        own.up()
        assert works(own)
    finally:
        for one in taken:
            one.close()

    assert not set(before.values()) & set(json.loads(settings.read_text())["ports"].values())


def _bound(one: socket.socket, port: int) -> bool:
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("name", ["ca.crt", "apiserver.key", "done"])
def test_keys_that_were_removed_are_made_anew(own, name):
    """All of them, as they belong together; each program starts again with its own, and the kubeconfig is new."""
    (Path(f"/run/netlab/{own.name}/control-plane/pki") / name).unlink()
    before = own.kubeconfig.read_text()

    own.up()
    assert before != own.kubeconfig.read_text()
    assert works(own)


def test_data_of_etcd_that_cannot_be_read_is_one_line_with_the_way_out(own):
    """As after a full disk: the exit code is 3, and `down` removes all of it."""
    os.kill(own.process("etcd"), signal.SIGKILL)
    for file in own.log("etcd").glob("data/member/wal/*.wal"):
        file.write_bytes(b"\xff" * 4096)
    failed = own.netlab(*own._up(), check=False)

    assert 3 == failed.returncode
    last = failed.stderr.splitlines()[-1]
    assert "etcd" in last
    assert str(own.log("etcd") / "output") in last
    own.netlab("control-plane", "down", "--lab", own.name)
    assert not own.kubeconfig.exists()


def test_on_a_full_disk_up_says_so_and_down_leaves_nothing(tmp_path):
    """etcd has no room for its first file; the disk is a small one of this test."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path, f"full-{os.getpid():x}")
    words = " ".join(found._up())
    netlab = f"{sys.executable} -m netlab"
    script = (
        "mount -t tmpfs -o size=8m none /run && mkdir /run/netns && "
        f"{{ {netlab} {words} 2>{tmp_path}/said; echo $?; {netlab} down --all; find /run -mindepth 1; }}"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    status, *rest = done.stdout.splitlines()
    assert "3" == status, done
    assert 1 == len([line for line in (tmp_path / "said").read_text().splitlines() if line.startswith("Error: ")])
    assert [f"lab/{found.name} deleted", "/run/netns"] == rest
    assert not found.kubeconfig.exists()


def test_under_sudo_the_kubeconfig_is_of_the_caller_and_no_link_is_followed(tmp_path):
    """In a folder of the caller, who may have put a link there."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path / "home"
    folder.mkdir()
    found = Plane(folder, f"sudo-{os.getpid():x}")
    found.kubeconfig.symlink_to(tmp_path / "target")
    (tmp_path / "target").write_text("of root")
    words = found._up()
    for path in (folder, found.kubeconfig):
        os.chown(path, 1234, 1234, follow_symlinks=False)
    for path in (tmp_path, tmp_path.parent):
        path.chmod(0o755)
    environment = os.environ | {"SUDO_UID": "1234", "SUDO_GID": "1234"}
    command = [sys.executable, "-m", "netlab", *words]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        status = os.lstat(found.kubeconfig)

        assert 0 == done.returncode, done.stderr
        assert (1234, 1234, 0o100600) == (status.st_uid, status.st_gid, status.st_mode)
        assert "of root" == (tmp_path / "target").read_text()
    finally:
        found.netlab("down", found.name, check=False)
    assert not found.kubeconfig.exists()
