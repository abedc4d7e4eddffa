"""Run the steps of a workflow or of a composite action on this machine, as GitHub's runner does.

Only what the action and the documented workflows use is here: expressions without functions other than those of a job's
status, ``run`` with bash, and the actions that ``USED`` names. Nothing is fetched.

https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[\w.-]+)")
_COMMAND = re.compile(r"::([\w-]+)(?: [^:]*)?::(.*)")
_STATUS = ("always", "cancelled", "failure", "success")
Values = Mapping[str, Any]


# --- expressions ----------------------------------------------------------------------------------------------------


class Expression:
    """An expression: literals, contexts, ``!``, ``==``, ``!=``, ``&&``, ``||``, and the functions of the status."""

    def __init__(self, text: str, values: Values, *, failed: bool) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), text
        self._values = values
        self._functions = {"always": True, "cancelled": False, "failure": failed, "success": not failed}

    def value(self) -> Any:
        """Return the value."""
        found = self._or()
        assert not self._tokens, self._tokens
        return found

    def _next(self, *among: str) -> str:
        return self._tokens.pop(0) if self._tokens and (not among or self._tokens[0] in among) else ""

    def _or(self) -> Any:
        left = self._and()
        while self._next("||"):
            right = self._and()
            left = left or right
        return left

    def _and(self) -> Any:
        left = self._equal()
        while self._next("&&"):
            right = self._equal()
            left = left and right
        return left

    def _equal(self) -> Any:
        left = self._one()
        while sign := self._next("==", "!="):
            left = (left == self._one()) == (sign == "==")
        return left

    def _one(self) -> Any:
        word = self._next()
        if word == "!":
            return not self._one()
        if word == "(":
            found = self._or()
            assert self._next(")")
            return found
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word in _STATUS:
            assert self._next("(")
            assert self._next(")")
            return self._functions[word]
        found = self._values
        for name in word.split("."):
            found = found.get(name, "") if isinstance(found, Mapping) else ""
        return found


# --- a job ----------------------------------------------------------------------------------------------------------


@dataclass
class Job:
    """A job on a runner of its own, with the folder of its checkout and one for what it leaves.

    ``commands`` has what the runner took for commands in the log, ``artifacts`` the files of each artifact.
    """

    workspace: Path
    folder: Path
    event: Values
    environment: Mapping[str, str]
    log: str = ""
    commands: list[tuple[str, str]] = field(default_factory=list)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return self._file("summary").read_text()

    def _file(self, name: str) -> Path:
        path = self.folder / name
        path.touch()
        return path

    def run(self, steps: Sequence[Values], values: Values, action: Path | None = None) -> dict[str, Any]:
        """Run steps in order; return their outputs. After a failure only steps with a function of the status run."""
        found: dict[str, Any] = {}
        for step in steps:
            now = {**values, "steps": found}
            condition = _TEMPLATE.sub(r"\1", str(step.get("if", "true")))
            if not re.search(rf"\b(?:{'|'.join(_STATUS)})\(", condition):
                condition = f"success() && ({condition})"
            if not Expression(condition, {**now, "true": True}, failed=bool(self.code)).value():
                continue
            code, outputs = (self._run if "run" in step else self._use)(step, now, action)
            self.code = self.code or code
            if "id" in step:
                found[step["id"]] = {"outputs": outputs, "outcome": "failure" if code else "success"}
        return found

    def text(self, template: Any, values: Values) -> str:
        """Return a text with its expressions replaced by their values."""
        if isinstance(template, bool):
            return str(template).lower()
        return _TEMPLATE.sub(
            lambda match: str(Expression(match[1], values, failed=bool(self.code)).value()), str(template)
        )

    def _run(self, step: Values, values: Values, action: Path | None) -> tuple[int, dict[str, str]]:
        script = self._file("script.sh")
        script.write_text(self.text(step["run"], values))
        outputs = self._file("outputs")
        outputs.write_text("")
        environment = {
            **self.environment,
            **{name: self.text(text, values) for name, text in step.get("env", {}).items()},
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self._file("summary")),
            "GITHUB_ACTION_PATH": str(action or ""),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=100,
            check=False,
        )
        self._read_log(done.stdout.decode(errors="replace"))
        return done.returncode, _outputs(outputs.read_text())

    def _read_log(self, text: str) -> None:
        """Find the runner's commands in the output of a step."""
        self.log += text
        end = ""
        for line in text.splitlines():
            match = _COMMAND.match(line.lstrip())
            if end:
                end = "" if line == f"::{end}::" else end
            elif match and match[1] == "stop-commands":
                end = match[2]
            elif match:
                self.commands.append((match[1], match[2]))

    def _use(self, step: Values, values: Values, action: Path | None) -> tuple[int, dict[str, str]]:
        name, _, version = step["uses"].partition("@")
        self.used.append(step["uses"])
        given = {key: self.text(text, values) for key, text in step.get("with", {}).items()}
        assert name in ("./", "OWNER/netlab") or re.fullmatch("[0-9a-f]{40}", version), "an action has a full hash"
        return USED[name](self, given, values)

    def upload(self, given: Mapping[str, str], values: Values) -> tuple[int, dict[str, str]]:
        """Keep the files of an artifact."""
        assert given["name"] not in self.artifacts, "an artifact of this name exists"
        files = (path for path in Path(given["path"]).rglob("*") if path.is_file())
        self.artifacts[given["name"]] = {path.name: path.read_text() for path in files}
        return 0, {}

    def nothing(self, given: Mapping[str, str], values: Values) -> tuple[int, dict[str, str]]:
        """Do nothing: the test has made the checkout."""
        return 0, {}

    def netlab(self, given: Mapping[str, str], values: Values) -> tuple[int, dict[str, str]]:
        """Run the action of this repository."""
        action = yaml.safe_load((REPOSITORY / "action.yml").read_text())
        assert set(given) <= set(action["inputs"]), given
        inputs = {
            name: given.get(name, self.text(one.get("default", ""), values)) for name, one in action["inputs"].items()
        }
        inner = {**values, "inputs": inputs}
        steps = self.run(action["runs"]["steps"], inner, REPOSITORY)
        self.outputs = {
            name: self.text(one["value"], {**inner, "steps": steps}) for name, one in action["outputs"].items()
        }
        return self.code, self.outputs


