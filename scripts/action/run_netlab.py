"""The action's second step: run netlab's commands, and collect their reports in a folder.

Outputs: ``exit-code`` is the highest code of the commands, ``failed`` says whether that fails the job, ``reports`` is
the folder. ``summary.md`` in the folder is what the job's summary and the comment show.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import workflow
from workflow import WrongInputError

COMMANDS = ("check", "lint", "reach", "verify", "test")
# The formats that are written to files, and the suffix of each: verify.html. A command may not have all of them.
SUFFIXES = {"markdown": "md", "html": "html", "junit": "xml", "sarif": "sarif"}
# The commands that make namespaces, so they need root or user namespaces.
KERNEL = ("verify", "test")
MEANINGS = {
    0: "as expected",
    1: "not as expected",
    2: "the input is wrong",
    3: "the runner cannot do it",
    70: "a bug in netlab",
}
_FAILS_FROM = {"warning": 1, "verdict": 1, "error": 2}
# How the names of variables begin that netlab, and what it runs, do not get: the runner's own, such as the files of its
# outputs. A PYTHONPATH may name the checkout, whose files netlab must not import.
_NOT_PASSED_ON = ("ACTIONS_", "GITHUB_", "INPUT_", "NETLAB_", "PYTHON")
_MOST_LINES = 100
_MOST_LOGGED = 500_000


@dataclass(frozen=True)
class Done:
    """A command that has run. ``markdown`` is its part of the summary."""

    command: str
    code: int
    markdown: str

    @property
    def meaning(self) -> str:
        """What the exit code says, in words."""
        return MEANINGS.get(self.code, f"ended with code {self.code}")


@dataclass(frozen=True)
class Wanted:
    """What the inputs ask for."""

    commands: Sequence[str]
    manifests: Sequence[str]
    scenarios: Sequence[str]
    fail_on: str

    def arguments(self, command: str) -> list[str]:
        """Return the arguments of a command."""
        asked = [f"--as={workflow.text('profile')}"] if workflow.text("profile") else []
        if command == "test":
            return [*asked, "--", *self.scenarios]
        files = [f"--filename={path}" for path in self.manifests]
        if command == "check":
            return [*asked, *(["--strict"] if self.fail_on == "warning" else []), *files]
        if command == "lint":
            return [*asked, f"--fail-on={'warning' if self.fail_on == 'warning' else 'error'}", *files]
        ports = [f"--port={port}" for port in workflow.items("ports")]
        return [*asked, *ports, *workflow.items("options"), *files]


def wanted() -> Wanted:
    """Return what the inputs ask for; raises WrongInputError."""
    manifests, scenarios = _paths("manifests"), _paths("scenarios")
    words = workflow.text("command").split() or ["auto"]
    if words == ["auto"]:
        words = [*(["check", "verify"] if manifests else []), *(["test"] if scenarios else [])]
        if not words:
            raise WrongInputError("name files: the inputs manifests and scenarios are empty")
    for word in words:
        if word not in COMMANDS:
            raise WrongInputError(f"the input command is auto, or words of {', '.join(COMMANDS)}, not {word!r}")
        if not (scenarios if word == "test" else manifests):
            raise WrongInputError(f"{word} needs the input {'scenarios' if word == 'test' else 'manifests'}")
    fail_on = workflow.choice("fail-on", "verdict", "warning", "error", "never")
    return Wanted(tuple(dict.fromkeys(words)), manifests, scenarios, fail_on)


def _paths(name: str) -> list[str]:
    """Return the paths of an input. A pattern that is no file stands for the files that it matches."""
    found = []
    for item in workflow.items(name):
        matches = sorted(glob.glob(item, recursive=True)) if not os.path.lexists(item) else []
        found += matches or [item]
    # "-" is standard input, and what begins with a dash may be an option.
    return [path if not path.startswith("-") else f"./{path}" for path in found]


def run(command: str, arguments: Sequence[str], folder: Path) -> Done:
    """Run a command; its output goes to the log, its reports to the folder."""
    program = [os.path.join(os.environ["NETLAB_VENV"], "bin", "netlab"), command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}
    text = subprocess.run([*program, "--help"], capture_output=True, text=True, env=environment, check=False).stdout
    formats = re.findall(r"^ +--(\w+) FILE", text, re.MULTILINE)
    reports = {name: folder / f"{command}.{SUFFIXES[name]}" for name in formats if name in SUFFIXES}
    if command in KERNEL and os.environ.get("NETLAB_AS_ROOT") == "sudo":
        program = ["sudo", "-n", "--", *program]
    options = [f"--{name}={path}" for name, path in reports.items()]
    with (folder / f"{command}.txt").open("w+b") as printed, tempfile.TemporaryFile() as said:
        ended = subprocess.run(
            [*program, *options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=said,
            env=environment,
            check=False,
        )
        messages = _text(said)
        workflow.log(f"$ netlab {command}\n{_text(printed)}{messages}exit code {ended.returncode}")
    report = reports.get("markdown")
    if report is not None and report.is_file() and report.stat().st_size:
        markdown = report.read_text(encoding="utf-8", errors="replace").rstrip()
    else:
        markdown = "\n".join(_messages(command, messages))
    code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
    return Done(command, code, markdown)


def _text(file: IO[bytes]) -> str:
    """Return the beginning of a file that a command has written."""
    file.seek(0)
    return file.read(_MOST_LOGGED).decode(errors="replace")


def _messages(command: str, text: str) -> Iterator[str]:
    """Yield messages as Markdown. The fence is longer than any in the text, so the text cannot end it."""
    lines = text.splitlines()
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    yield f"<!-- netlab {command} -->"
    yield ""
    yield f"# netlab {command}"
    yield ""
    yield f"{fence}text"
    yield from lines[:_MOST_LINES]
    yield fence
    if len(lines) > _MOST_LINES:
        yield ""
        yield f"and {len(lines) - _MOST_LINES:,} more lines"


def commands(asked: Wanted, folder: Path) -> Iterator[Done]:
    """Run the commands. If check refuses the manifests, verify and reach would only say the same again."""
    refused = False
    for command in asked.commands:
        if refused and command != "test":
            continue
        done = run(command, asked.arguments(command), folder)
        refused |= command == "check" and done.code > 1
        yield done


def summary(found: Sequence[Done], failed: bool) -> Iterator[str]:
    """Yield the summary of the job, which is the comment too: what failed comes first."""
    yield f"# netlab: {'failed' if failed else 'passed'}"
    yield ""
    yield "| command | result |"
    yield "|---|---|"
    for one in found:
        yield f"| `{one.command}` | {one.meaning} |"
    for one in sorted(found, key=lambda one: one.code == 0):
        yield ""
        yield one.markdown
    yield ""
    yield _footer()


def _footer() -> str:
    environment = os.environ.get
    parts = []
    commit = str((workflow.event().get("pull_request") or {}).get("head", {}).get("sha", ""))
    commit = commit or environment("GITHUB_SHA", "")
    if re.fullmatch("[0-9a-f]{7,64}", commit):
        parts.append(f"commit {commit[:12]}")
    run_id = environment("GITHUB_RUN_ID", "")
    if run_id.isdigit():
        where = f"{environment('GITHUB_SERVER_URL', '')}/{environment('GITHUB_REPOSITORY', '')}/actions/runs/{run_id}"
        artifact = workflow.text("artifact")
        parts.append(f"[log{' and reports' if artifact else ''}]({where})")
    return " · ".join(parts)


def main() -> int:
    """Run the step; return its exit code."""
    try:
        folder = workflow.text("working-directory") or "."
        if not os.path.isdir(folder):
            raise WrongInputError(f"the input working-directory is no folder: {folder}")
        os.chdir(folder)
        asked = wanted()
    except WrongInputError as error:
        workflow.annotate("error", str(error))
        return 2
    reports = Path(tempfile.mkdtemp(prefix="netlab-reports.", dir=os.environ.get("RUNNER_TEMP") or None))
    found = list(commands(asked, reports))
    code = max(one.code for one in found)
    failed = code >= _FAILS_FROM.get(asked.fail_on, 1000)
    lines = list(summary(found, failed))
    (reports / "summary.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workflow.summary(lines)
    workflow.output(exit_code=code, failed=str(failed).lower(), reports=reports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
