"""``netlab lint``: formats, exit codes, baselines, and configurations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  egress:
  - ports: [{port: 443}]
"""
RULE = "rules-without-type"
ONLY = ("--rule", RULE)
Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one policy that has an error, in the working directory."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.yaml").write_text(POD + POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finding_is_a_line_with_its_rule_and_a_line_with_a_hint(netlab: Call) -> None:
    """Standard output has them, and the counts."""
    done = netlab("lint", "-f", "set", *ONLY)

    assert 1 == done.exit_code
    first, fix, counts = done.stdout.splitlines()
    assert first.startswith("set/a.yaml:11: error: NetworkPolicy shop/web: spec.egress: rules have no effect")
    assert first.endswith(f" [{RULE}]")
    assert "  fix: add the direction to policyTypes, or remove the rules" == fix
    assert "1 error, 0 warnings, 0 info" == counts


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("error", "error", 1),
        ("warning", "error", 0),
        ("warning", "warning", 1),
        ("info", "warning", 0),
        ("info", "info", 1),
        ("error", "never", 0),
    ],
)
def test_the_exit_code_follows_the_severity(netlab: Call, folder: Path, severity: str, fail_on: str, code: int) -> None:
    """``--fail-on`` names the mildest severity that fails."""
    (folder / ".netlab.toml").write_text(f'[lint.severity]\n{RULE} = "{severity}"\n')

    assert code == netlab("lint", "-f", "set", *ONLY, "--fail-on", fail_on).exit_code


def test_the_json_has_every_finding_and_the_counts(netlab: Call) -> None:
    """Programs read rule, severity, place, object, message, fix and fingerprint."""
    done = netlab("lint", "-f", "set", *ONLY, "-o", "json")
    data = json.loads(done.stdout)
    (one,) = data["findings"]

    assert (1, "Lint") == (done.exit_code, data["kind"])
    assert {"error": 1, "warning": 0, "info": 0, "hidden": {"comment": 0}} == data["summary"]
    assert (RULE, "error", "set/a.yaml", 11) == (one["rule"], one["severity"], one["file"], one["line"])
    assert ("spec.egress", "NetworkPolicy shop/web") == (one["path"], one["object"])
    assert one["message"]
    assert one["fix"]
    assert len(one["fingerprint"]) == 32


def test_every_format_is_printed_and_written(netlab: Call, folder: Path) -> None:
    """As with every result."""
    for name, part in (("markdown", "# Lint: 1 error"), ("html", "<h1>Lint: 1 error</h1>"), ("sarif", f'"{RULE}"')):
        done = netlab("lint", "-f", "set", *ONLY, "-o", name, f"--{name}", "out")

        assert part in done.stdout
        assert part in (folder / "out").read_text()


def test_the_list_has_every_rule(netlab: Call) -> None:
    """As a table, as JSON and as Markdown; it needs no input."""
    done = netlab("lint", "--list")
    rules = json.loads(netlab("lint", "--list", "-o", "json").stdout)["rules"]

    assert [line.split()[0] for line in done.stdout.splitlines()] == [one["id"] for one in rules]
    assert f"| {RULE} | error |" in netlab("lint", "--list", "-o", "markdown").stdout
    assert 2 == netlab("lint", "--list", "-o", "sarif").exit_code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to read"),
        (("-f", "set", "--rule", "no-such"), "--rule no-such: no such rule"),
        (("-f", "set", "--baseline", "missing.json"), "missing.json"),
        (("-f", "set", "--baseline", "set/a.yaml"), "set/a.yaml:1: not JSON"),
        (("-f", "set", "--write-baseline", "no/dir.json"), "no directory no"),
        (("-f", "set", "--write-baseline", "set/a.yaml"), "may be a manifest, which is not replaced"),
    ],
)
def test_wrong_arguments_are_one_line(netlab: Call, arguments: tuple[str, ...], message: str) -> None:
    """The exit code is 2."""
    done = netlab("lint", *arguments)

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines()))
    assert message in done.stderr


def test_an_error_of_the_input_is_the_only_finding(netlab: Call, folder: Path) -> None:
    """The exit code is 2, and the line is on standard error; formats for programs have it too."""
    (folder / "set" / "a.yaml").write_text(POD + POLICY.replace("egress:", "egres:"))
    done = netlab("lint", "-f", "set")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "set/a.yaml:11: NetworkPolicy shop/web: spec.egres: unknown field" in done.stderr
    done = netlab("lint", "-f", "set", "-o", "sarif")
    run = json.loads(done.stdout)["runs"][0]
    assert 2 == done.exit_code
    assert ["invalid-input"] == [one["ruleId"] for one in run["results"]]
    assert run["invocations"][0]["executionSuccessful"] is False


