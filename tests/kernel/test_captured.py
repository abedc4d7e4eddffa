"""A forked process: its outputs, its status, and its end after a time."""

from __future__ import annotations

import os
import sys
import time

from waiting import eventually

from netlab.kernel.captured import LIMIT, captured


def python(text: str, seconds: float = 20.0):
    return captured(lambda: os.execv(sys.executable, [sys.executable, "-c", text]), seconds)  # noqa: S606


def test_a_program_ends_with_its_status_and_its_output():
    """Standard output and standard error are separate."""
    found = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert (3, "out\n", "err\n", "") == (found.status, found.stdout, found.stderr, found.refused)


def test_a_function_may_take_the_place_of_a_program():
    """Its output is what it writes to the descriptor."""
    found = captured(lambda: os.write(1, b"seen"), 20)

    assert (0, "seen") == (found.status, found.stdout)


def test_an_error_before_the_program_is_its_refusal():
    """The status is that of a shell which cannot run a program."""

    def fail() -> None:
        raise ValueError("no such program")

    found = captured(fail, 20)

    assert (127, "no such program") == (found.status, found.refused)


def test_a_program_is_killed_after_its_time():
    """Its earlier output is kept, and its status is None."""
    found = python("import time; print('here', flush=True); time.sleep(60)", 1.0)

    assert (None, "here\n") == (found.status, found.stdout)


def test_a_process_left_behind_is_not_waited_for():
    """It is in the program's process group, and is killed with it."""
    started = time.monotonic()
    found = python("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)")

    assert 0 == found.status
    assert time.monotonic() - started < 60
    assert eventually(lambda: not _runs(int(found.stdout)))


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_program_that_closes_its_outputs_is_waited_for():
    """The program's own end counts, not that of its outputs."""

    assert 4 == python("import os, time; os.close(1); os.close(2); time.sleep(0.2); os._exit(4)").status


def test_output_is_bounded():
    """More is read and dropped, so the program never waits for a reader."""
    found = python(f"print('x' * {4 * LIMIT})")

    assert (0, LIMIT) == (found.status, len(found.stdout))
