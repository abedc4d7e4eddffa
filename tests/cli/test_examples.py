"""``netlab examples`` gives those who have no clone what the documentation speaks of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.cli import sample_files

REPOSITORY = Path(__file__).parents[2]


def test_the_list_names_each_example_and_says_what_it_is(netlab: Callable[..., Any]) -> None:
    """Folders of examples/, and files of scenarios/ and topologies/."""
    listed = netlab("examples").stdout.splitlines()[1:]

    assert sample_files.names() == [line.split()[0] for line in listed]
    assert [] == [line for line in listed if not line.rstrip().endswith(".")]
    assert any(line.startswith("examples/invariants ") and "What must always hold" in line for line in listed)


def test_what_is_printed_is_input(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """All files of an example, one after the other."""
    whole = tmp_path / "whole.yaml"
    whole.write_text(netlab("examples", "shop").stdout)

    assert netlab("reach", "-f", "examples/shop").stdout == netlab("reach", "-f", str(whole)).stdout


def test_a_copy_is_what_the_repository_has(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """Without a name all files, in the folders that the documentation names."""
    done = netlab("examples", "--to", str(tmp_path / "new" / "deep"))
    copied = {path.relative_to(tmp_path / "new" / "deep") for path in tmp_path.rglob("*.y*ml")}

    assert (0, {Path(name) for name in sample_files.files()}) == (done.exit_code, copied)
    assert [] == [
        name for name in copied if (tmp_path / "new" / "deep" / name).read_bytes() != (REPOSITORY / name).read_bytes()
    ]


def test_a_scenario_is_copied_with_what_it_reads(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """So it runs where it is."""
    netlab("examples", "13-service-port", "--to", str(tmp_path))

    assert {"scenarios/13-service-port.yaml", "scenarios/manifests/orders.yaml", "topologies/services.yaml"} == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.yaml")
    }


def test_outside_of_git_it_says_how_to_run_the_scenarios(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """A scenario reads nothing outside of its repository, or without one its folder."""
    (tmp_path / "git" / ".git").mkdir(parents=True)

    assert "git init" in netlab("examples", "13-service-port", "--to", str(tmp_path / "bare")).stderr
    assert "" == netlab("examples", "13-service-port", "--to", str(tmp_path / "git")).stderr


def test_a_file_that_exists_is_kept_and_nothing_is_copied(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 2, and the message names the file."""
    mine = tmp_path / "examples" / "shop" / "shop.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = netlab("examples", "shop", "--to", str(tmp_path))

    assert 2 == done.exit_code
    assert f"Error: {mine} exists: no file is replaced\n" == done.stderr
    assert ("mine", [mine]) == (mine.read_text(), [path for path in tmp_path.rglob("*") if path.is_file()])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "no example 'nosuch'; 'netlab examples' lists them"),
        ("../README", "no example '../README'; 'netlab examples' lists them"),
        ("services", "'services' stands for examples/services and topologies/services.yaml: name one of them"),
    ],
)
def test_a_name_that_says_nothing_or_two_things_is_refused(netlab: Callable[..., Any], name: str, message: str) -> None:
    """Exit code 2."""
    done = netlab("examples", name)

    assert (2, f"Error: {message}\n") == (done.exit_code, done.stderr)


def test_a_folder_that_is_a_file_is_refused(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 2; the file stays."""
    (tmp_path / "file").write_text("")
    done = netlab("examples", "shop", "--to", str(tmp_path / "file"))

    assert (2, f"Error: {tmp_path}/file is not a directory\n") == (done.exit_code, done.stderr)
