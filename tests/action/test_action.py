"""The action in a simulated run: the workflow of docs/ci.md for pull requests, with a server of GitHub's API."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from action.act import REPOSITORY, Job
from action.fake_github import BOT, FakeGitHub
from action.shop import OPEN, SCENARIO, WORKFLOW

Push = Callable[..., Job]
ACTION: dict[str, Any] = yaml.safe_load((REPOSITORY / "action.yml").read_text())
# A workflow that asks without a kernel.
STATIC = WORKFLOW.replace("        scenarios: scenarios\n", "        command: check reach\n")
EVIL = "$(touch evil)`touch evil`'; touch evil; \"\n::add-mask::x\n${{ github.token }}"


def with_inputs(**inputs: str) -> str:
    """Return the workflow without a kernel, with more inputs."""
    return str(STATIC) + "".join(f"        {name.replace('_', '-')}: {value}\n" for name, value in inputs.items())


def test_the_workflow_is_the_one_that_init_writes() -> None:
    """The page for users and the command agree."""
    from netlab.cli import first_files

    assert WORKFLOW == "\n".join([*first_files.workflow("OWNER/netlab@v0.1.0", ["manifests"], "scenarios"), ""])


@pytest.mark.kernel
def test_a_change_with_a_wrong_verdict_fails_and_gets_a_comment(
    push: Push, workspace: Path, github: FakeGitHub
) -> None:
    """The comment, the summary and the artifact name the pair; the job has the exit code of netlab."""
    (workspace / "manifests/open.yaml").write_text(OPEN)

    job = push()

    assert 1 == job.code, job.log
    (comment,) = github.comments
    assert comment["body"].startswith("<!-- netlab ")
    assert "# netlab: failed" in comment["body"]
    assert "| `test` | not as expected |" in comment["body"]
    assert re.search(r"stranger.*5432", comment["body"])
    assert "commit ffffffffffff" in comment["body"]
    assert "(https://github.example/owner/shop/actions/runs/42)" in comment["body"]
    assert comment["body"].partition("\n")[2].strip() == job.summary.strip()
    files = job.artifacts["netlab-report"]
    assert {"summary.md", "check.md", "verify.md", "verify.html", "test.html", "test.xml", "test.txt"} <= set(files)
    assert "<failure" in files["test.xml"]
    assert {"exit-code": "1"}.items() <= job.outputs.items()


@pytest.mark.kernel
def test_a_change_that_holds_passes_and_updates_the_same_comment(
    push: Push, workspace: Path, github: FakeGitHub
) -> None:
    """A second push changes the comment of the first; a comment of another login with its mark stays."""
    (workspace / "manifests/open.yaml").write_text(OPEN)
    push()
    mark = github.comments[0]["body"].partition("\n")[0]
    github.comments.insert(0, {"id": 0, "body": f"{mark}\nmine", "user": {"login": "stranger"}})
    github.comments[1]["id"] = 2
    github.comments += [{"id": n, "body": "talk", "user": {"login": BOT}} for n in range(3, 120)]
    (workspace / "manifests/open.yaml").unlink()

    job = push()

    assert 0 == job.code, job.log
    assert 119 == len(github.comments)
    assert f"{mark}\nmine" == github.comments[0]["body"]
    assert github.comments[1]["body"].startswith(f"{mark}\n# netlab: passed\n")
    assert "| `verify` | as expected |" in job.summary
    assert ["actions/checkout", "OWNER/netlab", "actions/upload-artifact"] == [one.split("@")[0] for one in job.used]


def test_the_comment_is_found_on_a_later_page(push: Push, github: FakeGitHub) -> None:
    """All pages of comments are read before a new one is written."""
    push(STATIC)
    github.comments[:0] = [{"id": -n, "body": "talk", "user": {"login": BOT}} for n in range(1, 251)]
    github.comments[250]["id"] = 251

    push(STATIC)

    assert 251 == len(github.comments)
    assert "PATCH /repos/owner/shop/issues/comments/251" == github.requests[-1]


def test_a_fork_has_a_token_that_can_only_read(push: Push, github: FakeGitHub) -> None:
    """The summary says so, and the job does not fail for it."""
    job = push(STATIC, fork=True)

    assert (0, []) == (job.code, github.comments)
    assert "The token of a fork's pull request can only read, so there is no comment." in job.summary
    assert "# netlab: passed" in job.summary
    assert [("warning", True)] == [(name, "fork" in text) for name, text in job.commands]


def test_a_job_without_the_permission_says_which_one(push: Push, github: FakeGitHub) -> None:
    """It is not a fork, so the workflow can be changed."""
    github.errors = [403]

    job = push(STATIC)

    assert 0 == job.code
    assert "permissions: {pull-requests: write}" in job.summary


@pytest.mark.parametrize("code", [301, 422, 500])
def test_an_api_that_answers_with_an_error_fails_no_job(push: Push, github: FakeGitHub, code: int) -> None:
    """Reading is tried again after an error of the server; no redirect is followed, as the token would go with it."""
    github.errors = [code] * (3 if code == 500 else 1)

    job = push(STATIC)

    assert (0, []) == (job.code, github.comments)
    assert f"GitHub did not take the comment (GET: {code})" in job.summary
    assert {"GET /repos/owner/shop/issues/7/comments"} == set(github.requests)


def test_a_broken_manifest_fails_with_code_2_and_its_problems_in_the_comment(
    push: Push, workspace: Path, github: FakeGitHub
) -> None:
    """Its line is in the comment. verify and reach do not run, as they would say the same."""
    (workspace / "manifests/open.yaml").write_text(OPEN.replace("podSelector", "podselector"))

    job = push(STATIC)

    assert 2 == job.code
    body = github.comments[0]["body"]
    assert "| `check` | the input is wrong |" in body
    assert "podselector" in body
    assert "manifests/open.yaml" in body.replace("&#47;", "/").replace("&#46;", ".")
    assert "reach" not in job.summary.partition("<!--")[0]


@pytest.mark.kernel
def test_a_broken_scenario_has_its_messages_in_the_comment(push: Push, workspace: Path, github: FakeGitHub) -> None:
    """The comment has the place of what is wrong, and its text."""
    (workspace / "scenarios/shop.yaml").write_text(SCENARIO.replace("shop/api", "shop/ap1"))

    job = push(WORKFLOW.replace("        manifests: |\n          manifests\n", ""))

    assert 2 == job.code
    assert re.search(r"scenarios/shop.yaml:9.* .*shop/ap1", github.comments[0]["body"])


def test_hostile_names_and_titles_do_nothing(push: Push, workspace: Path, github: FakeGitHub) -> None:
    """No branch, title or file name becomes a command of the shell or of the runner, or markup of the comment."""
    name = "::add-mask::`x` <img src=x> @octocat $(touch evil).yaml"
    text = "kind: 'Pod\n\n::set-output name=x::y'\napiVersion: [\n```\n# <b>big</b>\n"
    (workspace / name).write_text(text)

    other = push(with_inputs(ports='"$(touch evil)"', profile="'`touch evil`'"), name=EVIL)
    job = push(STATIC.replace("          manifests\n", "          manifests\n          *.yaml\n"), name=EVIL)

    assert (2, 2) == (job.code, other.code)
    assert [] == [path.name for path in (*workspace.rglob("evil"), *Path.cwd().glob("evil"))]
    assert [] == job.commands + other.commands
    assert "\n::add-mask::" in job.log
    outside = re.sub(r"(?ms)^(`{3,})\w*$.*?^\1$", "", github.comments[0]["body"])
    assert not re.search(r"<img|<b>|@octocat", outside)
    assert "t0ken" not in job.log + github.comments[0]["body"]


def test_no_module_of_a_pull_request_is_imported(push: Push, workspace: Path, github: FakeGitHub) -> None:
    """Also where the workflow's PYTHONPATH names the checkout: a module would run beside the token, and with sudo."""
    for name in ("sitecustomize", "workflow", "netlab", "json", "venv", "ensurepip", "pip"):
        (workspace / f"{name}.py").write_text(f"open({str(workspace / 'imported')!r}, 'a').write(__name__)\n")

    job = push(STATIC, PYTHONPATH=".")

    assert 0 == job.code, job.log
    assert not (workspace / "imported").exists()


