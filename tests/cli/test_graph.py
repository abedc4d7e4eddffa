"""``netlab graph``: three questions, four formats, files, and options that fit the question."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from iproute2 import addresses, ip
from picture_inputs import text as picture_input

Call = Callable[..., Any]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
QUESTIONS = ("topology", "reach", "policies")
FIRST = {"svg": "<svg ", "dot": "digraph picture {", "mermaid": "flowchart LR", "html": "<!DOCTYPE html>"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = tmp_path_factory.mktemp("graph") / "input.yaml"
    found.write_text(picture_input(10))
    return str(found)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("output", ["svg", "dot", "html"])
def test_each_question_has_each_format(netlab: Call, file: str, question: str, output: str) -> None:
    """topology, reach and policies are printed as SVG, dot and HTML, and have the names of the input."""
    done = netlab("graph", question, "-f", file, "-o", output)

    assert 0 == done.exit_code
    assert done.stdout.startswith(FIRST[output])
    assert "shop" in done.stdout


def test_svg_is_the_default(netlab: Call, file: str) -> None:
    """Without -o the picture is an SVG."""
    assert netlab("graph", "policies", "-f", file).stdout.startswith("<svg ")


def test_a_small_picture_is_a_flowchart(netlab: Call) -> None:
    """Up to 20 boxes -o mermaid prints a flowchart."""
    done = netlab("graph", "policies", "-f", "examples/shop", "-o", "mermaid")

    assert 0 == done.exit_code
    assert done.stdout.startswith("flowchart LR\n")


def test_a_large_picture_is_no_flowchart_and_one_line_says_what_to_use(netlab: Call, file: str) -> None:
    """Mermaid of more than 20 boxes is unreadable, so it is an error with exit code 2."""
    done = netlab("graph", "policies", "-f", file, "-o", "mermaid")

    assert (2, "") == (done.exit_code, done.stdout)
    assert re.fullmatch(r"Error: 2\d boxes .*; use -o svg, -o html or -o dot\n", done.stderr)


@pytest.mark.parametrize("question", ["topology", "policies"])
@pytest.mark.parametrize(
    "option",
    [
        *(("--unit", "group"), ("--name-by", "app"), ("--port", "80"), ("--family", "4"), ("--nodes",), ("--self",)),
        *(("--system",), ("--services",)),
    ],
    ids=" ".join,
)
def test_an_option_that_does_nothing_for_a_question_is_refused(
    netlab: Call, file: str, question: str, option: tuple[str, ...]
) -> None:
    """An option that selects pairs is an error for pictures without pairs."""
    done = netlab("graph", question, "-f", file, *option)

    assert 2 == done.exit_code
    assert f"Error: {option[0]} is for `graph reach` only\n" == done.stderr


@pytest.mark.parametrize("question", ["topology", "reach"])
def test_namespaces_are_chosen_for_policies_only(netlab: Call, file: str, question: str) -> None:
    """Other pictures refuse --only."""
    done = netlab("graph", question, "-f", file, "--only", "shop")

    assert (2, "Error: --only is for `graph policies` only\n") == (done.exit_code, done.stderr)


def test_a_namespace_is_drawn_alone(netlab: Call, file: str) -> None:
    """--only leaves out all other namespaces; an unknown one is an error."""
    drawn = netlab("graph", "policies", "-f", file, "--only", "monitoring", "--only", "kube-system", "-o", "dot")
    wrong = netlab("graph", "policies", "-f", file, "--only", "moniturin")

    assert ["kube-system", "monitoring"] == re.findall(r'^    label="(.*?)"', drawn.stdout, re.MULTILINE)
    assert (2, "Error: namespace 'moniturin' has no pods and no policies\n") == (wrong.exit_code, wrong.stderr)


def test_a_picture_is_written_to_a_file(netlab: Call, file: str, tmp_path: Path) -> None:
    """The file has what the command prints else; a link under its name is replaced and not followed."""
    target, victim = tmp_path / "out.svg", tmp_path / "victim"
    victim.write_text("kept")
    target.symlink_to(victim)
    done = netlab("graph", "topology", "-f", file, "--output-file", str(target))

    assert (0, "") == (done.exit_code, done.stdout)
    assert netlab("graph", "topology", "-f", file).stdout == target.read_text()
    assert "kept" == victim.read_text()
    assert not target.is_symlink()


def test_a_file_that_cannot_be_written_is_an_error_before_anything_is_read(netlab: Call, tmp_path: Path) -> None:
    """The missing directory is reported, and not the missing input."""
    done = netlab("graph", "topology", "-f", "missing.yaml", "--output-file", str(tmp_path / "no/out.svg"))

    assert 2 == done.exit_code
    assert f"Error: --output-file {tmp_path}/no/out.svg: no directory {tmp_path}/no\n" == done.stderr


def test_a_profile_changes_the_wiring(netlab: Call, file: str) -> None:
    """--as weave draws the tunnels of Weave Net."""
    done = netlab("graph", "topology", "-f", file, "--as", "weave", "-o", "dot")

    assert 0 == done.exit_code
    assert "UDP 6784" in done.stdout


MIXED = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: mixed}
spec:
  networks:
  - {name: default, mode: overlay, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}
  - {name: lan, mode: macvlan, podCIDRs: [10.9.0.0/16]}
  - {name: storage, mode: routed, podCIDRs: [10.250.0.0/16]}
  nodes: [{name: node-a}, {name: node-b}]
  hosts: [{name: client, addresses: [192.0.2.10]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 4, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {}}}
---
apiVersion: v1
kind: Pod
metadata: {name: camera, namespace: shop, annotations: {netlab/network: lan}}
spec: {nodeName: node-a}
---
apiVersion: v1
kind: Pod
metadata: {name: disk, namespace: shop, annotations: {netlab/network: storage}}
spec: {nodeName: node-b}
"""


