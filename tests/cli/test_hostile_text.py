"""No file, name or argument of a stranger moves the cursor, begins a line or changes the direction of text."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples, some

from netlab.cli import terminal
from netlab.errors import Problem, printable

REPOSITORY = Path(__file__).parents[2]
Call = Callable[..., Any]
# C0 with the start of a colour, C1, DEL, marks of direction, line separators, what cannot be seen, half a character.
HOSTILE = "\x1b[2J\x07\r\t\n\x0b\x1c\x85\x9b31m\x7f\u202e\u2066\u2028\u2029\u200b\ufeff\U000e0041"
CHARACTERS = [*dict.fromkeys(HOSTILE.replace("[2J", "").replace("31m", ""))]


@dataclass
class Done:
    """What became of a program: its output without any translation of line breaks."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def program() -> Callable[..., Done]:
    """Start ``python -m netlab`` from the repository, and wait for its end."""

    def run(*arguments: object, **environment: str) -> Done:
        command = [sys.executable, "-m", "netlab", *map(str, arguments)]
        more = {**os.environ, "COLUMNS": "120", **environment}
        done = subprocess.run(command, capture_output=True, check=False, cwd=REPOSITORY, env=more, timeout=60)
        return Done(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))

    return run


def dirty(text: str, besides: str = "\n") -> set[str]:
    """Return the characters of a text that do not belong on a terminal; a line that a text began itself is one."""
    begun = {line for line in text.split("\n") if line.startswith("\\x0b")}
    return begun | {c for c in text if not c.isprintable() and c not in besides}


def one_document(kind: str, version: str, spec: Any, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a", **meta}, "spec": spec}


POD = one_document("Pod", "v1", {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 80}]}]})
POLICY = one_document(
    "NetworkPolicy",
    "networking.k8s.io/v1",
    {
        "podSelector": {"matchLabels": {"app": "a"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {"podSelector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}},
                    {"namespaceSelector": {"matchLabels": {"a": "b"}}},
                ],
                "ports": [{"port": "http", "protocol": "TCP"}],
            },
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
        ],
    },
)
TOPOLOGY = one_document(
    "Topology",
    "netlab/v1alpha1",
    {
        "networks": [{"name": "default", "mode": "bridge", "podCIDRs": ["10.244.0.0/16"]}],
        "nodes": [{"name": "n", "labels": {"a": "b"}}],
        "hosts": [{"name": "h", "addresses": ["192.0.2.1"]}],
        "underlayCIDRs": ["100.64.0.0/16"],
        "policy": {"icmp": "allow"},
    },
)
SERVICE = one_document(
    "Service",
    "v1",
    {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.7",
        "selector": {"app": "a"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
    },
)
SCENARIO = one_document(
    "Scenario",
    "netlab/v1alpha1",
    {
        "description": "d",
        "resources": ["objects.yaml"],
        "steps": [
            {
                "name": "s",
                "apply": [POD],
                "label": [{"pod": "default/a", "labels": {"a": "b"}}],
                "delete": [{"kind": "Pod", "namespace": "default", "name": "b"}],
                "expect": [{"from": "default/a", "to": "default/b", "port": 80, "verdict": "deny"}],
            }
        ],
    },
)
WORKLOAD = one_document(
    "Deployment",
    "apps/v1",
    {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}, "annotations": {"netlab/network": "x"}}, "spec": POD["spec"]},
    },
)
EXPORTED = {
    **one_document("Pod", "v1", {**POD["spec"], "nodeName": "n", "nodeSelector": {"a": "b"}}, namespace="x"),
    "status": {"phase": "Running", "podIP": "10.244.0.9", "podIPs": [{"ip": "10.244.0.9"}]},
}
FULL = {"labels": {"a": "b"}, "annotations": {"netlab/network": "default"}, "namespace": "default"}
DOCUMENTS = {
    "pod": {**POD, "metadata": {"name": "a", **FULL}},
    "policy": {**POLICY, "metadata": {"name": "a", **FULL}},
    "topology": TOPOLOGY,
    "service": SERVICE,
    "workload": WORKLOAD,
    "exported": EXPORTED,
    "scenario": SCENARIO,
    "namespace": one_document("Namespace", "v1", {}, labels={"a": "b"}),
    "node": one_document("Node", "v1", {"podCIDR": "10.244.0.0/24"}, labels={"a": "b"}),
    "list": {"apiVersion": "v1", "kind": "List", "items": [POD]},
    "skipped": one_document("ConfigMap", "v1", {}),
}


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield every place of a document that could be another text: a value, or a key."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key), "key"
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from places(value, (*path, index))
        if path:
            yield path, "value"
    else:
        yield path, "value"


