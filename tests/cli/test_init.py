"""``netlab init`` writes files that work at once, and replaces none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import Result

Netlab = Callable[..., Result]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: x, image: x}]}\n"
FILES = [
    *(".github/workflows/netlab.yml", ".netlab/scenario.schema.json", ".pre-commit-config.yaml"),
    "scenarios/first.netlab.yaml",
]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two pods in one folder."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"deploy/{name}.yaml").write_text(POD % name)
    return tmp_path


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def scenario_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((folder / "scenarios/first.netlab.yaml").read_text())["spec"]
    return found


@pytest.mark.kernel
def test_the_scenario_passes_at_once(netlab: Netlab, repository: Path) -> None:
    """Its manifests are those of the repository, and its expectations are today's verdicts."""
    done = netlab("init", repository)

    assert 0 == done.exit_code
    assert [*FILES[:3], "deploy/a.yaml", "deploy/b.yaml", FILES[3]] == written(repository)
    assert ["../deploy"] == scenario_of(repository)["resources"]
    assert 0 == netlab("test", repository / "scenarios").exit_code


def test_it_validates_with_the_schema_that_its_first_line_names(netlab: Netlab, repository: Path) -> None:
    """An editor with yaml-language-server completes and checks it."""
    netlab("init", repository)
    file = repository / "scenarios/first.netlab.yaml"
    line = file.read_text().splitlines()[0]
    schema = file.parent / line.removeprefix("# yaml-language-server: $schema=")

    jsonschema.validate(yaml.safe_load(file.read_text()), json.loads(schema.read_text()))
    assert netlab("schema", "scenario").stdout == schema.read_text()


def test_both_verdicts_of_policies_are_expected(netlab: Netlab, tmp_path: Path) -> None:
    """Of the example: one pair may connect, others may not."""
    done = netlab("init", tmp_path)
    expect = yaml.safe_load((tmp_path / "first.netlab.yaml").read_text())["spec"]["steps"][0]["expect"]

    assert "manifests/shop.yaml: an example, as there are no manifests with pods" in done.stdout
    assert {"from": "shop/web", "to": "shop/db", "port": 5432, "protocol": "TCP", "verdict": "allow"} in expect
    assert {"from": "other/stranger", "to": "shop/db", "port": 5432, "protocol": "TCP", "verdict": "deny"} in expect
    assert {"oracle": True} == expect[-1]


def test_no_file_is_replaced(netlab: Netlab, repository: Path) -> None:
    """What exists stays, and its name is printed; for the hooks also what to add."""
    (repository / ".pre-commit-config.yaml").write_text("mine")
    (repository / "scenarios").mkdir()
    (repository / "scenarios/first.netlab.yaml").symlink_to("nowhere")

    done = netlab("init", repository)

    assert "mine" == (repository / ".pre-commit-config.yaml").read_text()
    assert (repository / "scenarios/first.netlab.yaml").is_symlink()
    assert not (repository / "scenarios/nowhere").exists()
    assert "scenarios/first.netlab.yaml exists, and stays as it is" in done.stdout
    assert re.search(r"add to it:\n +- repo: .*\n", done.stdout)


def test_a_dry_run_prints_the_files_and_writes_none(netlab: Netlab, repository: Path) -> None:
    """Every file that it would write is printed."""
    done = netlab("init", repository, "--dry-run")

    assert ["deploy/a.yaml", "deploy/b.yaml"] == written(repository)
    assert [] == [name for name in FILES if f"would write {repository}/{name}" not in done.stdout]


def test_a_file_with_an_error_is_left_out(netlab: Netlab, repository: Path) -> None:
    """The others are listed one by one, and the error is printed."""
    (repository / "deploy/c.yaml").write_text(POD % "C")

    done = netlab("init", repository)

    assert ["../deploy/a.yaml", "../deploy/b.yaml"] == scenario_of(repository)["resources"]
    assert re.search(r"left out: .*deploy/c.yaml:3: ", done.stderr)


def test_a_mistake_in_a_policy_is_named(netlab: Netlab, repository: Path) -> None:
    """The scenario expects what the policies do now, so warnings about them are printed."""
    (repository / "deploy/policy.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
        "spec: {podSelector: {matchLabels: {app: nothing}}}\n"
    )
    done = netlab("init", repository)

    assert 0 == done.exit_code
    assert re.search(r"deploy/policy\.yaml:\d+: NetworkPolicy default/a: ", done.stderr)


def test_a_link_that_leads_out_of_the_repository_is_refused(netlab: Netlab, repository: Path, tmp_path: Path) -> None:
    """A stranger's repository does not choose where root writes."""
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (repository / ".github").symlink_to(elsewhere)

    done = netlab("init", repository)

    assert (2, []) == (done.exit_code, written(elsewhere))
    assert ".github/workflows leads outside" in done.stderr
    assert not (repository / "scenarios").exists()


def test_a_name_of_a_stranger_is_no_expression_of_the_workflow(netlab: Netlab, repository: Path) -> None:
    """GitHub would evaluate it."""
    (repository / "${{ github.token }}.yaml").write_text(POD % "c")

    netlab("init", repository)

    assert "github.token" not in (repository / ".github/workflows/netlab.yml").read_text()
    assert "../${{ github.token }}.yaml" in scenario_of(repository)["resources"]  # type: ignore[operator]


def test_the_action_is_named(netlab: Netlab, repository: Path) -> None:
    """In the workflow and in the hook; another form is an error."""
    netlab("init", repository, "--action", "me/netlab@v2")

    assert "uses: me/netlab@v2\n" in (repository / ".github/workflows/netlab.yml").read_text()
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text())["repos"][0]
    assert ("https://github.com/me/netlab", "v2") == (hooks["repo"], hooks["rev"])
    assert 2 == netlab("init", repository, "--action", "a\nb").exit_code