# --- baselines ------------------------------------------------------------------------------------------------------


def test_a_baseline_hides_what_was_known(netlab: Call, folder: Path) -> None:
    """Also after lines moved; what is new is found."""
    done = netlab("lint", "-f", "set", *ONLY, "--write-baseline", "known.json")

    assert (0, "0 errors, 0 warnings, 0 info; hidden: 1 by baseline\n") == (done.exit_code, done.stdout)
    assert "known.json: 1 finding written; --baseline known.json hides it\n" == done.stderr
    (folder / "set" / "a.yaml").write_text(f"# moved\n{POD}{POLICY}")
    assert 0 == netlab("lint", "-f", "set", *ONLY, "--baseline", "known.json").exit_code
    (folder / "set" / "b.yaml").write_text(POLICY.replace("name: web", "name: new"))
    done = netlab("lint", "-f", "set", *ONLY, "--baseline", "known.json")
    assert 1 == done.exit_code
    assert "set/b.yaml:7: error: NetworkPolicy shop/new" in done.stdout
    assert done.stdout.endswith("1 error, 0 warnings, 0 info; hidden: 1 by baseline\n")


def test_a_baseline_is_one_line_for_each_finding(netlab: Call, folder: Path) -> None:
    """So that a change of it is readable."""
    netlab("lint", "-f", "set", *ONLY, "--write-baseline", "known.json")
    text = (folder / "known.json").read_text()

    assert "LintBaseline" == json.loads(text)["kind"]
    assert 3 == len(text.splitlines())


def test_a_baseline_with_findings_that_are_gone_is_told(netlab: Call, folder: Path) -> None:
    """It can be written again; a rule that did not run says nothing."""
    netlab("lint", "-f", "set", "--write-baseline", "known.json")
    (folder / "set" / "a.yaml").write_text(POD)
    done = netlab("lint", "-f", "set", "--baseline", "known.json")

    assert 0 == done.exit_code
    assert re.search(r"^\d+ of \d+ findings of known.json are no longer found: --write", done.stderr, re.MULTILINE)
    assert "" == netlab("lint", "-f", "set", *ONLY, "--baseline", "known.json").stderr


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"apiVersion": "netlab/v1alpha1", "kind": "LintBaseline"}', "[" * 100_000]
)
def test_another_file_is_no_baseline(netlab: Call, folder: Path, text: str) -> None:
    """It is refused in one line."""
    (folder / "known.json").write_text(text)
    done = netlab("lint", "-f", "set", "--baseline", "known.json")

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines()))


# --- configuration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [(".netlab.toml", f'[lint]\noff = ["{RULE}"]\n'), ("pyproject.toml", f'[tool.netlab.lint]\noff = ["{RULE}"]\n')],
)
@pytest.mark.parametrize("inside", [".", "set"])
def test_a_configuration_holds_in_its_folder_and_below(
    netlab: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, inside: str
) -> None:
    """Its use is said, as it hides findings."""
    (folder / file).write_text(text)
    monkeypatch.chdir(folder / inside)
    done = netlab("lint", "-f", str(folder / "set"), *ONLY)
    name = file if inside == "." else f"../{file}"

    assert (0, f"{name}: off: {RULE}\n") == (done.exit_code, done.stderr)
    assert 1 == netlab("lint", "-f", str(folder / "set"), *ONLY, "--no-config").exit_code


