"""``netlab test`` and ``netlab check`` with invariants: exit codes, options, and files that are written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
FILE = "examples/invariants/card-data.netlab.yaml"
Call = Any


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, in which the test is."""
    shutil.copytree(REPOSITORY / "examples/invariants", tmp_path / "examples/invariants")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(old: str, new: str) -> None:
    file = Path(FILE)
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.usefixtures("folder")
def test_exit_codes(netlab: Call) -> None:
    """0 if all rules hold, 1 if one does not or proves nothing, 2 if the file is wrong."""
    assert 0 == netlab("test", FILE).exit_code
    change("verdict: deny", "verdict: allow")
    assert 1 == netlab("test", FILE).exit_code
    change("verdict: allow", "verdct: allow")
    done = netlab("test", FILE)
    assert 2 == done.exit_code
    assert 'unknown field "verdct"; did you mean "verdict"?' in done.stderr


@pytest.mark.usefixtures("folder")
def test_check_reads_invariants_and_counts_their_rules(netlab: Call) -> None:
    """Errors of the rules and of the resources are errors of the input."""
    done = netlab("check", "-f", FILE)
    assert (0, True) == (done.exit_code, "10 invariant rules" in done.stdout)
    change("manifests/", "manfests/")
    done = netlab("check", "-f", FILE)
    assert 2 == done.exit_code
    assert "spec.resources[0]: no such file" in done.stderr


@pytest.mark.usefixtures("folder")
def test_a_directory_is_searched_for_invariants(netlab: Call) -> None:
    """The manifests in it are read as they are named."""
    assert "card-data: passed (10 rules" in netlab("test", "examples").stdout


def test_a_proof_replaces_a_proof_and_no_manifest(folder: Path, netlab: Call) -> None:
    """A file of another kind may be a manifest."""
    proof = folder / "proof.json"
    assert 0 == netlab("test", FILE, "--proof", str(proof)).exit_code
    assert 0 == netlab("test", FILE, "--proof", str(proof)).exit_code
    assert "InvariantsProof" == json.loads(proof.read_text())["kind"]
    proof.write_text('{"kind": "Pod"}')
    done = netlab("test", FILE, "--proof", str(proof))
    assert 2 == done.exit_code
    assert "may be a manifest" in done.stderr


@pytest.mark.usefixtures("folder")
def test_a_profile_changes_what_rules_say(netlab: Call) -> None:
    """A CNI that enforces nothing breaks what denies."""
    done = netlab("test", FILE, "--as", "flannel")

    assert 1 == done.exit_code
    assert "rule 'nothing of cde reaches the internet'" in done.stdout


@pytest.mark.usefixtures("folder")
def test_invariants_are_no_part_of_a_lab(netlab: Call) -> None:
    """Commands that read objects say how to judge them."""
    assert (
        "Invariants card-data is not part of a lab; run it with: netlab test"
        in netlab("reach", "-f", "examples/invariants").stderr
    )
