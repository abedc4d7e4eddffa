"""Workers: no result is lost, and no process remains."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_records import record
from waiting import eventually

from netlab.conformance.workers import Workers
from netlab.errors import HostError, KernelError
from netlab.kernel import netns, privilege

REPOSITORY = Path(__file__).parents[2]
CASES = [list(range(n, n + 4)) for n in range(0, 40, 4)]
Judge = Callable[[int, int], "Iterator[int] | None"]


def judging(act: Callable[[int], Any] = lambda case: None, folder: Path | None = None) -> Callable[[], Any]:
    """Judge batches of four numbers with ``act``; a worker that leaves its context makes a file in ``folder``."""

    @contextlib.contextmanager
    def context() -> Iterator[Judge]:
        def judge(batch: int, first: int) -> Iterator[int] | None:
            return (act(case) or case for case in CASES[batch][first:]) if batch < len(CASES) else None

        try:
            yield judge
        finally:
            if folder is not None:
                (folder / str(os.getpid())).touch()

    return context


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_every_case_is_judged_once(tmp_path: Path) -> None:
    """Each of the ``jobs`` processes leaves its context."""
    before = children()
    with Workers(judging(folder=tmp_path), 3) as workers:
        found = list(workers.results(lambda *_: None))

    assert sorted(case for batch in CASES for case in batch) == sorted(found)
    assert 3 == len(list(tmp_path.iterdir()))
    assert (before, False) == (children(), workers.died)


def test_another_worker_judges_the_rest_of_a_dead_workers_batch(tmp_path: Path) -> None:
    """Cases with a result are not judged again."""
    once = tmp_path / "died"

    def act(case: int) -> None:
        if case == 18 and not once.exists():
            once.touch()
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)

    deaths: list[tuple[str, int, int]] = []
    with Workers(judging(act), 2) as workers:
        found = list(workers.results(lambda *what: deaths.append(what)))

    assert [("was killed by signal 9", 4, 2)] == deaths
    assert sorted(case for batch in CASES for case in batch) == sorted(found)
    assert workers.died


def test_two_deaths_at_one_case_end_the_run() -> None:
    """No third worker is started."""
    before, deaths = children(), []

    def act(case: int) -> None:
        if case == 18:
            os.kill(os.getpid(), signal.SIGKILL)

    with (
        pytest.raises(KernelError, match="a worker: was killed by signal 9, as did another one at the same case"),
        Workers(judging(act), 2) as workers,
    ):
        list(workers.results(lambda *what: deaths.append(what)))

    assert 2 == len(deaths)
    assert before == children()


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KernelError("x", 0, "refused"), HostError), (HostError("no", "way"), HostError), (KeyError("x"), RuntimeError)],
)
def test_the_parent_raises_the_error_of_a_worker(error: Exception, raised: type[Exception]) -> None:
    """It has the same message."""

    def act(case: int) -> None:
        raise error

    with pytest.raises(raised, match=str(error)), Workers(judging(act), 2) as workers:
        list(workers.results(lambda *_: None))


def test_an_error_of_the_reader_ends_the_workers(tmp_path: Path) -> None:
    """Each leaves its context, also in the middle of a case."""
    before = children()

    def act(case: int) -> None:
        if case != 0:
            time.sleep(600)

    def read(workers: Workers) -> None:
        next(workers.results(lambda *_: None))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Workers(judging(act, tmp_path), 3) as workers:
        read(workers)

    assert before == children()
    assert not workers.died
    assert 3 >= len(list(tmp_path.iterdir()))


def test_a_worker_that_is_terminated_at_its_end_never_runs_its_parents_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM between its last line and its exit."""
    right = privilege.leave

    def leave() -> None:
        right()
        os.kill(os.getpid(), signal.SIGTERM)

    before = children()
    monkeypatch.setattr(privilege, "leave", leave)
    with Workers(judging(), 2) as workers:
        found = list(workers.results(lambda *_: None))

    assert sorted(case for batch in CASES for case in batch) == sorted(found)
    assert (before, False) == (children(), workers.died)


# --- the command, with labs ----------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a long run in a session of its own; end its processes afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "netlab", "conformance", *arguments]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))
    return []


def labs_of(pids: list[int]) -> list[str]:
    return [lab for pid in pids for lab in record.labs() if lab.startswith(f"conformance-{pid:x}-")]


def wait_for_labs(process: subprocess.Popen[str], jobs: int) -> list[int]:
    """Wait until each process has its lab; return the processes."""
    for _ in range(4000):
        pids = workers_of(process) if jobs > 1 else [process.pid]
        labs = labs_of(pids)
        if len(labs) == jobs and all((known := record.load(lab)) and known.ready for lab in labs):
            time.sleep(0.5)
            return pids
        time.sleep(0.02)
    raise AssertionError("no labs")


def gone(pids: list[int]) -> bool:
    """Wait until processes that are not children of this one are gone."""
    return bool(eventually(lambda: not any(Path(f"/proc/{pid}/ns/net").exists() and _alive(pid) for pid in pids)))


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("jobs", "number", "group", "code"),
    [
        (1, signal.SIGINT, True, 130),
        (2, signal.SIGINT, True, 130),
        (2, signal.SIGINT, False, 130),
        (2, signal.SIGTERM, False, 143),
        (1, signal.SIGHUP, True, 129),
    ],
)
def test_a_signal_ends_the_run_with_the_results_so_far(
    run: Callable[..., subprocess.Popen[str]], jobs: int, number: int, group: bool, code: int
) -> None:
    """It prints the summary and two lines, and leaves no process, lab or traceback."""
    process = run("--jobs", str(jobs))
    pids = wait_for_labs(process, jobs)
    (os.killpg if group else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=60)
    # On a slow machine no case may have ended; then there is nothing to sum up.
    total = out.splitlines()[-1] if out else "0 by evaluator, tracer, packets: 0 differ"

    assert code == process.returncode
    assert total.endswith(" 0 differ")
    assert "by evaluator, tracer, packets: " in total
    assert [f"broken off after {total.split()[0]} cases", *(["interrupted"] if code == 130 else [])] == [
        line for line in err.splitlines() if line
    ]
    assert gone(pids)
    assert [] == labs_of(pids)
    assert [] == [path for pid in pids for path in netns.DIRECTORY.glob(f"netlab.conformance-{pid:x}-*")]


@pytest.mark.kernel
def test_no_case_is_lost_when_a_worker_is_killed(run: Callable[..., subprocess.Popen[str]]) -> None:
    """A warning is printed, another worker goes on, and the lab is removed."""
    process = run("--jobs", "2", "upstream/*")
    pids = wait_for_labs(process, 2)
    os.kill(pids[0], signal.SIGKILL)
    out, err = process.communicate(timeout=100)
    undisturbed, _ = run("upstream/*", "--judges", "evaluator").communicate(timeout=60)

    assert 0 == process.returncode, err
    assert err.startswith("Warning: a worker was killed by signal 9 at upstream/")
    assert undisturbed.splitlines()[-1].split()[:4] == out.splitlines()[-1].split()[:4]
    assert gone(pids)
    assert [] == labs_of(pids)


@pytest.mark.kernel
def test_workers_end_when_their_parent_is_killed(run: Callable[..., subprocess.Popen[str]]) -> None:
    """They remove their labs."""
    process = run("--jobs", "2")
    pids = wait_for_labs(process, 2)
    process.kill()
    process.communicate(timeout=60)

    assert gone(pids)
    assert [] == labs_of(pids)