def spoiled(data: Any, path: tuple[Any, ...], what: str, text: str) -> Any:
    """Return a document with a hostile text, as it is or behind what was there, in one place."""
    copy = deepcopy(data)
    at = copy
    for step in path[:-1]:
        at = at[step]
    if what == "key":
        at[f"{path[-1]}{text}"] = at.pop(path[-1])
    else:
        before = at[path[-1]]
        at[path[-1]] = f"{before}{text}" if isinstance(before, str) else text
    return copy


OTHER_COMMANDS = (("lint",), ("reach",), ("explain", "default/a", "default/b:80"), ("compile",))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_control_characters_in_any_field_are_escaped(
    netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No control character of a value or key of any kind is printed.

    All commands read a file as ``check`` does. Of what that refuses, one other command in turn prints the problems.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "objects.yaml").write_text(json.dumps(POD))
    file = tmp_path / "hostile.json"
    document = DOCUMENTS[name]
    others = [("test",)] if name == "scenario" else OTHER_COMMANDS
    for number, (path, what) in enumerate(some(list(places(document)))):
        file.write_text(json.dumps(spoiled(document, path, what, HOSTILE)))
        checked = netlab("check", "-f", file)
        asked = others if checked.exit_code != 2 else [others[number % len(others)]]
        for words in (("check",), *asked):
            done = checked if words == ("check",) else netlab(*words, *(() if words == ("test",) else ("-f",)), file)

            assert done.exit_code in (0, 1, 2, 3), (words, path, done.output)
            assert set() == dirty(done.stdout, "\n\t" if words == ("compile",) else "\n"), (words, path)
            assert set() == dirty(done.stderr), (words, path)
            assert "internal error" not in done.stderr, (words, path)


@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize("character", CHARACTERS, ids=ascii)
def test_data_has_the_original_values(netlab: Call, tmp_path: Path, character: str, output: str) -> None:
    """Only the format escapes them."""
    import yaml

    file = tmp_path / f"a{character}.json"
    file.write_text(json.dumps(one_document(f"Pod{character}", "netlab/v1alpha1", {})))
    done = netlab("check", "-f", file, "-o", output)
    found = (json.loads if output == "json" else yaml.safe_load)(done.stdout)["problems"]

    assert set() == dirty(done.stdout)
    assert {str(file)} == {problem["file"] for problem in found}
    assert {f"Pod{character} default/a"} == {problem["object"] for problem in found}


ARGUMENTS = (
    ("check", "-f", HOSTILE),
    ("lint", "-f", HOSTILE),
    ("lint", "-f", "examples/shop", "--rule", HOSTILE),
    ("lint", "-f", "examples/shop", "--baseline", HOSTILE),
    ("test", HOSTILE),
    ("test", "examples", "--junit", f"{HOSTILE}/x"),
    ("conformance", HOSTILE),
    ("conformance", "--export", f"{HOSTILE}/x"),
    ("conformance", "--against", HOSTILE),
    ("conformance", "--judges", HOSTILE),
    ("reach", "-f", "examples/shop", "--port", HOSTILE),
    ("reach", "-f", "examples/shop", "--family", HOSTILE),
    ("compile", "-f", "examples/shop", "--node", HOSTILE),
    ("explain", "-f", "examples/shop", HOSTILE, "shop/web:80"),
    ("explain", "-f", "examples/shop", "shop/web", HOSTILE),
    ("explain", "-f", "examples/shop", "shop/web", f"shop/web:80/{HOSTILE}"),
    ("explain", "-f", "examples/shop", "shop/web", f"[2001:db8::1%{HOSTILE}]:80"),
    ("explain", "-f", "examples/shop", "-n", HOSTILE, "web", "db"),
    ("explain", "-f", "examples/shop", f"node:{HOSTILE}", f"host:{HOSTILE}"),
    ("suggest", "-f", "examples/suggest", "--observed", HOSTILE),
    ("get", HOSTILE),
    ("get", "pods", HOSTILE, "--lab", "no-such-lab"),
    ("label", "pod", "a/b", HOSTILE, "--lab", "no-such-lab"),
    ("delete", HOSTILE, HOSTILE),
    ("up", "-f", "examples/shop", "--lab", HOSTILE),
    ("down", HOSTILE),
    ("up", f"--{HOSTILE}"),
    ("up", HOSTILE),
    ("check", "-o", HOSTILE),
    (HOSTILE,),
    (f"--{HOSTILE}",),
    (f"-{HOSTILE}",),
)