def test_a_pull_request_without_changed_files_runs_as_any_other(push: Push, github: FakeGitHub) -> None:
    """The whole policy set is checked, so what changed does not matter."""
    job = push(STATIC)

    assert 0 == job.code
    assert "# netlab: passed" in github.comments[0]["body"]


def test_a_push_to_a_branch_has_a_summary_and_no_comment(push: Push, github: FakeGitHub) -> None:
    """Only pull requests have comments."""
    job = push(STATIC, event_name="push")

    assert (0, []) == (job.code, github.requests)
    assert "commit 0123456789ab" in job.summary


def test_pull_request_target_is_refused(push: Push, github: FakeGitHub) -> None:
    """A token that can write does not stand beside files of a fork."""
    job = push(STATIC, event_name="pull_request_target", fork=True)

    assert (2, [], {}) == (job.code, github.requests, job.artifacts)
    assert "netlab does not run on pull_request_target" in job.log


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"command": "destroy"},
            "the input command is auto, or words of check, lint, reach, verify, test, not 'destroy'",
        ),
        ({"fail-on": "often"}, "the input fail-on is one of verdict, warning, error, never, not 'often'"),
        ({"command": "test"}, "test needs the input scenarios"),
        ({"working-directory": "nowhere"}, "the input working-directory is no folder: nowhere"),
        ({"sudo": "perhaps"}, "the input sudo is auto, yes or no"),
        ({"netlab": "--editable=x"}, "the input netlab is a package and no option of pip"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_input_is_named(push: Push, inputs: dict[str, str], message: str) -> None:
    """The job fails with code 2 before netlab runs."""
    lines = "".join(f"        {name}: {value}\n" for name, value in inputs.items())

    job = push(re.sub("        command: .*\n", "" if "command" in inputs else r"\g<0>", STATIC) + lines)

    assert (2, [("error", message)]) == (job.code, job.commands)


def test_what_fails_the_job_is_chosen(push: Push, workspace: Path, github: FakeGitHub) -> None:
    """fail-on: warning fails for a warning, never for nothing; comment: failures writes none before a failure."""
    nothing = OPEN.replace("podSelector: {}", "podSelector: {matchLabels: {a: b}}")
    (workspace / "manifests/warning.yaml").write_text(nothing)

    passed = push(with_inputs(comment="failures", artifact="a"))
    assert (0, []) == (passed.code, github.comments)
    strict = push(with_inputs(fail_on="warning", comment="failures", artifact="b"))
    assert (1, 1) == (strict.code, len(github.comments))
    wrong = with_inputs(fail_on="never", comment="'no'", report="'no'").replace(
        "          manifests\n", "          nowhere\n"
    )
    never = push(wrong)
    assert (0, "2", {}) == (never.code, never.outputs["exit-code"], never.artifacts)


def test_a_pattern_names_several_files(push: Push, workspace: Path) -> None:
    """A file whose name is an option of netlab is a file."""
    (workspace / "-x.yaml").write_text(OPEN)

    job = push(STATIC.replace("          manifests\n", "          manifests/*.yaml\n          -x.yaml\n"))

    assert 0 == job.code, job.log
    assert "6 NetworkPolicies" in job.log


def test_a_report_that_is_too_long_for_a_comment_leaves_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub refuses comments of more than 65,536 characters."""
    import write_comment

    text = write_comment.body("# netlab: failed\n\n| a |\n\n<!-- netlab check -->\n" + "x" * 70_000)

    assert len(text) < 1000
    assert "| a |" in text
    assert "too long for a comment" in text
    assert len(write_comment.body("x" * 70_000)) < 1000


def test_no_expression_is_in_a_command() -> None:
    """Texts reach the steps as environment variables, and every action has a full hash."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}"))
    assert "pull_request_target" not in "".join(path.read_text() for path in (REPOSITORY / ".github").rglob("*.yml"))


def test_the_root_of_a_runner_is_not_needed(push: Push) -> None:
    """sudo: no asks for labs without root; netlab says if the runner forbids them."""
    job = push(with_inputs(sudo="'no'"))

    assert 0 == job.code
    assert os.path.isdir(job.environment["GITHUB_WORKSPACE"])


@pytest.mark.kernel
@pytest.mark.parametrize("password", [False, True])
def test_an_ordinary_user_of_a_runner_has_sudo(
    push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: bool
) -> None:
    """sudo without a password runs the commands with packets, and no other; else nothing is run by it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    refuse = "exit 1" if password else 'shift; [ "$1" != -- ] || shift; exec "$@"'
    for name, text in {"id": "echo 1000", "sudo": f'echo "sudo $*" >> {tmp_path}/calls\n{refuse}'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    job = push()

    calls = re.findall(r"^sudo -n (?:-- )?(?:\S*/)?(\w+)(?: (\w+))?", (tmp_path / "calls").read_text(), re.MULTILINE)
    commands = [second for first, second in calls if first == "netlab"]
    assert 0 == job.code, job.log
    assert ([] if password else ["verify", "test"]) == commands
    assert ("setup", "system") in calls or password
