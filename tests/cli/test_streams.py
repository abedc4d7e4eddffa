"""Closed streams, full streams and streams without a reader: exit codes, no traceback, no lab left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_records import record
from sizes import some

Program = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]
FULL = "Error: No space left on device: standard output"
CLOSED = [">&-", "2>&-", "<&- >&- 2>&-"]


def start(arguments: list[str], redirection: str) -> tuple[int, int, str]:
    """Run netlab with streams as a shell has them; return the process's id, its exit code, and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    to_pipe = redirection.endswith("|")
    redirection = redirection.removesuffix("|")
    script = f'exec "$0" -m netlab "$@" {redirection}'
    # Python's own buffering is what users have.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        ["/bin/sh", "-c", script, sys.executable, *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=writer if to_pipe else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        os.close(writer)
        _, err = process.communicate(timeout=110)
    return process.pid, process.returncode, err


def left_by(pid: int) -> list[str]:
    """The labs that a process had for itself."""
    return [lab for lab in record.labs() if f"-{pid:x}-" in lab]


SIMPLE = [
    (["--version"], 0),
    (["nonsense"], 2),
    (["check", "-f", "examples/shop"], 0),
    (["reach", "-f", "examples/shop", "-o", "json"], 0),
    (["compile", "-f", "examples/shop"], 0),
]


@pytest.mark.parametrize(
    ("arguments", "code"), SIMPLE, ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else ""
)
def test_without_a_kernel(arguments: list[str], code: int) -> None:
    """A closed stream acts like /dev/null. Full output is exit code 3, output without a reader 141."""
    found = {redirection: start(arguments, redirection)[1:] for redirection in some([*CLOSED, "2>/dev/full"])}
    found["2| "] = start(arguments, "2>&1 >/dev/null |")[1:]
    full, gone = start(arguments, ">/dev/full"), start(arguments, "|")
    both = start(arguments, ">/dev/full 2>/dev/full")
    speaks = code == 0

    assert {code} == {one for one, _ in found.values()}
    assert not [err for _, err in found.values() if "Traceback" in err or "Exception" in err]
    assert (3, [FULL]) == (full[1], full[2].splitlines()[-1:]) if speaks else code == full[1]
    assert (141, "") == gone[1:] if speaks else code == gone[1]
    assert (3 if speaks else code) == both[1]


RUNNING = [
    (["get", "pods"], 0),
    (["probe", "shop/web", "shop/api:8080"], 0),
    (["probe", "-o", "json"], 0),
    (["trace", "shop/web", "shop/api:8080"], 0),
    (["verify"], 0),
    (["exec", "shop/nobody", "--", "true"], 2),
]


@pytest.mark.parametrize("redirection", ["<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "|", "2>&1 >/dev/null |"])
def test_with_a_running_lab(shared_lab: str, redirection: str) -> None:
    """The exit codes are those without a kernel."""
    speaks = {">/dev/full": (3, [FULL]), "|": (141, [])}
    for arguments, code in RUNNING:
        _, found, err = start([arguments[0], "--lab", shared_lab, *arguments[1:]], redirection)

        if redirection in speaks and code == 0:
            assert speaks[redirection] == (found, err.splitlines()), arguments
        else:
            assert code == found, (arguments, err)
        assert "Traceback" not in err


OWN = [
    ["verify", "-f", "examples/shop", "-o", "json"],
    ["test", "scenarios/01-default-deny-all.yaml"],
    ["conformance", "upstream/default-deny-*", "--jobs", "2"],
    ["doctor"],
]


@pytest.mark.kernel
@pytest.mark.parametrize("redirection", ["<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "|"])
def test_with_temporary_labs(redirection: str) -> None:
    """No lab remains."""
    codes = {">/dev/full": 3, "|": 141}
    for arguments in OWN:
        pid, code, err = start(arguments, redirection)

        assert codes.get(redirection, 0) == code, (arguments, err)
        assert "Traceback" not in err
        assert [] == left_by(pid)


@pytest.mark.parametrize("redirection", ["<&- >&- 2>&-", ">/dev/full", "|"])
def test_changes_are_made_even_if_they_cannot_be_printed(
    program: Program, unique: Callable[[str], str], redirection: str
) -> None:
    """The lab has the change, and ``down`` removes it."""
    name = unique("streams")
    code = {">/dev/full": 3, "|": 141}.get(redirection, 0)
    own = ["--lab", name]
    try:
        codes = [
            start(arguments, redirection)[1]
            for arguments in (
                ["up", "-f", "examples/shop", *own],
                ["label", "pod", "shop/web-0", "app=db", *own],
                ["delete", "networkpolicy", "shop/db", *own],
                ["apply", "-f", "examples/shop/policies.yaml", *own],
            )
        ]
        verified = program("verify", *own)
        removed = start(["down", name], redirection)
    finally:
        program("down", name)

    assert [code] * 4 == codes
    assert (0, "") == (verified.returncode, verified.stderr)
    assert code == removed[1]
    assert name not in record.labs()


def test_programs_have_all_three_streams(shared_lab: str, tmp_path: Path) -> None:
    """A file that a program opens does not get the number of a closed stream."""
    file = tmp_path / "streams"
    script = (
        "import os, sys; open(sys.argv[1], 'w').write(' '.join(os.readlink(f'/proc/self/fd/{n}') for n in range(3)))"
    )
    command = [sys.executable, "-c", script, str(file)]
    _, code, _ = start(["exec", "--lab", shared_lab, "shop/web", "--", *command], "<&- >&- 2>&-")

    assert 0 == code
    assert ["/dev/null"] * 3 == file.read_text().split()


def test_a_shell_with_no_input_ends(shared_lab: str) -> None:
    """It reads the end of /dev/null."""
    assert 0 == start(["shell", "--lab", shared_lab, "shop/web"], "<&-")[1]


def test_a_closed_input_is_an_error() -> None:
    """An error of the input."""
    _, code, err = start(["check", "-f", "-"], "<&-")

    assert 2 == code
    assert "Traceback" not in err
