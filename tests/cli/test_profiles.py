"""``netlab profiles``, and the option ``--as`` of the commands that read objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from netlab import profiles
from netlab.cli.command_group import cli

Call = Callable[..., Result]
MINE = """
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {name: mine}
spec: {base: kube-router, about: Mine., policy: {icmp: {value: allow, mark: GUESS, source: a page}}}
"""
# The commands that read objects with ``-f``.
READING = ("check", "reach", "explain", "compile", "up", "apply", "verify", "test")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    return file


def test_all_profiles_are_listed(netlab: Call) -> None:
    """One line each, with the system, the versions and whether it enforces policies."""
    lines = netlab("profiles").stdout.splitlines()

    assert ["NAME", *profiles.names()] == [line.split()[0] for line in lines]
    assert "not enforced" in next(line for line in lines if line.startswith("flannel "))


def test_a_profile_is_printed_with_every_choice(netlab: Call) -> None:
    """Field, value, mark and source; and what else is documented, with what carries it out."""
    text = netlab("profiles", "canal").stdout
    profile = profiles.named("canal")

    for one in profile.choices:
        line = next(line for line in text.splitlines() if line.startswith(f"{one.name} "))
        assert [one.name, one.mark] == [line.split()[0], line.split()[2]]
        assert one.source in line
    assert all(one.text in text for one in profile.quirks)
    assert "GUESS" in text


@pytest.mark.parametrize("name", profiles.names())
def test_what_is_printed_as_yaml_is_a_profile_again(netlab: Call, tmp_path: Path, name: str) -> None:
    """A user's own profile begins as a copy of one."""
    file = tmp_path / "copy.yaml"
    printed = netlab("profiles", name, "-o", "yaml").stdout
    file.write_text(printed)
    again = netlab("profiles", file, "-o", "yaml")

    assert (0, printed) == (again.exit_code, again.stdout)
    assert json.loads(netlab("profiles", name, "-o", "json").stdout) == yaml.safe_load(printed)


def test_a_file_is_printed_with_the_choices_of_its_base(netlab: Call, mine: Path) -> None:
    """The user sees what the file means."""
    document = json.loads(netlab("profiles", mine, "-o", "json").stdout)

    assert ("mine", "allow") == (document["metadata"]["name"], document["spec"]["policy"]["icmp"]["value"])
    assert "kube-bridge" == document["spec"]["wiring"]["bridgeName"]["value"]


def test_what_a_file_says_is_printed_escaped(netlab: Call, tmp_path: Path) -> None:
    """No text of a stranger's file reaches the terminal as it is."""
    file = tmp_path / "mine.yaml"
    file.write_text(MINE.replace("Mine.", '"\\e[31m"').replace("a page", '"\\u202e\\a"'))
    done = netlab("profiles", file)

    assert (0, True) == (done.exit_code, done.stdout.replace("\n", "").isprintable())


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_objects_has_the_option(command: str) -> None:
    """With one name and one meaning."""
    found = cli.get_command(None, command)  # type: ignore[arg-type]

    assert found is not None
    assert ["--as"] in [parameter.opts for parameter in found.params]


def test_check_names_the_profile(netlab: Call, mine: Path) -> None:
    """By name, and from a file."""
    for chosen, name in (("cilium", "cilium"), ("cilium-1.19.2", "cilium-1.19"), (mine, "mine")):
        done = netlab("check", "-f", "examples/shop", "--as", chosen)

        assert (0, f"lab default as {name}") == (done.exit_code, done.stdout.partition(":")[0])


def test_the_ruleset_is_that_of_the_profile(netlab: Call) -> None:
    """Without one, it is as before."""
    plain, other = (netlab("compile", "-f", "examples/shop", *more).stdout for more in ((), ("--as", "cilium")))

    assert plain == netlab("compile", "-f", "examples/shop", "--as", "kubernetes").stdout
    assert plain != other


@pytest.mark.parametrize("chosen", ["nothing", "nothing.yaml", "calico-3.30", "examples/shop"])
def test_what_is_no_profile_is_an_error(netlab: Call, chosen: str) -> None:
    """Exit code 2 and one line."""
    done = netlab("reach", "-f", "examples/shop", "--as", chosen)

    assert (2, "") == (done.exit_code, done.stdout)
    assert 1 == len(done.stderr.splitlines())


def test_an_unknown_name_in_a_topology_is_a_problem_among_all_others(netlab: Call, tmp_path: Path) -> None:
    """With its line, and similar names."""
    file = tmp_path / "lab.yaml"
    spec = "{profile: ciliun, nodes: [{nme: a}]}"
    file.write_text(f"apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {{name: x}}\nspec: {spec}\n")
    done = netlab("check", "-f", file)

    assert 2 == done.exit_code
    assert f"{file}:4: Topology x: spec.profile: no profile 'ciliun': did you mean cilium" in done.stderr
    assert "spec.nodes[0].nme" in done.stderr


def test_verify_does_not_ask_a_running_lab_as_another_cni(netlab: Call) -> None:
    """Its packets are those of its own wiring."""
    done = netlab("verify", "--as", "cilium")

    assert 2 == done.exit_code
    assert "--as: the running lab is wired as it is" in done.stderr


def test_a_scenario_runs_as_a_profile(netlab: Call, tmp_path: Path) -> None:
    """Its resources get the profile before anything is built, so an unknown name is found."""
    scenario: dict[str, Any] = {"apiVersion": "netlab/v1alpha1", "kind": "Scenario", "metadata": {"name": "s"}}
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps({**scenario, "spec": {"steps": [{"name": "a"}]}}))

    assert "no profile 'nothing'" in netlab("test", file, "--as", "nothing").stderr
