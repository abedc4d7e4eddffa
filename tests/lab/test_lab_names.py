"""A lab's name is part of the names of files and namespaces: an invalid name is refused before anything is touched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from host_records import record

from netlab.errors import UsageError
from netlab.kernel import netns, privilege
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.lab.record import Record
from netlab.lab.temporary import temporary
from netlab.objects.all_objects import Objects
from netlab.objects.topology import Topology

Program = Callable[..., "subprocess.CompletedProcess[str]"]
HOSTILE = ("..", ".", "../../path", "a/b", "/etc", "a.b", "A", "-a", "a\nb", "a\0b", "a b", "*", "\udcff", "a" * 64)
NAMES = pytest.mark.parametrize("name", HOSTILE, ids=[repr(name[:12]) for name in HOSTILE])

COMMANDS = (
    ("up", "-f", "examples/shop"),
    ("mirror", "cluster:"),
    ("apply", "-f", "examples/shop"),
    ("delete", "pod", "a"),
    ("label", "pod", "a/b", "c=d"),
    ("get", "labs"),
    ("probe",),
    ("verify",),
    ("reach",),
    ("compile",),
    ("explain", "a/b", "a/c"),
    ("trace", "a/b", "a/c:80"),
    ("exec", "a/b", "--", "true"),
    ("shell", "a/b"),
    ("down",),
    ("down", "--all"),
)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Directories of records and namespaces that must stay as they are, with something in and around them."""
    for place in ("path", "run/netlab/mine", "run/netns"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "record.json").write_text("{}")

    def entered(**options: bool) -> bool:
        raise AssertionError("no name is looked at so late")

    monkeypatch.setattr(record.store, "directory", tmp_path / "run/netlab")
    monkeypatch.setattr(record.store, "_users", None)
    monkeypatch.setattr(netns, "DIRECTORY", tmp_path / "run/netns")
    monkeypatch.setattr(privilege, "enter", entered)
    before = sorted(tmp_path.rglob("*"))
    yield tmp_path
    assert before == sorted(tmp_path.rglob("*"))


@NAMES
@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(command[:2]) for command in COMMANDS])
def test_every_command_refuses_an_invalid_name(
    netlab: Callable[..., Result], untouched: Path, command: tuple[str, ...], name: str
) -> None:
    """As root and as any user: the check comes before the check of privilege."""
    for done in (
        netlab(command[0], "--lab", name, *command[1:]),
        netlab(*command, env={"NETLAB_LAB": name}) if "\0" not in name else None,
    ):
        if done is not None:
            assert (2, "") == (done.exit_code, done.stdout)
            assert 1 == done.stderr.count("\n")
            assert done.stderr.startswith("Error: lab name ")


@NAMES
def test_down_refuses_an_invalid_name(netlab: Callable[..., Result], untouched: Path, name: str) -> None:
    """It would remove a folder of that name."""
    done = netlab("down", "--", name)

    assert (2, 1) == (done.exit_code, done.stderr.count("\n"))
    assert done.stderr.startswith("Error: lab name ")


@pytest.mark.parametrize("arguments", [("down", ""), ("down", "--lab", ""), ("get", "labs", "--lab", "")])
def test_an_empty_name_is_no_name(netlab: Callable[..., Result], untouched: Path, arguments: tuple[str, ...]) -> None:
    """An empty variable of a script does not mean the only running lab."""
    done = netlab(*arguments)

    assert (2, "Error: lab name '': ") == (done.exit_code, done.stderr[:20])


@NAMES
def test_the_api_refuses_an_invalid_name(untouched: Path, name: str) -> None:
    """Where a lab is built, opened and removed, and where a Topology was made by a program."""
    made_by_hand = Objects(topology=Topology(name=name))
    for call in (
        lambda: Lab.up(Objects(), name=name),
        lambda: Lab.up(made_by_hand),
        lambda: Lab.open(name),
        lambda: removal.remove(name),
        lambda: removal.remove_everything(name),
        lambda: temporary(made_by_hand).__enter__() if len(name) < 64 else Lab.open(name),
    ):
        with pytest.raises(UsageError, match="lab name "):
            call()