Use = Callable[[Job, Mapping[str, str], Values], tuple[int, dict[str, str]]]
USED: dict[str, Use] = {
    "actions/checkout": Job.nothing,
    "actions/upload-artifact": Job.upload,
    "OWNER/netlab": Job.netlab,
    "./": Job.netlab,
}


def _outputs(text: str) -> dict[str, str]:
    """Return the outputs of a step: lines NAME=VALUE, and NAME<<MARK with the lines up to the mark."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, several, mark = line.partition("<<")
        if several and "=" not in name:
            value = []
            for inner in lines:
                if inner == mark:
                    break
                value.append(inner)
            found[name] = "\n".join(value)
        else:
            name, _, text = line.partition("=")
            found[name] = text
    return found


def run_workflow(
    text: str, workspace: Path, folder: Path, event_name: str, event: Values, api: str, **environment: str
) -> Job:
    """Run the only job of a workflow for an event.

    Args:
      text: the workflow.
      workspace: the checkout.
      folder: an empty folder for what the runner keeps.
      event_name: the name of the event, as pull_request.
      event: the event's own data.
      api: the address of GitHub's API.
      environment: further variables of the runner.
    """
    (name, described), *others = yaml.safe_load(text)["jobs"].items()
    assert not others
    temporary = folder / "temp"
    temporary.mkdir(parents=True)
    (folder / "event.json").write_text(json.dumps(event))
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "XDG_RUNTIME_DIR") if name in os.environ}
    job = Job(
        workspace,
        folder,
        event,
        {
            **kept,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": api,
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_HEAD_REF": str(((event.get("pull_request") or {}).get("head") or {}).get("ref", "")),
            "GITHUB_JOB": name,
            "GITHUB_REPOSITORY": "owner/shop",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
            "GITHUB_WORKFLOW": "netlab",
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temporary),
            **environment,
        },
    )
    job.run(described["steps"], {"github": {"token": "t0ken", "event": event, "workspace": str(workspace)}})
    shutil.rmtree(temporary)
    return job