def test_the_picture_of_a_running_lab_has_its_links_and_addresses(
    program: Program, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """What ``ip`` lists in the namespaces of the lab is in the picture, and the picture has no other address."""
    name = unique("graph")
    (tmp_path / "lab.yaml").write_text(MIXED)
    try:
        done = program("up", "-f", str(tmp_path), "--lab", name)
        assert 0 == done.returncode, done.stderr
        drawn = program("graph", "topology", "--lab", name, "-o", "dot")
        spaces = [found.name for found in Path("/run/netns").glob(f"netlab.{name}.*")]
        facts = [fact for space in spaces for fact in ip("address", "show", namespace=space) if fact["ifname"] != "lo"]
    finally:
        program("down", name)
    assert 0 == drawn.returncode, drawn.stderr
    words = set(re.split(r'[\s,"=]|\\n', drawn.stdout))
    # The kernel makes link-local addresses by itself.
    built = {one for one in addresses(facts) if not one.startswith("fe80:")}

    assert 10 == len(spaces)
    assert set() == {fact["ifname"] for fact in facts if fact["ifname"] not in ("tunl0",)} - words
    assert all(f"MTU {fact['mtu']}" in drawn.stdout for fact in facts)
    assert set() == built - words
    underlay = {"100.64.0.0/16", "fd00:100:64::/64"}
    assert set() == {word for word in words if re.fullmatch(r"[0-9a-f.:]+/[0-9]+", word)} - built - underlay - {
        "10.244.0.0/16",
        "10.9.0.0/16",
        "10.250.0.0/16",
        "fd00:10:244::/56",
    }


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("output", ["svg", "dot", "mermaid", "html"])
def test_the_name_of_a_file_is_text_in_every_picture(netlab: Call, tmp_path: Path, question: str, output: str) -> None:
    """A repository of strangers may have files of any name."""
    hostile = tmp_path / '"><script>alert(1)<'
    hostile.mkdir()
    (hostile / "script>`\n$(id)\u202e.yaml").write_text(Path("examples/shop/policies.yaml").read_text())
    done = netlab("graph", question, "-f", "examples/shop/shop.yaml", "-f", str(hostile), "-o", output)

    assert 0 == done.exit_code, done.stderr
    assert "<script>alert" not in done.stdout
    assert "\u202e" not in done.stdout
    if output == "svg":
        ET.fromstring(done.stdout)  # noqa: S314  netlab's own output


PAGE = (Path(__file__).parents[2] / "docs/pictures.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "file"), re.findall(r"^netlab (graph .*) > (docs/\S+\.svg)$", PAGE, re.MULTILINE)
)
def test_the_pictures_of_the_docs_are_what_the_command_prints(netlab: Call, arguments: str, file: str) -> None:
    """If this fails after a change of pictures, run the commands of docs/pictures.md again."""
    assert Path(file).read_text() == netlab(*arguments.split()).stdout


def test_the_flowchart_of_the_docs_is_what_the_command_prints(netlab: Call) -> None:
    """docs/pictures.md has it as a block of Mermaid."""
    (text,) = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)

    assert text == netlab("graph", "policies", "-f", "examples/shop", "-o", "mermaid").stdout