@NAMES
def test_no_function_of_records_takes_another_name(untouched: Path, name: str) -> None:
    """Each of them makes a path of it."""
    one = Record(name, ())
    for call in (
        *(record.path, record.exists, record.load, record.namespaces_of, record.earlier, record.forget, record.remove),
        *(record.lock, lambda lab: record.locked(lab).__enter__()),
        *(lambda lab: record.save(one), lambda lab: record.keep(one)),
    ):
        with pytest.raises(UsageError, match="lab name "):
            call(name)


def test_entries_of_other_names_are_no_labs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are neither listed nor removed with the last lab."""
    monkeypatch.setattr(record.store, "directory", tmp_path)
    monkeypatch.setattr(netns, "NOTES", tmp_path / ".namespaces")
    monkeypatch.setattr(record.store, "_users", None)
    monkeypatch.setattr(netns, "share_directory", lambda: None)
    for name in ("good", "Bad", "a.b", ".hidden", "x\ny", "\udcff"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{}")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "killed.lock").touch()

    assert ["good"] == record.labs()
    (tmp_path / "good/record.json").unlink()
    record.prepare()
    (tmp_path / ".made").unlink()
    record.tidy()
    assert {"Bad", "a.b", ".hidden", "x\ny", "\udcff", "notes.txt"} == {entry.name for entry in tmp_path.iterdir()}


def write_record(name: str, **more: Any) -> None:
    """Write a record by hand, as only root can."""
    record.prepare()
    data = {
        "version": 3,
        "services": {},
        "lab": name,
        "boot": privilege.boot_id(),
        "ready": True,
        "namespaces": [],
        "placement": {},
        "documents": [],
    }
    record.path(name).parent.mkdir(mode=0o700)
    record.path(name).touch(mode=0o600)
    record.path(name).write_text(json.dumps({**data, **more}))


@pytest.fixture
def lab(unique: Callable[[str], str]) -> Iterator[str]:
    """A name for a lab whose record is gone afterwards."""
    name = unique("names")
    yield name
    record.remove(name)
    record.tidy()


def test_down_leaves_namespaces_that_a_record_may_not_name(lab: str, spaces: Callable[..., list[str]]) -> None:
    """Neither the namespaces nor their programs are the lab's."""
    (foreign,) = spaces("foreign")
    own = f"netlab.{lab}.pod.a.b"
    with netns.returning():
        netns.create(own)
    with netns.inside(foreign):
        process = subprocess.Popen(["sleep", "60"])
    try:
        names = [foreign, own, f"netlab.{lab}./../{foreign}", f"netlab.{lab}x.pod", "..", "", "\n"]
        write_record(lab, namespaces=names)
        removal.remove(lab)

        assert netns.exists(foreign)
        assert not netns.exists(own)
        assert process.poll() is None
        assert not record.exists(lab)
    finally:
        process.kill()
        process.wait()
        netns.remove(own)


@pytest.mark.parametrize(
    "more", [{"namespaces": ["netlab.other.node.a"]}, {"namespaces": ["/etc/passwd"]}, {"lab": "other"}]
)
def test_a_record_that_names_what_is_not_the_labs_is_not_used(program: Program, lab: str, more: Any) -> None:
    """The way out is ``down``."""
    write_record(lab, **more)
    done = program("get", "pods", "--lab", lab)

    assert 2 == done.returncode
    assert f"its record cannot be used: it is of another lab; remove the lab with: netlab down {lab}" in done.stderr
    assert 0 == program("down", lab).returncode


def test_a_link_in_the_place_of_a_namespace_leads_nowhere(lab: str, spaces: Callable[..., list[str]]) -> None:
    """It may lead to the host's namespace, and ``down`` ends the programs in a lab's namespaces."""
    (foreign,) = spaces("linked")
    own = f"netlab.{lab}.pod.a.b"
    netns.path(own).symlink_to(netns.path(foreign))
    try:
        assert not netns.exists(own)
        with pytest.raises(netns.NotFound):  # type: ignore[attr-defined]
            netns.enter(own)
        write_record(lab, namespaces=[own])
        removal.remove(lab)

        assert netns.exists(foreign)
        assert netns.path(own).is_symlink(), "it is not the lab's to remove"
    finally:
        netns.path(own).unlink(missing_ok=True)
