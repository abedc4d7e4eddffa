"""The directories that labs share are made by the first command and removed by the last, also with many at once."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from host_records import record

from netlab.kernel import lock, netns
from netlab.kernel.lock import FairLock
from netlab.lab import notices
from netlab.lab import record as records

# Four processes make and remove the same directories, in a mount namespace without other labs.
AT_ONCE = """
import os, sys
from netlab.kernel import libc
from netlab.kernel.store import HOST as record

libc.unshare(libc.CLONE_NEWNS)
libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
libc.mount("none", "/run", "tmpfs")
started = []
for _ in range(4):
    started.append(os.fork())
    if not started[-1]:
        status = 1
        try:
            for _ in range(300):
                record.prepare()
                record.tidy()
            status = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\\n")
        finally:
            os._exit(status)
failed = [pid for pid in started if os.waitpid(pid, 0)[1]]
left = os.listdir("/run")
sys.exit(f"{len(failed)} failed, left: {left}" if failed or left else 0)
"""


def test_commands_that_begin_and_end_at_once_do_not_disturb_one_another() -> None:
    """A directory that another command took away a moment ago is made again; in the end nothing is left."""
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


def test_a_directory_that_goes_while_it_is_made_is_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """mkdir(2) says that it is there, and then it is not: the last lab of another command went in between."""
    monkeypatch.setattr(record.store, "directory", tmp_path / "netlab")
    monkeypatch.setattr(netns, "NOTES", tmp_path / "netlab/.namespaces")
    monkeypatch.setattr(record.store, "_users", None)
    monkeypatch.setattr(netns, "share_directory", lambda: None)
    real, calls = os.mkdir, []

    def mkdir(path: Path, *arguments: object, **options: object) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise FileExistsError(17, "File exists", str(path))
        real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "mkdir", mkdir)
    record.prepare()
    (tmp_path / "netlab/.made").unlink()
    record.tidy()

    assert [tmp_path / "netlab"] * 2 == calls
    assert not (tmp_path / "netlab").exists()


def test_a_file_in_the_place_of_the_directory_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No command waits until it is removed."""
    from netlab.errors import HostError

    monkeypatch.setattr(record.store, "directory", tmp_path / "netlab")
    monkeypatch.setattr(netns, "NOTES", tmp_path / "netlab/.namespaces")
    monkeypatch.setattr(record.store, "_users", None)
    (tmp_path / "netlab").touch()

    with pytest.raises(HostError, match="netlab: Not a directory"):
        record.prepare()


def test_a_signal_while_a_lock_is_taken_releases_it(
    monkeypatch: pytest.MonkeyPatch, unique: Callable[[str], str]
) -> None:
    """The exception keeps the frame that took it, and what removes the lab on the way out takes it again."""
    name, taken = unique("ended"), FairLock._try

    def ended(lock: FairLock, shared: bool) -> bool:
        assert taken(lock, shared)
        raise SystemExit(129)

    with monkeypatch.context() as patch:
        patch.setattr(FairLock, "_try", ended)
        with pytest.raises(SystemExit) as kept, record.locked(name):
            pytest.fail("the lock is taken")
    again = record.lock(name)
    free = again.acquire(wait=False)
    again.remove()
    record.tidy()

    assert 129 == kept.value.code
    assert free


@pytest.mark.parametrize("shared", [False, True])
def test_a_signal_at_any_instruction_leaves_no_lock_that_its_own_thread_waits_for(
    monkeypatch: pytest.MonkeyPatch, unique: Callable[[str], str], shared: bool
) -> None:
    """The traceback keeps the frame that took the lock, and the removal of the lab takes the lock again."""

    class Waits(Exception):
        pass

    def waits(lab: str) -> None:
        raise Waits(lab)

    name, files = unique("ended"), {records.__file__, contextlib.__file__, lock.__file__}
    monkeypatch.setattr(notices, "notice_waiting", waits)
    kept: list[KeyboardInterrupt] = []

    def interrupted(at: int) -> bool:
        """Take the lock, with an interrupt at that instruction; False where there are fewer."""
        count = itertools.count()

        def trace(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_code.co_filename not in files:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode" and next(count) == at:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        try:
            sys.settrace(trace)
            with record.locked(name, shared=shared):
                pass
        except KeyboardInterrupt as error:
            kept.append(error)
            return True
        finally:
            sys.settrace(None)
        return False

    record.prepare()
    at = 0
    while interrupted(at):
        with record.locked(name):
            at += 1
    kept.clear()
    gc.collect()

    assert at > 200
    assert not (record.directory / f"{name}.lock").exists()
    assert not [one for one in lock._taken if one.path.stem == name]
