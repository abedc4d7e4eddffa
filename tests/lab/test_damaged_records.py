"""A lab whose record cannot be used does not disturb other labs, and ``down`` removes it."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from host_records import record

from netlab.cluster import Placement
from netlab.errors import DamagedRecord
from netlab.kernel import netns
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.lab.record import Record
from netlab.lab.state import State
from netlab.objects import decode, load
from netlab.objects.documents import parse

REPOSITORY = Path(__file__).parents[2]
SHOP = ("-f", str(REPOSITORY / "examples/shop"))
OTHER = 4_000_001
Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lab(unique: Callable[[str], str]) -> Iterator[str]:
    """A lab of one pod, removed afterwards."""
    name = unique("torn")
    text = "{apiVersion: v1, kind: Pod, metadata: {name: p}}"
    Lab.up(decode(parse(text, "pod.yaml")[0])[0], name=name).close()
    yield name
    if record.exists(name):
        removal.remove(name)
    for space in pinned(name):
        netns.remove(space)
    record.tidy()


def pinned(lab: str) -> list[str]:
    return sorted(path.name for path in netns.DIRECTORY.glob(f"netlab.{lab}.*"))


def edited(**changes: Any) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def fields(document: dict[str, Any]) -> Callable[[Path], object]:
    return edited(documents=[{"file": "x", "lines": {}, "duplicates": [], "data": document}])


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


IS_DAMAGED = "record.json is damaged"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (lambda path: os.truncate(path, path.stat().st_size // 2), IS_DAMAGED),
    "empty": (lambda path: os.truncate(path, 0), IS_DAMAGED),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff\xfe"), IS_DAMAGED),
    "a list": (lambda path: path.write_text("[]"), IS_DAMAGED),
    "nested without end": (lambda path: path.write_text("[" * 1_000_000), IS_DAMAGED),
    "huge": (lambda path: os.truncate(path, 1 << 40), "has 1099511627776 bytes, more than"),
    "of another version": (edited(version=999), "it is of another netlab version"),
    "of another lab": (edited(lab="other"), "it is of another lab"),
    "with namespaces of others": (edited(namespaces=["netlab.other.node.n"]), "it is of another lab"),
    "with a text for a list": (edited(namespaces="netlab"), IS_DAMAGED),
    "with a placement that is none": (edited(placement={"default/p": ["node-1", ["x"]]}), IS_DAMAGED),
    "with documents that are none": (edited(documents=[1]), IS_DAMAGED),
    "with repeated fields that are none": (
        edited(
            documents=[
                {
                    "file": "x",
                    "lines": {},
                    "duplicates": [[5, "x"]],
                    "data": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
                }
            ]
        ),
        IS_DAMAGED,
    ),
    "with an object that is none": (
        fields({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "P"}}),
        "its objects do not go together: x: Pod default/P: metadata.name: Invalid value",
    ),
    "with objects that do not fit": (
        fields(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p", "annotations": {"netlab/network": "moon"}},
            }
        ),
        "its objects do not go together: x: Pod default/p: metadata.annotations.netlab/network",
    ),
    "missing": (Path.unlink, "there is no /run/netlab/"),
    "a directory": (a_directory, "record.json is not a regular file"),
    "a link": (moved, "record.json is a symbolic link"),
    "open to all": (lambda path: path.chmod(0o666), "record.json (mode 0666)"),
    "another user's": (lambda path: os.chown(path, OTHER, OTHER), f"record.json belongs to user {OTHER}"),
    "in a directory that is open to all": (lambda path: path.parent.chmod(0o777), "(mode 0777)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_lab_whose_record_cannot_be_used(lab: str, netlab: Call, damage: str) -> None:
    """It is named with what to do, one line and exit code 2; ``down`` removes all of it."""
    spoil, why = DAMAGES[damage]
    spoil(record.path(lab))
    used = [netlab(*command, "--lab", lab) for command in (("probe",), ("get", "pods"), ("up", *SHOP))]
    listed = netlab("get", "labs", lab, "-o", "wide")
    down = netlab("down", lab)

    if damage == "in a directory that is open to all":
        # Nothing in it can be believed, the list of namespaces neither.
        assert "its record does not say whose these are" in down.stderr
        for space in pinned(lab):
            netns.remove(space)
    for done in used:
        printed = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert (2, 1) == (done.exit_code, len(printed)), done.stderr
        assert printed[0].startswith(f"Error: lab {lab}: its record cannot be used: ")
        assert why in printed[0]
        assert printed[0].endswith(f"; remove the lab with: netlab down {lab}")
    assert [lab, "Damaged"] == listed.stdout.splitlines()[1].split()[:2]
    assert f"Warning: lab {lab}: its record cannot be used" in listed.stderr
    assert (0, f"lab/{lab} deleted\n") == (down.exit_code, down.stdout)
    assert [] == pinned(lab)
    assert not (record.directory / lab).exists()


def test_other_labs_go_on(lab: str, program: Program, unique: Callable[[str], str]) -> None:
    """Every command on them, also where no lab is named; the damaged one is listed beside them."""
    other = unique("whole")
    record.path(lab).write_text("")
    try:
        up = program("up", *SHOP, "--lab", other)
        verify = program("verify", "--lab", other)
        listed = program("get", "labs", "-o", "name")
    finally:
        down = program("down", other)

    assert (0, 0, 0, 0) == (up.returncode, verify.returncode, listed.returncode, down.returncode)
    assert {f"lab/{lab}", f"lab/{other}"} <= set(listed.stdout.splitlines())


def test_without_a_record_and_a_list_a_name_proves_nothing(lab: str, program: Program) -> None:
    """The files go; the namespaces stay, and ``down`` says so."""
    spaces = pinned(lab)
    for file in record.path(lab).parent.iterdir():
        file.write_text("")
    down = program("down", lab)

    assert (0, f"lab/{lab} deleted\n") == (down.returncode, down.stdout)
    assert "so 3 network namespaces stayed" in down.stderr
    assert down.stderr.endswith(f"sudo ip netns delete NAME: {', '.join(spaces)}\n")
    assert spaces == pinned(lab)
    assert not record.exists(lab)


@pytest.mark.parametrize("written", ["x", "cut-off", "netlab.x.node.n"])
def test_a_list_that_is_none_is_no_lab_of_an_earlier_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Such a lab would lose its record and leave its namespaces; the record has them then."""
    monkeypatch.setattr(record.store, "directory", tmp_path)
    spaces = ("netlab.torn.node.node-1", "netlab.torn.underlay")
    record.save(Record("torn", (), {}, spaces, ready=True))
    (tmp_path / "torn/namespaces").write_text(f"{written}\n")

    assert not record.stale("torn")
    assert spaces == record.namespaces_of("torn").names


