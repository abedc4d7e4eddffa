"""A lab that is wired as a CNI: packets agree with the evaluator, and a running lab changes from one to another."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netlab.cluster.flows import every_pair
from netlab.conformance.shorthand import document
from netlab.errors import NetlabError
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.policy.evaluate import evaluate
from netlab.profiles.documents import with_profile

Program = Callable[..., "subprocess.CompletedProcess[str]"]
WIRED = ("flannel", "calico-vxlan", "canal", "cilium", "kube-router", "romana", "weave", "docker", "kindnet", "aws-vpc")
POLICY = document(
    "NetworkPolicy",
    "x/deny",
    {
        "podSelector": {"matchLabels": {"app": "a"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
)


def pod(name: str, node: str) -> Document:
    return document("Pod", f"x/{name}", {"nodeName": node, "containers": []}, labels=f"app={name}")


def topology() -> Document:
    spec: dict[str, Any] = {"nodes": [{"name": "n1"}, {"name": "n2"}]}
    return document("Topology", "t", spec | {"hosts": [{"name": "client", "addresses": ["192.0.2.10"]}]})


@pytest.fixture
def up(unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Bring the lab of this test to documents with a profile; gone afterwards."""
    name = unique("pf")
    running: list[Lab] = []

    def to(profile: str, *documents: Document) -> Lab:
        while running:
            running.pop().close()
        objects, problems = decode(with_profile(documents, profile))
        assert [] == [one for one in problems if one.severity == "error"]
        running.append(Lab.up(objects, name=name))
        return running[0]

    yield to
    while running:
        running.pop().close()
    if name in Lab.names():
        removal.remove(name)


def wrong(lab: Lab) -> list[str]:
    """What ``up`` would repair, and every pair whose packets and expected verdict differ."""
    found = lab.drift()
    for measured in lab.probe(every_pair(lab.cluster, nodes=True)):
        expected = evaluate(lab.cluster, measured.flow)
        if expected.verdict != measured.verdict:
            flow = f"{measured.flow.source.ref} to {measured.flow.target}"
            found.append(f"{flow}: {expected.verdict}, {measured.verdict} ({measured.reason})")
    return found


@pytest.mark.parametrize("profile", WIRED)
def test_a_lab_wired_as_a_cni_agrees_and_takes_a_pod(up: Callable[..., Lab], profile: str) -> None:
    """The pod that is added has the same wiring as the first ones, and nothing is left to repair."""
    lab = up(profile, topology(), POLICY, pod("a", "n1"), pod("b", "n2"))
    lab.apply([pod("c", "n1")])

    assert [] == wrong(lab)


def test_a_running_lab_changes_from_one_cni_to_another(up: Callable[..., Lab]) -> None:
    """With ``up`` and with ``apply``; each time the whole lab is the new one's."""
    objects = (topology(), POLICY, pod("a", "n1"), pod("b", "n2"))
    lab = up("flannel", *objects)
    for profile in ("calico-none", "weave", "kubernetes"):
        lab = up(profile, *objects)
        assert [] == wrong(lab)
    lab.apply(with_profile([], "canal", lab.documents))

    assert ["canal"] == [one.mode for one in lab.cluster.networks]
    assert [] == wrong(lab)


def test_a_running_lab_is_asked_as_another_cni_and_stays(up: Callable[..., Lab]) -> None:
    """The evaluator answers; the kernel and the record are as they were."""
    lab = up("kubernetes", topology(), POLICY, pod("a", "n1"), pod("b", "n2"))
    cluster = lab.cluster_as(lambda documents: with_profile(documents, "cilium"))

    assert ("cilium", None) == (cluster.profile and cluster.profile.name, lab.cluster.profile)
    assert [] == wrong(lab)


def test_a_lab_whose_record_has_a_users_profile_is_opened_again(up: Callable[..., Lab], tmp_path: Path) -> None:
    """The record has the file's Profile, so the file may go."""
    file = tmp_path / "mine.yaml"
    spec = {"base": "kube-router", "policy": {"icmp": {"value": "allow", "mark": "DOC", "source": "a page"}}}
    file.write_text(json.dumps(dict(document("Profile", "mine", spec).data)))
    name = up(str(file), topology(), pod("a", "n1"), pod("b", "n2")).name
    file.unlink()
    with Lab.open(name) as lab:
        assert ("mine", "allow") == (lab.cluster.networks[0].mode, lab.cluster.policy.icmp)
        lab.apply([pod("c", "n2")])
        assert [] == wrong(lab)


def test_the_commands_of_a_running_lab_know_its_profile(up: Callable[..., Lab], program: Program) -> None:
    """``get`` names it; ``apply --as`` changes it; ``reach --as`` asks as another one."""
    name = up("flannel", topology(), POLICY, pod("a", "n1"), pod("b", "n2")).name
    more = ("--lab", name)
    listed = json.loads(program("get", "labs", name, "-o", "json").stdout)
    assert "flannel" == (listed.get("items") or [listed])[0]["spec"]["profile"]

    done = program("apply", "-f", "-", "--as", "kube-router", *more, text=json.dumps(dict(pod("c", "n1").data)))
    assert 0 == done.returncode, done.stderr
    assert "kube-router" in program("get", "labs", name, "-o", "wide").stdout
    assert 0 == program("reach", "--as", "weave", *more).returncode
    assert 0 == program("verify", *more).returncode
    assert 2 == program("verify", "--as", "weave", *more).returncode


def test_a_kernel_without_a_link_kind_says_so(up: Callable[..., Lab]) -> None:
    """Where the kernel has the kind, the lab is built."""
    refused: NetlabError | None = None
    try:
        assert [] == wrong(up("calico", topology(), pod("a", "n1"), pod("b", "n2")))
    except NetlabError as error:
        refused = error

    assert refused is None or (3 == refused.exit_code and "tunl0" in str(refused))
