"""``-f lab:NAME`` reads what a running lab was made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab.errors import UsageError
from netlab.lab.lab import Lab
from netlab.objects import load, read_input
from netlab.objects.scenarios import LabelChange, ObjectRef
from netlab.sources import SOURCES
from netlab.testing import FakeKernel

Call = Callable[..., Result]
TWO = """\
{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, labels: {app: b}}}
"""
DENY = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}}}\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return the running lab ``one``, in memory. A policy came after its pods, and a label changed."""
    monkeypatch.chdir(tmp_path)
    machine = FakeKernel(tmp_path / "records")
    monkeypatch.setattr("netlab.lab.lab.this_host", lambda: machine)
    Path("pods.yaml").write_text(TWO)
    Path("deny.yaml").write_text(DENY)
    running = Lab.up(load(["pods.yaml"])[0], name="one", machine=machine)
    running.apply(load(["deny.yaml"])[0].documents)
    running.label([LabelChange("pod", "default/a", {"tier": "front"})])
    return running


def test_a_lab_is_read_as_it_runs(lab: Lab) -> None:
    """With the changes since it was made; each object has its file and line."""
    found = read_input(["lab:one"], sources=SOURCES)

    assert () == found.problems
    assert {"app": "a", "tier": "front"} == found.objects.pods[0].meta.labels
    assert ["deny.yaml"] == [one.source.file for one in found.objects.policies]
    assert [("pods.yaml", 3)] == [(pod.source.file, pod.source.line()) for pod in found.objects.pods[1:]]


def test_it_is_read_beside_files(lab: Lab, netlab: Call, tmp_path: Path) -> None:
    """As a source among others, on every command that reads objects."""
    Path("more.yaml").write_text("{apiVersion: v1, kind: Pod, metadata: {name: c}}\n")
    done = netlab("reach", "-f", "lab:one", "-f", "more.yaml", "-o", "json")
    rows = {(row["source"], row["destination"]): row["expected"] for row in json.loads(done.stdout)["rows"]}

    assert 6 == len(rows)
    assert {"deny"} == {*rows.values()}


def test_alone_it_is_the_running_lab_with_its_addresses(lab: Lab, netlab: Call) -> None:
    """Its pods stay where they are, also if an earlier pod has gone."""
    address = str(lab.find("b").addresses[0])
    lab.delete([_ref("Pod", "a")])

    assert f"default/b, {address}," in netlab("explain", "b", "192.0.2.1:80", "-f", "lab:one").stdout
    assert netlab("reach", "-f", "lab:one").stdout == netlab("reach", "--lab", "one").stdout


def test_check_names_the_lab(lab: Lab, netlab: Call) -> None:
    """Beside files it is an input like others, and no running lab."""
    Path("more.yaml").write_text("{apiVersion: v1, kind: Pod, metadata: {name: c}}\n")

    assert netlab("check", "-f", "lab:one").stdout.startswith("lab one: 1 node, 2 pods, ")
    assert netlab("check", "-f", "lab:one", "-f", "more.yaml").stdout.startswith("lab default: 1 node, 3 pods, ")


def test_a_question_does_not_change_it(lab: Lab, netlab: Call) -> None:
    """What-if of a running lab, with and without ``-f``."""
    before = lab.documents
    for source in ((), ("-f", "lab:one")):
        options = ("--without", "netpol/default/deny", "--label", "b", "x=y", "-o", "json")
        done = netlab("reach", *source, *options)

        assert {"allow"} == {row["expected"] for row in json.loads(done.stdout)["rows"]}
    with lab.held(shared=True):
        assert before == lab.documents


def test_wrong_changes_of_a_running_lab_are_named(lab: Lab, netlab: Call) -> None:
    """All of them, with exit code 2."""
    done = netlab("reach", "--without", "netpol/default/dney", "--with", "nope.yaml", "--label", "default/c", "x=y")

    assert 2 == done.exit_code
    assert [
        "nope.yaml: No such file or directory",
        "--without netpol/default/dney: no NetworkPolicy default/dney; did you mean default/deny?",
        "--label default/c: no pod or workload 'default/c'; did you mean default/b or default/a?",
    ] == done.stderr.splitlines()[1:]


def test_a_lab_that_does_not_run_is_an_error(lab: Lab) -> None:
    """So is a name that no lab can have; the path of a record is made of names of labs only."""
    for text in ("lab:two", "lab:", "lab:../one"):
        with pytest.raises(UsageError):
            read_input([text], sources=SOURCES)


def test_a_file_of_the_name_has_precedence(lab: Lab, netlab: Call) -> None:
    """``lab:one`` is the file if there is one."""
    Path("lab:one").write_text(TWO)

    assert 2 == len(json.loads(netlab("reach", "-f", "lab:one", "-o", "json").stdout)["rows"])
    assert "allow" in netlab("explain", "a", "b", "-f", "lab:one").stdout


def _ref(kind: str, name: str) -> ObjectRef:
    return ObjectRef(kind, name, "default")
