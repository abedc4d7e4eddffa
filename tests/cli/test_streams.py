"""Closed streams, full streams and streams without a reader: exit codes, no traceback, no lab left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_records import record

Program = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]
FULL = "Error: No space left on device: standard output"
ALL_CLOSED, FULL_OUTPUT, NO_READER = "<&- >&- 2>&-", ">/dev/full", "|"


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
    """Closed streams act like /dev/null. Full output is exit code 3, output without a reader 141."""
    closed, full, gone = (start(arguments, how) for how in (ALL_CLOSED, FULL_OUTPUT, NO_READER))
    speaks = code == 0

    assert code == closed[1]
    assert "Traceback" not in closed[2]
    assert "Exception" not in closed[2]
    assert (3, [FULL]) == (full[1], full[2].splitlines()[-1:]) if speaks else code == full[1]
    assert (141, "") == gone[1:] if speaks else code == gone[1]


@pytest.mark.parametrize(("arguments", "code"), [SIMPLE[1], SIMPLE[2]], ids=["to standard error", "to standard output"])
def test_one_stream_of_two(arguments: list[str], code: int) -> None:
    """Closed output, and standard error that is closed, full or without a reader, change no exit code.

    If both are full, the exit code is that of full output.
    """
    found = [start(arguments, how) for how in (">&-", "2>&-", "2>/dev/full", "2>&1 >/dev/null |")]
    both = start(arguments, ">/dev/full 2>/dev/full")

    assert {code} == {one for _, one, _ in found}
    assert not [err for _, _, err in found if "Traceback" in err or "Exception" in err]
    assert (code or 3) == both[1]


RUNNING = {
    "get": ["get", "pods"],
    "table": ["probe", "shop/web", "shop/api:8080"],
    "json": ["probe", "-o", "json"],
    "trace": ["trace", "shop/web", "shop/api:8080"],
    "verify": ["verify"],
    "exec": ["exec", "shop/nobody", "--", "true"],
}


@pytest.mark.parametrize(
    ("redirection", "names"),
    [
        (ALL_CLOSED, [*RUNNING]),
        (FULL_OUTPUT, ["get", "json", "trace", "verify"]),
        (NO_READER, ["table", "json", "verify"]),
        ("2>/dev/full", ["verify", "exec"]),
        ("2>&1 >/dev/null |", ["table", "exec"]),
    ],
)
def test_with_a_running_lab(shared_lab: str, redirection: str, names: list[str]) -> None:
    """The exit codes are those without a kernel."""
    speaks = {FULL_OUTPUT: (3, [FULL]), NO_READER: (141, [])}
    for name in names:
        command, *more = RUNNING[name]
        _, found, err = start([command, "--lab", shared_lab, *more], redirection)

        if redirection in speaks:
            assert speaks[redirection] == (found, err.splitlines()), name
        else:
            assert (2 if name == "exec" else 0) == found, (name, err)
        assert "Traceback" not in err


OWN = {
    "verify": ["verify", "-f", "examples/shop", "-o", "json"],
    "test": ["test", "scenarios/01-default-deny-all.yaml"],
    "conformance": ["conformance", "upstream/default-deny-*", "--jobs", "2"],
    "doctor": ["doctor"],
}


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("redirection", "code", "names"),
    [
        (ALL_CLOSED, 0, [*OWN]),
        (FULL_OUTPUT, 3, ["verify", "doctor"]),
        ("2>/dev/full", 0, ["conformance"]),
        (NO_READER, 141, ["test", "conformance"]),
    ],
)
def test_with_temporary_labs(redirection: str, code: int, names: list[str]) -> None:
    """No lab remains."""
    for name in names:
        pid, found, err = start(OWN[name], redirection)

        assert code == found, (name, err)
        assert "Traceback" not in err
        assert [] == left_by(pid)


@pytest.mark.parametrize(
    "redirections",
    [
        (FULL_OUTPUT, ALL_CLOSED, NO_READER, FULL_OUTPUT, NO_READER),
        (NO_READER, FULL_OUTPUT, ALL_CLOSED, NO_READER, ALL_CLOSED),
    ],
    ids=["full first", "without a reader first"],
)
def test_changes_are_made_even_if_they_cannot_be_printed(
    program: Program, unique: Callable[[str], str], redirections: tuple[str, ...]
) -> None:
    """The lab has the change, and ``down`` removes it."""
    name = unique("streams")
    codes = [{FULL_OUTPUT: 3, NO_READER: 141, ALL_CLOSED: 0}[one] for one in redirections]
    own = ["--lab", name]
    commands = [
        ["up", "-f", "examples/shop", *own],
        ["label", "pod", "shop/web-0", "app=db", *own],
        ["delete", "networkpolicy", "shop/db", *own],
        ["apply", "-f", "examples/shop/policies.yaml", *own],
    ]
    try:
        found = [start(*one)[1] for one in zip(commands, redirections[:4], strict=True)]
        verified = program("verify", *own)
        removed = start(["down", name], redirections[4])
    finally:
        program("down", name)

    assert codes == [*found, removed[1]]
    assert (0, "") == (verified.returncode, verified.stderr)
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