@pytest.mark.parametrize("detail", [(), ("-v",)], ids=["", "-v"])
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=[" ".join(map(ascii, a))[:40] for a in ARGUMENTS])
def test_control_characters_in_arguments_are_escaped(
    netlab: Call, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], detail: tuple[str, ...]
) -> None:
    """Messages show arguments escaped, on one line."""
    monkeypatch.chdir(REPOSITORY)
    done = netlab(*arguments, *detail)

    assert done.exit_code in (2, 3)
    assert set() == dirty(done.stdout + done.stderr)
    assert all(line.startswith(("Error: ", "Usage: ", "Try '", "  ")) or not line for line in _lines(done, detail))


def _lines(done: Any, detail: tuple[str, ...]) -> list[str]:
    # A file that is not there is a problem of the input; with -v a traceback comes first.
    return [] if detail or "No such file" in done.stderr else done.stderr.split("\n")


def test_files_and_arguments_that_are_not_utf_8(program: Call, tmp_path: Path) -> None:
    """Their bytes are escaped in text and kept in data."""
    folder = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(folder)
    name = os.fsdecode(folder + b"/\xe9.yaml")
    Path(name).write_text(json.dumps([POLICY]) + "\n---\n" + json.dumps({**POD, "kind": "Strange"}))
    for arguments in (
        ("check", "-f", os.fsdecode(folder)),
        ("check", "-f", name),
        ("check", "-f", os.fsdecode(b"\xff-is-not-there")),
        ("reach", "-f", name),
        ("test", name),
        ("explain", "-f", "examples/shop", os.fsdecode(b"\xff"), "shop/web"),
        ("label", "pod", "a/b", os.fsdecode(b"k=\xff"), "--lab", "no-such-lab"),
        ("up", "-f", name, "--lab", os.fsdecode(b"\xff")),
        ("down", os.fsdecode(b"\xff")),
    ):
        done = program(*arguments)
        assert 2 == done.returncode, (arguments, done.stderr)
        assert set() == dirty(done.stdout + done.stderr)
        assert "internal error" not in done.stderr
    assert "\\udcff\\udcfe/\\udce9.yaml:1: must be an object" in program("check", "-f", name).stderr
    found = json.loads(program("check", "-f", name, "-o", "json").stdout)
    assert {name} == {problem["file"] for problem in found["problems"]}


def test_a_stream_that_cannot_encode_what_is_printed(program: Call, tmp_path: Path) -> None:
    """A character that the encoding lacks is escaped."""
    folder = tmp_path / "größe…"
    folder.mkdir()
    (folder / "a.yaml").write_text(json.dumps({**POD, "kind": "Strange"}))
    for output in ("table", "json", "yaml"):
        done = program("check", "-f", folder, "-o", output, PYTHONIOENCODING="ascii")
        assert (0, "") == (done.returncode, done.stderr if output != "table" else "")
    done = program("explain", "-f", "examples/shop", "shop/web", "…:80", PYTHONIOENCODING="ascii")
    assert 2 == done.returncode


@pytest.mark.kernel
def test_a_lab_from_a_folder_of_any_name(program: Call, unique: Callable[[str], str], tmp_path: Path) -> None:
    """Every command that prints text."""
    folder = tmp_path / HOSTILE
    folder.mkdir()
    file = folder / f"{HOSTILE}\udcff.json"
    pods = [{**POD, "metadata": {"name": n, "labels": {"app": n}, "annotations": {"a": HOSTILE}}} for n in ("a", "b")]
    policy = {**POLICY, "spec": {**POLICY["spec"], "ingress": []}}
    strange = [one_document(f"Strange{HOSTILE}", f"v1{HOSTILE}", {})]
    host = one_document("Topology", "netlab/v1alpha1", {"hosts": [{"name": "h", "addresses": ["192.0.2.1"]}]})
    items = [*pods, policy, SERVICE, *strange, host]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    lab = unique("text")
    commands: list[tuple[Any, ...]] = [("up", "-f", folder)]
    # `get labs` takes no --lab: without a name it opens every lab of the host, and waits for those that change.
    kinds = (("labs", lab), ("nodes",), ("pods",), ("services",), ("networkpolicies",))
    commands += [("get", *kind, "-o", output) for kind in kinds for output in ("wide", "name")]
    commands += [
        *(("explain", "a", "b:80"), ("explain", "b", "a:80"), ("trace", "a", "b:80"), ("trace", "b", "a:80")),
        *(("probe", "-o", "wide"), ("probe", "b", "a:80"), ("verify",), ("reach", "-o", "wide"), ("reach", "--group")),
        *(("apply", "-f", folder), ("label", "pod", "a", "x=y"), ("delete", "-f", folder)),
        ("exec", "host:h", "--", "true"),
    ]
    try:
        for command in commands:
            done = program(command[0], "--lab", lab, *command[1:])
            assert done.returncode in (0, 1, 2), (command, done.stderr)
            assert set() == dirty(done.stdout + done.stderr), command
            assert "internal error" not in done.stderr
        assert HOSTILE in program("exec", "host:h", "--lab", lab, "--", "printf", "%s", HOSTILE).stdout
    finally:
        done = program("down", lab)
        assert (0, set()) == (done.returncode, dirty(done.stdout + done.stderr))


