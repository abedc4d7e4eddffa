"""The option ``--as`` is a change of the input's documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from netlab.errors import InputError, UsageError
from netlab.objects.documents import parse
from netlab.objects.scenarios import Scenario, Step
from netlab.objects.types import Document, Meta
from netlab.profiles.documents import is_file, profile_of, scenario_with_profile, with_profile

MINE = """
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {name: mine}
spec: {base: flannel, policy: {icmp: {value: allow, mark: DOC, source: a page}}}
"""
TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: shop}
spec: {profile: docker, nodes: [{name: a}]}
"""


def documents(text: str) -> list[Document]:
    return parse(text, "x.yaml")[0]


def test_the_topology_names_the_profile() -> None:
    """In place of the one that it named; its lines stay, and the document that was read is not changed."""
    (before,) = documents(TOPOLOGY)
    (after,) = with_profile([before], "cilium")

    assert {"profile": "cilium", "nodes": [{"name": "a"}]} == after.data["spec"]
    assert "docker" == before.data["spec"]["profile"]
    assert before.source is after.source


def test_a_topology_is_made_if_there_is_none() -> None:
    """It says nothing else."""
    (made,) = with_profile([], "cilium")

    assert {"profile": "cilium"} == made.data["spec"]


def test_the_topology_of_a_running_lab_is_taken_before_one_is_made() -> None:
    """So `apply --as` leaves its nodes as they are."""
    (found,) = with_profile([], "cilium", documents(TOPOLOGY))

    assert "shop" == found.data["metadata"]["name"]
    assert [{"name": "a"}] == found.data["spec"]["nodes"]


def test_a_topology_with_a_wrong_spec_is_left_to_its_own_error() -> None:
    """Decoding reports it."""
    (found,) = with_profile(documents(TOPOLOGY.replace("{profile: docker, nodes: [{name: a}]}", "[7]")), "cilium")

    assert [7] == found.data["spec"]


def test_a_file_is_added(tmp_path: Path) -> None:
    """A Profile of the same name in the input gives way."""
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    found = with_profile([*documents(TOPOLOGY), *documents(MINE.replace("allow", "basic-always"))], str(file))

    assert ["Topology", "Profile"] == [one.kind for one in found]
    assert "mine" == found[0].data["spec"]["profile"]
    assert "allow" == found[1].data["spec"]["policy"]["icmp"]["value"]


def test_a_profile_of_the_input_can_be_named() -> None:
    """And one that is not there is an error which names it."""
    found = with_profile(documents(MINE), "mine")

    assert "mine" == found[0].data["spec"]["profile"]
    with pytest.raises(UsageError, match=r"^--as: no profile 'min': did you mean mine\?"):
        with_profile(documents(MINE), "min")


@pytest.mark.parametrize(
    ("text", "wanted"), [("a.yaml", True), ("a.json", True), ("./a", True), ("cilium-1.19", False)]
)
def test_a_file_has_a_slash_or_the_end_of_a_file(text: str, wanted: bool) -> None:
    """Names of profiles have neither."""
    assert wanted == is_file(text)


def test_a_scenario_has_the_profile_at_every_step() -> None:
    """Also where a step applies another Topology."""
    scenario = Scenario(Meta("s"), steps=(Step("a", apply=tuple(documents(TOPOLOGY + "---" + MINE))),))
    found = scenario_with_profile(scenario, "weave")

    assert [{"profile": "weave"}] == [one.data["spec"] for one in found.resources]
    assert ["weave", None] == [one.data["spec"].get("profile") for one in found.steps[0].apply]


@pytest.mark.parametrize("text", ["", MINE + "---" + MINE, TOPOLOGY, MINE + "---" + TOPOLOGY])
def test_a_file_has_one_profile_and_nothing_else(tmp_path: Path, text: str) -> None:
    """Strangers' files cannot bring more."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)

    with pytest.raises((UsageError, InputError)):
        with_profile([], str(file))


def test_the_errors_of_a_file_have_their_lines(tmp_path: Path) -> None:
    """All of them."""
    file = tmp_path / "mine.yaml"
    file.write_text(MINE.replace("base: flannel", "base: flannel, families: [IPv5], bse: 1").replace("DOC", "SURE"))

    with pytest.raises(InputError) as error:
        profile_of(str(file))

    assert {"spec.families[0]", "spec.bse", "spec.policy.icmp.mark"} == {one.path for one in error.value.problems}
    assert {5} == {one.line for one in error.value.problems}
