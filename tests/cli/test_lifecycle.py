"""Labs are built and removed on the real kernel, also after an error in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_records import record

from netlab.kernel import netns
from netlab.lab.record import Record

Program = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]


@pytest.mark.kernel
def test_up_prints_every_object_and_down_leaves_nothing(program: Program, unique: Callable[[str], str]) -> None:
    """A lab runs in namespaces of its name; ``down`` removes them all."""
    name = unique("updown")
    try:
        up = program("up", "-f", "examples/shop", "--lab", name)
        pinned = [path.name for path in netns.DIRECTORY.glob(f"netlab.{name}.*")]
    finally:
        down = program("down", name)

    assert 0 == up.returncode
    assert "deployment/shop/web created" in up.stdout.splitlines()
    assert f"lab {name}: " in up.stderr
    assert f"netlab.{name}.pod.shop.web-0" in pinned
    assert (0, f"lab/{name} deleted\n") == (down.returncode, down.stdout)
    assert [] == list(netns.DIRECTORY.glob(f"netlab.{name}.*"))


@pytest.mark.kernel
def test_down_removes_a_lab_that_is_half_built(program: Program, unique: Callable[[str], str]) -> None:
    """A command that was killed leaves a record, which is enough."""
    name = unique("half")
    record.prepare()
    record.save(Record(name, (), namespaces=(f"netlab.{name}.node.node-1",)))
    try:
        listed = program("get", "labs", name).stdout.splitlines()[1].split()
        opened = program("probe", "--lab", name)
    finally:
        down = program("down", name)

    assert [name, "HalfBuilt"] == listed[:2]
    assert 2 == opened.returncode
    assert "netlab down removes it" in opened.stderr
    assert 0 == down.returncode
    assert not record.exists(name)


@pytest.mark.kernel
def test_down_of_a_missing_lab(program: Program, unique: Callable[[str], str]) -> None:
    """Exit code 2; the message names the lab."""
    name = unique("none")
    done = program("down", name)

    assert 2 == done.returncode
    assert done.stderr.startswith(f"Error: no lab {name!r} is running")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("number", "code", "printed"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "")]
)
def test_an_interrupted_verify_leaves_nothing(
    unique: Callable[[str], str], tmp_path: Path, number: int, code: int, printed: str
) -> None:
    """Its lab is removed before the command ends, whenever the signal comes."""
    name = unique("stop")
    topology = tmp_path / "topology.yaml"
    topology.write_text(f"apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {{name: {name}}}\n")
    pods = "".join(f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}}}\n" for n in range(60))
    (tmp_path / "pods.yaml").write_text(pods)
    command = [sys.executable, "-m", "netlab", "verify", "-f", str(tmp_path), "-o", "json"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(netns.DIRECTORY.glob(f"netlab.{name}*")) and process.poll() is None:
        os.sched_yield()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)

    assert (code, printed) == (process.returncode, said.strip())
    assert [] == list(netns.DIRECTORY.glob(f"netlab.{name}*"))