@pytest.mark.kernel
def test_a_scenario_with_steps_of_any_name(program: Call, tmp_path: Path) -> None:
    """Its text, JSON, YAML and JUnit XML."""
    import yaml

    file = tmp_path / f"{HOSTILE}.json"
    step = {"name": f"s{HOSTILE}", "expect": [{"from": "a", "to": "b", "port": 80, "verdict": "deny"}]}
    pods = [{**POD, "metadata": {"name": n, "namespace": "default"}} for n in "ab"]
    steps = [{"name": f"first{HOSTILE}", "apply": pods}, step]
    file.write_text(json.dumps(one_document("Scenario", "netlab/v1alpha1", {"steps": steps})))
    for output in ("table", "json", "yaml"):
        done = program("test", file, "-o", output, "-v", "--junit", tmp_path / "junit.xml")
        assert 1 == done.returncode
        assert set() == dirty(done.stdout + done.stderr)
        if output != "table":
            found = (json.loads if output == "json" else yaml.safe_load)(done.stdout)
            assert [f"first{HOSTILE}", f"s{HOSTILE}"] == [step["name"] for step in found["scenarios"][0]["steps"]]


def test_only_netlabs_own_colours_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal marks have colour; other sequences in names are escaped."""
    monkeypatch.setattr(terminal, "coloured", lambda: True)
    mark = terminal.paint("X", "X")
    terminal.emit([f"{mark} name", f"{mark} na\x1b[2Jme\n{mark}"])

    assert f"{mark} name\n{mark} na\\x1b[2Jme\\n{mark}\n" == capsys.readouterr().out


def test_columns_are_as_wide_as_what_is_printed() -> None:
    """A cell is escaped before it is measured."""
    from netlab.report.columns import columns

    wanted = ["A            B", r"a\x1b[2J\n   b", "a            b"]

    assert wanted == list(columns("AB", [("a\x1b[2J\n", "b"), "ab"]))


@given(st.text())
@settings(max_examples=samples(300))
def test_a_printable_text_is_one_line_that_stays_as_it_is(text: str) -> None:
    """Escaping is idempotent."""
    once = printable(text)

    assert once.isprintable()
    assert once == printable(once)
    assert text == once or not text.isprintable()


def test_a_problem_prints_as_one_line() -> None:
    """Its fields are not escaped; JSON prints them."""
    problem = Problem("a\nb.yaml", 3, "spec.\x1b", "Pod\u202e x/a", "no \u2028 such")

    assert r"a\nb.yaml:3: Pod\u202e x/a: spec.\x1b: no \u2028 such" == str(problem)
    assert "a\nb.yaml" == problem.file


def test_only_the_terminal_prints() -> None:
    """Only ``netlab.cli.terminal`` and its progress line print: they escape text.

    Programs that a lab runs print to files of their own.
    ``netlab-cni`` prints one line of JSON, in which every other character than ASCII is escaped.
    """
    calls = []
    allowed = {REPOSITORY / "netlab/cli" / name for name in ("terminal.py", "progress_line.py")}
    programs = REPOSITORY / "netlab" / "programs"
    for file in sorted({*(REPOSITORY / "netlab").rglob("*.py")} - {*programs.rglob("*.py")} - allowed):
        text = file.read_text()
        # To parse all files takes seconds.
        if not re.search(r"print|echo|sys\.std", text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            constant = all(isinstance(argument, ast.Constant) for argument in node.args)
            printing = called in ("print", "click.echo", "click.secho", "traceback.print_exception") or (
                called.startswith(("sys.stdout.write", "sys.stderr.write")) and not constant
            )
            if printing and file.name != "scapy_packets.py" and file.parent.name != "plugin":
                calls.append(f"{file.relative_to(REPOSITORY)}:{node.lineno}: {called}")

    assert [] == calls
