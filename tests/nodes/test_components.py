"""The programs of a control plane as values: where they listen, and what each of them can read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from builders import cluster

from netlab.control_plane import abac, certificates, kubeconfig, settings
from netlab.control_plane.components import Component, agent, components
from netlab.control_plane.settings import Ports, Settings
from netlab.errors import InputError
from netlab.testing import FakeKernel

PORTS = Ports(*range(20001, 20007))
PROGRAMS = {name: f"/opt/{name}" for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")}
NAMES = [one.name for one in certificates.CERTIFICATES] + [
    certificates.CLUSTER,
    certificates.ETCD,
    certificates.FRONT_PROXY,
]
FILES = {f"{name}.{end}": name.encode() for name in NAMES for end in ("crt", "key")}
FILES |= {"accounts.key": b"private", "accounts.pub": b"public"}


def made(**more: Any) -> dict[str, Component]:
    settings = Settings(PORTS, PROGRAMS, "/home/a/kubeconfig", **more)
    return {one.kind: one for one in components("lab", cluster("a/web"), settings, FILES)}


def test_everything_listens_on_the_loopback_address():
    """No other machine reaches it."""
    for one in made().values():
        words = [word for word in one.program.argv if "listen" in word or "bind-address" in word]

        assert words
        assert all("127.0.0.1" in word for word in words)


def test_no_program_has_privilege():
    """They are user nobody, in mounts of their own."""
    assert not any(one.program.privileged for one in made().values())


def test_a_program_can_read_no_key_of_another_one():
    """The controller manager signs requests, so it has the authority's key. That of etcd's authority is nobody's."""
    keys = {
        kind: {name for name in {**one.public, **one.secret} if name.endswith(".key")} for kind, one in made().items()
    }

    assert {"etcd.key"} == keys["etcd"]
    own = {"apiserver.key", "etcd-client.key", "kubelet-client.key", "front-proxy.key", "accounts.key"}
    assert own == keys["kube-apiserver"]
    assert {"controller-manager.key", "accounts.key", "ca.key"} == keys["kube-controller-manager"]
    assert {"scheduler.key"} == keys["kube-scheduler"]


def test_no_key_is_among_the_public_files():
    """Secret files have mode 0600."""
    assert [] == [
        name for one in made().values() for name in one.public if name.endswith(".key") or name == "kubeconfig"
    ]


def test_every_file_that_a_program_names_is_in_its_folder():
    """It sees no other folder."""
    for one in made(abac="{}").values():
        named = {word.partition("=/run/netlab/")[2] for word in one.program.argv if "=/run/netlab/" in word}

        assert named <= {*one.public, *one.secret, *one.program.folders}


def test_etcd_trusts_its_own_authority_only():
    """Whoever is a user of the API is no client of etcd."""
    argv = made()["etcd"].program.argv

    assert "--trusted-ca-file=/run/netlab/etcd-ca.crt" in argv
    assert "--client-cert-auth" in argv


def test_admission_plugins_and_abac_are_passed_through():
    """Without a policy file, ABAC is no authorizer."""
    argv = made(plugins=("AlwaysPullImages",), abac="{}")["kube-apiserver"].program.argv

    assert "--enable-admission-plugins=NodeRestriction,AlwaysPullImages" in argv
    assert "--authorization-mode=Node,RBAC,ABAC" in argv
    assert "--authorization-mode=Node,RBAC" in made()["kube-apiserver"].program.argv


def test_a_kubeconfig_holds_its_certificates():
    """So it works wherever it is copied."""
    value = json.loads(kubeconfig.text(FILES, "admin", "lab", 20003))

    assert "https://127.0.0.1:20003" == value["clusters"][0]["cluster"]["server"]
    assert {"client-certificate-data", "client-key-data"} == set(value["users"][0]["user"])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "has no rule: one JSON object a line"),
        ("# nothing\n", 0, "has no rule: one JSON object a line"),
        ("# a\n{]", 2, "not JSON: Expecting property name enclosed in double quotes"),
        ("[]", 1, "no rule: it must have apiVersion abac.authorization.kubernetes.io/v1beta1 and kind Policy"),
        (
            '{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy"}',
            1,
            "no rule: spec must be an object",
        ),
    ],
    ids=["empty", "comment", "text", "list", "no-spec"],
)
def test_a_policy_file_that_the_api_server_would_refuse_is_an_error_with_a_line(tmp_path, text, line, message):
    """It is said before anything starts."""
    file = tmp_path / "abac.jsonl"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        abac.read(str(file))

    assert [(line, message)] == [(one.line, one.message) for one in caught.value.problems]


def words(kind: str, name: str, **more: Any) -> list[str]:
    return [word.partition("=")[2] for word in made(**more)[kind].program.argv if word.startswith(f"--{name}=")]


def test_by_default_the_controllers_wait_as_long_as_those_of_kubernetes():
    """netlab says nothing, as the defaults differ between versions."""
    assert [] == words("kube-controller-manager", "node-monitor-grace-period")
    assert [] == words("kube-apiserver", "default-unreachable-toleration-seconds")


def test_a_short_grace_period_is_looked_at_often_and_has_several_heartbeats():
    """Else a node that runs would be not ready from time to time."""
    assert ["4s"] == words("kube-controller-manager", "node-monitor-grace-period", node_grace=4)
    assert ["1s"] == words("kube-controller-manager", "node-monitor-period", node_grace=4)
    assert ["5s"] == words("kube-controller-manager", "node-monitor-period", node_grace=600)
    assert ("lab", "1", "none") == agent("lab", Settings(PORTS, PROGRAMS, "", node_grace=4)).argv
    assert ("lab", "10", "none") == agent("lab", Settings(PORTS, PROGRAMS, "")).argv


def test_the_times_that_pods_tolerate_reach_the_api_server():
    """It writes them into each pod that is created; 0 is a time too."""
    assert ["0"] == words("kube-apiserver", "default-unreachable-toleration-seconds", unreachable=0)
    assert ["7"] == words("kube-apiserver", "default-not-ready-toleration-seconds", not_ready=7)


@pytest.mark.parametrize("more", [{}, {"node_grace": 4, "unreachable": 0, "not_ready": 9}])
def test_settings_are_read_as_they_were_written(tmp_path, more):
    """Those of a lab that an older netlab started lack what it did not know."""
    machine = FakeKernel(tmp_path)
    written = Settings(PORTS, PROGRAMS, "/home/a/kubeconfig", ("A",), "", **more)
    settings.write(machine, "lab", written)
    file = settings.folder(machine, "lab") / "settings.json"

    assert written == settings.read(machine, "lab")
    data = {name: value for name, value in json.loads(file.read_text()).items() if name not in ("node_grace",)}
    file.write_text(json.dumps(data))
    assert replace(written, node_grace=None) == settings.read(machine, "lab")
