"""Files of a lab outside of its folder: they go with the lab, unless a user changed them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders import cluster

from netlab.lab import notices, outside_files, removal
from netlab.lab.lab import Lab
from netlab.lab.removal import _OUTSIDE_FILES
from netlab.objects import Objects
from netlab.testing import FakeKernel

WRITTEN = "key: secret\n"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(notices, "_print", lines.append)
    return lines


@pytest.fixture
def machine(tmp_path: Path) -> FakeKernel:
    """Return a machine in memory with the lab ``fake``."""
    found = FakeKernel(tmp_path / "run")
    Lab.up(Objects(), name="fake", machine=found, cluster=cluster("a/web")).close()
    return found


def test_they_are_private_and_are_removed_with_the_lab(tmp_path, machine, said):
    """By `netlab down`, and by `down --all`."""
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        outside_files.write(machine, "fake", str(path), WRITTEN)
    assert [0o100600, 0o100600] == [path.stat().st_mode for path in (first, second)]

    assert [("fake", [])] == list(removal.remove_all(machine))
    assert not first.exists()
    assert not second.exists()
    assert [] == said


def test_one_that_a_user_changed_stays_and_that_is_said(tmp_path, machine, said):
    """`kubectl config set-context` changes a kubeconfig. Another lab may have written it since."""
    path = tmp_path / "config"
    outside_files.write(machine, "fake", str(path), WRITTEN)
    path.write_text("mine")

    removal.remove("fake", machine)
    assert "mine" == path.read_text()
    assert [f"{path} was changed after netlab wrote it, so it stays"] == said


def test_one_that_is_gone_is_no_error(tmp_path, machine, said):
    """Also if its folder is gone."""
    folder = tmp_path / "folder"
    folder.mkdir()
    outside_files.write(machine, "fake", str(folder / "config"), WRITTEN)
    (folder / "config").unlink()
    folder.rmdir()

    removal.remove("fake", machine)
    assert [] == said


def test_a_list_that_is_damaged_does_not_stop_a_removal(tmp_path, machine):
    """Nothing is removed then that nobody knows."""
    path = tmp_path / "config"
    outside_files.write(machine, "fake", str(path), WRITTEN)
    (machine.store.folder("fake") / outside_files.LIST).write_bytes(b"[")

    removal.remove("fake", machine)
    assert path.exists()
    assert not machine.store.folder("fake").exists()


def test_a_file_written_twice_is_known_by_its_last_text(tmp_path, machine):
    """As by a second `control-plane up`."""
    path = tmp_path / "config"
    for text in (WRITTEN, "other\n"):
        outside_files.write(machine, "fake", str(path), text)

    removal.remove("fake", machine)
    assert not path.exists()


def test_standard_output_is_no_file_of_a_lab(machine, capsys, said):
    """It is written, and not remembered."""
    outside_files.write(machine, "fake", "/dev/stdout", WRITTEN)

    assert WRITTEN == capsys.readouterr().out
    assert not os.path.lexists(machine.store.folder("fake") / outside_files.LIST)


def test_removal_looks_for_the_list_by_its_name():
    """It reads the module only if there is one."""
    assert _OUTSIDE_FILES == outside_files.LIST
