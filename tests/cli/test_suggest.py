"""``netlab suggest``: policies on standard output, lists and proof on standard error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]

STORE = ("-f", "examples/suggest", "--no-packets")


def test_the_policies_are_valid_input_and_need_nothing_more(netlab: Call, tmp_path: Path) -> None:
    """With them in place of the old ones, nothing is missing and nothing is too much."""
    found = netlab("suggest", *STORE)
    documents = [d for d in yaml.safe_load_all(Path("examples/suggest/store.yaml").read_text()) if d]
    left = [d for d in documents if d["kind"] != "NetworkPolicy"]
    (tmp_path / "store.yaml").write_text(yaml.safe_dump_all([*left, *yaml.safe_load_all(found.stdout)]))
    again = netlab("suggest", "-f", str(tmp_path), "--no-packets", "-o", "json")
    after = json.loads(again.stdout)

    assert (0, 0) == (found.exit_code, again.exit_code)
    assert ([], []) == (after["missing"], after["notNeeded"])
    assert len(after["policies"]) == len(after["replaced"])


def test_standard_error_has_the_four_lists_and_the_proof(netlab: Call) -> None:
    """Each list has its number."""
    lines = netlab("suggest", *STORE).stderr.splitlines()
    titles = [line.partition(":")[0] for line in lines if not line.startswith((" ", "Warning", "skipped"))]

    assert [
        "Needed and allowed today",
        "Needed and missing (denied today)",
        "Allowed today and not needed (19 pairs)",
        "Unknown",
        "7 policies with 8 rules",
        "Proof by the evaluator",
        "Proof by packets",
    ] == titles


def test_json_has_all(netlab: Call) -> None:
    """Policies, lists and proof."""
    found = json.loads(netlab("suggest", *STORE, "-o", "json").stdout)

    assert ("netlab/v1alpha1", "Suggestion") == (found["apiVersion"], found["kind"])
    assert ["records/db"] == found["replaced"]
    assert [("store/api", "records/db", 5432)] == [(o["source"], o["destination"], o["port"]) for o in found["missing"]]
    assert found["proof"]["holds"]
    assert found["proof"]["packets"] is None


def test_keep_changes_no_verdict(netlab: Call, tmp_path: Path) -> None:
    """The table is that of the input."""
    kept = netlab("suggest", "-f", "examples/shop", "--keep", "--no-packets")
    for name in ("namespaces.yaml", "shop.yaml"):
        (tmp_path / name).write_text((Path("examples/shop") / name).read_text())
    (tmp_path / "policies.yaml").write_text(kept.stdout)

    assert netlab("reach", "-f", "examples/shop").stdout == netlab("reach", "-f", str(tmp_path)).stdout
    assert "every pair has the verdict that it has today" in kept.stderr


def test_old_policies_without_a_new_one_of_their_name_have_a_command_that_deletes_them(
    netlab: Call, tmp_path: Path
) -> None:
    """Those of the same name are replaced by the new ones."""
    store = Path("examples/suggest/store.yaml").read_text()
    (tmp_path / "store.yaml").write_text(store)
    (tmp_path / "old.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: old, namespace: store}\n"
        "spec: {podSelector: {}}\n"
    )

    text = netlab("suggest", "-f", str(tmp_path), "--no-packets").stdout

    assert "#   kubectl delete networkpolicy -n store old" in text.splitlines()
    assert "delete networkpolicy -n records" not in text


def test_a_question_of_what_would_be_changes_the_input(netlab: Call) -> None:
    """The policies say so, as they may be applied."""
    found = netlab("suggest", *STORE, "--without", "networkpolicy/records/db")

    assert "# What if: without networkpolicy/records/db." in found.stdout.splitlines()
    assert "in place of" not in found.stdout


def test_a_log_adds_needs(netlab: Call) -> None:
    """The third flow of the example leaves the cluster."""
    found = netlab("suggest", *STORE, "--observed", "examples/suggest/flows.jsonl")

    assert 'cidr: "192.0.2.80/32"' in found.stdout
    assert "no needs: replies (1 distinct flow)" in found.stderr


def test_a_log_with_a_wrong_line_is_an_error(netlab: Call, tmp_path: Path) -> None:
    """It names file and line, and no policy is printed."""
    (tmp_path / "log").write_text("source,destination,port\na/b,c/d,x\n")
    found = netlab("suggest", *STORE, "--observed", str(tmp_path / "log"))

    assert (2, "") == (found.exit_code, found.stdout)
    assert "log:2: no flow: no port 'x'" in found.stderr


def test_keep_and_observed_exclude_each_other(netlab: Call) -> None:
    """What is allowed today needs no log."""
    found = netlab("suggest", *STORE, "--keep", "--observed", "examples/suggest/flows.jsonl")

    assert 2 == found.exit_code
    assert "leave one out" in found.stderr


def test_nothing_is_suggested_without_needs_and_policies(netlab: Call, tmp_path: Path) -> None:
    """The output says so and is valid YAML."""
    (tmp_path / "a.yaml").write_text("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {}}\n")
    found = netlab("suggest", "-f", str(tmp_path))

    assert (0, "# nothing to suggest: no needs and no policies were found\n") == (found.exit_code, found.stdout)
    assert "no packets sent: nothing is suggested" in found.stderr


def test_names_of_strangers_stay_in_their_comments(netlab: Call, tmp_path: Path) -> None:
    """A line break in a name would begin a line of YAML, and an escape would reach the terminal."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "labels": {"app": "a"}},
        "spec": {
            "containers": [
                {"name": "c\nspec: {}\x1b[2J", "env": [{"name": "U\n- evil: 1", "value": "http://b:80\n---"}]}
            ]
        },
    }
    other = {**pod, "metadata": {"name": "b", "labels": {"app": "b"}}, "spec": {}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "b"},
        "spec": {"selector": {"app": "b"}, "ports": [{"port": 80}]},
    }
    for number, one in enumerate((pod, other, service)):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    found = netlab("suggest", "-f", str(tmp_path), "--no-packets")

    assert 0 == found.exit_code
    assert "\x1b" not in found.stdout + found.stderr
    assert {"NetworkPolicy"} == {one["kind"] for one in yaml.safe_load_all(found.stdout)}


@pytest.mark.kernel
def test_packets_prove_the_suggestion(program: Program) -> None:
    """A lab with the suggestion agrees with the evaluator on every pair."""
    found = program("suggest", "-f", "examples/suggest", "--packets", "-o", "json")
    proof = json.loads(found.stdout)["proof"]

    assert 0 == found.returncode, found.stderr
    assert (0, 0) == (proof["packets"]["differ"], proof["packets"]["inconclusive"])
    assert proof["packets"]["pairs"] == proof["packets"]["agree"] > 200