def test_a_configuration_above_the_repository_does_not_count(
    netlab: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another project's. A pyproject.toml without the table is passed."""
    (folder / ".netlab.toml").write_text(f'[lint]\noff = ["{RULE}"]\n')
    (folder / "set" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(folder / "set")

    assert 0 == netlab("lint", "-f", "a.yaml", *ONLY).exit_code
    (folder / "set" / ".git").mkdir()
    assert 1 == netlab("lint", "-f", "a.yaml", *ONLY).exit_code


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (".netlab.toml", "[lint\n", ":1: not TOML: "),
        (".netlab.toml", "[lnt]\n", ":1: lnt: unknown key; known: lint"),
        (".netlab.toml", "[lint]\n\nof = []\n", ":3: lint.of: unknown key; known: off, severity"),
        (".netlab.toml", f'[lint]\noff = [\n  "{RULE}",\n  "{RULE}s",\n]\n', f':4: lint.off: no rule "{RULE}s"; did'),
        (".netlab.toml", '[lint]\noff = "x"\n', ":2: lint.off: must be a list of rules"),
        (".netlab.toml", f'[lint.severity]\n{RULE} = "bad"\n', f':2: lint.severity.{RULE}: Unsupported value: "bad"'),
        (".netlab.toml", '[lint]\nseverity.nothing = "info"\n', ':2: lint.severity.nothing: no rule "nothing"'),
        (".netlab.toml", "[lint]\nseverity = 1\n", ":2: lint.severity: must be a table"),
        (".netlab.toml", "lint = 1\n", ":1: lint: must be a table"),
        (".netlab.toml", f"lint = {'[' * 30_000}\n", ": not TOML: "),
        ("pyproject.toml", "[tool.netlab]\nx = 1\n", ":2: tool.netlab.x: unknown key; known: lint"),
        ("pyproject.toml", "[tool.netlab.lint]\nx = 1\n", ":2: tool.netlab.lint.x: unknown key"),
    ],
)
def test_an_error_of_the_configuration_has_file_and_line(
    netlab: Call, folder: Path, file: str, text: str, message: str
) -> None:
    """A misspelt key would hide nothing, without a word."""
    (folder / file).write_text(text)
    done = netlab("lint", "-f", "set")

    assert (2, "") == (done.exit_code, done.stdout)
    assert done.stderr.startswith(file)
    assert message in done.stderr


def test_a_configuration_is_a_regular_file_of_the_repository(netlab: Call, folder: Path, tmp_path: Path) -> None:
    """A link may lead to what the user may read and its author may not."""
    (folder / ".netlab.toml").symlink_to("/etc/hostname")
    done = netlab("lint", "-f", "set")

    assert 2 == done.exit_code
    assert ".netlab.toml: is a link to what is outside of" in done.stderr
    assert "--no-config" in done.stderr


def test_a_working_directory_that_is_gone_has_no_configuration(
    netlab: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files with whole paths are read all the same."""
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    for output in ("table", "sarif"):
        done = netlab("lint", "-f", str(folder / "set"), *ONLY, "-o", output)
        assert (1, True) == (done.exit_code, RULE in done.stdout), done.stderr


def test_lint_asks_what_would_be(netlab: Call, folder: Path) -> None:
    """With other objects, and beside a CNI."""
    (folder / "more.yaml").write_text(POLICY.replace("name: web, ", "name: two, "))

    assert "2 errors" in netlab("lint", "-f", "set", *ONLY, "--with", "more.yaml").stdout
    assert "0 errors" in netlab("lint", "-f", "set", *ONLY, "--without", "networkpolicy/shop/web").stdout
    ignored = ("--rule", "profile-ignores-policy", "--as", "flannel")
    assert "(enforcement: none)" in netlab("lint", "-f", "set", *ignored).stdout


def test_a_baseline_does_not_replace_a_manifest(netlab: Call, folder: Path) -> None:
    """A baseline that netlab wrote before is replaced."""
    manifest = next((folder / "set").glob("*.yaml"))
    before = manifest.read_bytes()

    done = netlab("lint", "-f", "set", "--write-baseline", str(manifest))

    assert 2 == done.exit_code
    assert "may be a manifest, which is not replaced" in done.stderr
    assert before == manifest.read_bytes()
    for _ in range(2):
        assert 0 == netlab("lint", "-f", "set", *ONLY, "--write-baseline", "known.json").exit_code


def test_a_baseline_and_a_report_have_files_of_their_own(netlab: Call) -> None:
    """One file cannot be both."""
    done = netlab("lint", "-f", "set", "--write-baseline", "x", "--sarif", "./x")

    assert 2 == done.exit_code
    assert "--sarif and --write-baseline name one file, x" in done.stderr


def test_a_baseline_with_a_number_that_python_does_not_read_is_a_problem_of_the_file(
    netlab: Call, folder: Path
) -> None:
    """It is named, and no error of netlab."""
    (folder / "known.json").write_text(f'{{"kind": {"1" * 5000}}}')

    done = netlab("lint", "-f", "set", "--baseline", "known.json")

    assert 2 == done.exit_code
    assert "known.json: not JSON that netlab reads: a number is too long" in done.stderr