def test_a_list_names_nothing_of_others(lab: str, spaces: Callable[..., list[str]]) -> None:
    """Another lab's names in it do not count."""
    (foreign,) = spaces("foreign")
    file = record.path(lab).parent / "namespaces"
    file.write_text(f"{file.read_text()}{foreign}\nnetlab.{lab}.x/../../{foreign}\n")
    removal.remove(lab)

    assert netns.exists(foreign)
    assert [] == pinned(lab)


def test_a_link_in_the_place_of_a_labs_directory(
    program: Program, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """It is a lab that cannot be used; ``down`` removes the link, and nothing behind it."""
    name = unique("link")
    (tmp_path / "record.json").write_text("{}")
    record.prepare()
    (record.directory / name).symlink_to(tmp_path)
    try:
        listed = program("get", "labs", name)
    finally:
        down = program("down", name)
    record.tidy()

    assert [name, "Damaged"] == listed.stdout.splitlines()[1].split()[:2]
    assert 0 == down.returncode
    assert ["record.json"] == os.listdir(tmp_path)
    assert not (record.directory / name).is_symlink()


def test_a_build_that_broke_off_before_its_record_was_written(unique: Callable[[str], str], program: Program) -> None:
    """Nothing was made, so ``up`` begins anew."""
    name = unique("early")
    record.prepare()
    record.save(Record(name, (), namespaces=(f"netlab.{name}.node.node-1",)))
    record.path(name).unlink()
    try:
        up = program("up", *SHOP, "--lab", name)
    finally:
        down = program("down", name)
    record.tidy()

    assert (0, 0) == (up.returncode, down.returncode), up.stderr


def test_the_record_that_a_broken_change_kept_is_checked_too(lab: str, program: Program) -> None:
    """Without it ``up`` does not know what the nodes hold."""
    path = record.path(lab)
    path.with_name("earlier-0.json").write_text("")
    edited(ready=False)(path)
    up = program("up", *SHOP, "--lab", lab)

    assert 2 == up.returncode
    assert "earlier-0.json is damaged; remove the lab with: netlab down" in up.stderr


# Everything below /run is this process's own, so that all labs may go.
ALL = """
import os, pathlib, subprocess, sys
from netlab.kernel import libc

libc.unshare(libc.CLONE_NEWNS)
libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
libc.mount("none", "/run", "tmpfs", data="mode=755")

def netlab(*arguments, umask=0o022):
    command = [sys.executable, "-m", "netlab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, umask=umask)

pod = "/run/pod.yaml"
pathlib.Path(pod).write_text("{apiVersion: v1, kind: Pod, metadata: {name: p}}")
"""


def in_a_run_of_its_own(script: str) -> str:
    """Return what a script prints that has a /run of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ALL + script], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_down_of_all_removes_whole_and_damaged_labs() -> None:
    """In any order; a lab that cannot be removed does not stop the others."""
    printed = in_a_run_of_its_own("""
for name in "abc":
    assert netlab("up", "-f", pod, "--lab", name).returncode == 0
pathlib.Path("/run/netlab/a/record.json").write_text("")
chosen = netlab("get", "pods", "-o", "name")
pathlib.Path("/run/netlab/b/record.json").unlink()
chosen = netlab("get", "pods", "-o", "name")
libc.mount("none", "/run/netlab/b", "tmpfs")
pathlib.Path("/run/netlab/b/record.json").mkdir()
stuck = netlab("down", "--all")
left = sorted(os.listdir("/run/netlab"))
libc.umount("/run/netlab/b")
down = netlab("down", "--all")
print(chosen.stdout, stuck.returncode, stuck.stderr, stuck.stdout, down.returncode, down.stdout, os.listdir("/run"))
""")

    lines = printed.splitlines()
    assert "pod/default/p" == lines[0]
    assert lines[1].startswith(" 3 Error: cannot remove /run/netlab/b: Device or resource busy")
    assert [" lab/a deleted", "lab/c deleted", " 0 lab/b deleted", " ['pod.yaml']"] == lines[2:]


@pytest.mark.parametrize("umask", ["0o000", "0o777"])
def test_no_other_user_may_read_or_write_a_labs_files(umask: str) -> None:
    """Under every umask: directories 0700, files 0600; the lab can be used."""
    printed = in_a_run_of_its_own(f"""
up = netlab("up", "-f", pod, "--lab", "a", umask={umask})
for place, _, files in os.walk("/run/netlab"):
    print(oct(os.stat(place).st_mode & 0o777), "directory")
    for file in files:
        if not os.path.islink(f"{{place}}/{{file}}"):
            print(oct(os.stat(f"{{place}}/{{file}}").st_mode & 0o777), "file")
print(up.returncode, netlab("verify", "--lab", "a", umask={umask}).returncode)
print(netlab("down", "a", umask={umask}).returncode)
""")

    assert {"0o700 directory", "0o600 file", "0 0", "0"} == set(printed.splitlines())


def test_a_directory_that_an_older_netlab_left_open_is_closed() -> None:
    """One of another user is refused."""
    printed = in_a_run_of_its_own(f"""
os.mkdir("/run/netlab")
os.chmod("/run/netlab", 0o777)
print(netlab("up", "-f", pod).returncode, oct(os.stat("/run/netlab").st_mode & 0o777), netlab("down").returncode)
os.mkdir("/run/netlab")
os.chown("/run/netlab", {OTHER}, {OTHER})
print(netlab("up", "-f", pod).stderr)
""")

    assert ["0 0o700 0", f"Error: /run/netlab belongs to user {OTHER}; remove it: sudo rm -r /run/netlab"] == (
        printed.split("\n")[:2]
    )


# --- without a kernel -----------------------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The data of a record of the shop, in a directory of the test's own."""
    from netlab.cluster import resolve

    monkeypatch.setattr(record.store, "directory", tmp_path)
    objects = load([str(REPOSITORY / "examples/shop")])[0]
    pods = {p.ref: Placement(p.node, p.addresses) for p in resolve(objects).pods}
    record.save(Record("shop", objects.documents, pods, ("netlab.shop.node.node-1",), ready=True, boot="b"))
    data: dict[str, Any] = json.loads(record.path("shop").read_text())
    return data


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value in JSON: what it is in, and its key or index there."""
    if isinstance(data, (dict, list)):
        for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
            yield data, key
            yield from places(value)


def test_every_fault_in_a_record_is_one_line(written: dict[str, Any]) -> None:
    """Or the record is usable; no other exception is raised."""
    rng, printed = random.Random(1), set[str]()  # noqa: S311  not for secrets
    wrong: list[Any] = [
        None,
        "",
        "x",
        0,
        -1,
        1e300,
        True,
        [],
        {},
        [[]],
        ["x"],
        {"a": 1},
        "\ud800",
        "10.244.0.1",
        "netlab.shop.x",
    ]
    for _ in range(400):
        data = copy.deepcopy(written)
        for _ in range(rng.randint(1, 3)):
            parent, key = rng.choice(list(places(data)))
            if rng.random() < 0.2:
                del parent[key]
            else:
                parent[key] = copy.deepcopy(rng.choice(wrong))
        record.path("shop").write_text(json.dumps(data))
        try:
            found = record.load("shop")
            assert found is not None
            _ = State.of_record(found).cluster
        except DamagedRecord as error:
            printed.add(str(error))
    assert {1} == {len(line.splitlines()) for line in printed}
    assert len(printed) > 50
