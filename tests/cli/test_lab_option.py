"""``--lab`` picks one running lab: it narrows ``get labs``, and stands beside neither ``-f`` nor another name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from click.testing import Result

from netlab.errors import HostError
from netlab.lab import opening
from netlab.lab.lab import Lab

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"


@pytest.mark.parametrize(
    "command", [("reach",), ("explain", "shop/web", "shop/db"), ("compile",), ("verify",)], ids=lambda words: words[0]
)
def test_lab_beside_files_is_a_usage_error(netlab: Call, command: tuple[str, ...]) -> None:
    """Each names the objects to read. The files are not read, and no lab is built."""
    done = netlab(*command, "-f", "no-such-file.yaml", "--lab", "other")

    message = "Error: -f reads files and --lab names a running lab: leave one out\n"
    assert (2, "", message) == (done.exit_code, done.stdout, done.stderr)


def test_a_lab_of_the_environment_may_stand_beside_files(netlab: Call) -> None:
    """NETLAB_LAB is a default for every command of a shell; -f is more specific."""
    done = netlab("reach", "-f", "examples/shop", env={"NETLAB_LAB": "other"})

    assert (0, "") == (done.exit_code, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("down", "one", "--lab", "two"), "name the lab once: as LAB or with --lab"),
        (("down", "--all", "--lab", "two"), "name a lab or say --all, not both"),
        (("get", "labs", "one", "--lab", "two"), "name labs or say --lab, not both"),
    ],
)
def test_lab_beside_another_name_of_labs_is_a_usage_error(
    netlab: Call, arguments: tuple[str, ...], message: str
) -> None:
    """One of the two names would be ignored, and ``down`` would remove another lab than the one named."""
    done = netlab(*arguments)

    assert (2, "", f"Error: {message}\n") == (done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def two_labs(program: Program, unique: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Two running labs of one pod each; gone afterwards."""
    names = unique("one"), unique("two")
    try:
        for name in names:
            assert 0 == program("up", "-f", "-", "--lab", name, text=POD).returncode
        yield names
    finally:
        for name in names:
            program("down", name)


def test_get_labs_of_one_lab_looks_at_this_lab_only(
    netlab: Call, two_labs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lab takes a run of nft on each node for DRIFT; labs that are not asked for are not opened."""
    overview = Mock(wraps=opening.overview)
    monkeypatch.setattr(opening, "overview", overview)
    one, _ = two_labs
    wide = netlab("get", "labs", "--lab", one, "-o", "wide")
    names = netlab("get", "labs", "--lab", one, "-o", "name")

    assert [[one, "Ready", "1", "1", "0"]] == [line.split()[:5] for line in wide.stdout.splitlines()[1:]]
    assert f"lab/{one}\n" == names.stdout
    assert {one} == {name for (name,) in (made.args for made in overview.mock_calls)}


def test_get_labs_lists_every_lab_without_the_option(program: Program, two_labs: tuple[str, str]) -> None:
    """NETLAB_LAB does not narrow it, as it is a default for commands that need one lab."""
    done = program("get", "labs", "-o", "name", NETLAB_LAB=two_labs[0])

    assert {f"lab/{name}" for name in two_labs} <= {*done.stdout.splitlines()}


def test_get_labs_of_a_missing_lab_is_a_usage_error(netlab: Call, unique: Callable[[str], str]) -> None:
    """With --lab as with a NAME."""
    name = unique("none")
    done = netlab("get", "labs", "--lab", name)

    assert (2, f"Error: Lab {name} does not exist\n") == (done.exit_code, done.stderr)


def test_a_lab_whose_drift_cannot_be_read_is_ready(
    netlab: Call, two_labs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without nft is no half-built lab: its networks are listed, and the drift is unknown."""

    def fail(lab: Lab) -> list[str]:
        raise HostError("nft is missing", "install it")

    monkeypatch.setattr(Lab, "drift", fail)
    one, _ = two_labs
    done = netlab("get", "labs", "--lab", one, "-o", "wide")

    assert [one, "Ready", "1", "1", "unknown"] == done.stdout.splitlines()[1].split()[:5]
    assert done.stderr.startswith(f"Warning: lab {one}: nft is missing")
