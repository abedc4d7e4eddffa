"""Logs of containers: whole lines with their times, bounded, also while they grow."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from netlab.control_plane.nodes import logs
from netlab.control_plane.nodes.logs import Logs, Wishes, shown, wishes_of
from netlab.errors import HostError
from netlab.kernel.polling import Poller

FEW = b"".join(f"2026-01-01T00:00:0{second}.000000000Z stdout F line {second}\n".encode() for second in range(1, 5))


@pytest.fixture
def kept(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs")


def test_lines_are_whole_and_have_a_time(kept):
    """A line that comes in parts is one; what has no end is a line when the program ends."""
    log = kept.begin("uid-a", "c")
    log.add(b"one\ntw", "stdout")
    log.add(b"error\n", "stderr")
    log.add(b"o\nend", "stdout")
    log.add(b"", "stdout")
    log.close()
    found = kept.read("uid-a", "c")

    assert b"one\nerror\ntwo\nend\n" == shown(found, Wishes())
    assert [b"stdout", b"stderr", b"stdout", b"stdout"] == [line.split(b" ")[1] for line in found.splitlines()]
    assert 0o600 == next((kept._folder / "uid-a").iterdir()).stat().st_mode & 0o777


def test_a_log_is_bounded_and_keeps_the_newest_lines(kept):
    """Half of it is dropped at a time."""
    log = kept.begin("uid-a", "c")
    for number in range(3000):
        log.add(f"{number} {'x' * 1000}\n".encode(), "stdout")
    found = kept.read("uid-a", "c")
    log.close()

    assert 400_000 < len(found) <= 1 << 20
    assert found.splitlines()[-1].split(b" ")[3] == b"2999"
    assert found[:2] == b"20"


def test_a_line_without_an_end_is_cut(kept):
    """Its parts are one line for clients."""
    log = kept.begin("uid-a", "c")
    log.add(b"y" * 20_000, "stdout")
    log.add(b"z\n", "stdout")
    log.close()

    assert b"y" * 20_000 + b"z\n" == shown(kept.read("uid-a", "c"), Wishes())


def test_the_log_of_the_run_before_is_kept_and_all_go_with_the_pod(kept):
    """`kubectl logs --previous` shows it."""
    for text in (b"first\n", b"second\n"):
        log = kept.begin("uid-a", "c")
        log.add(text, "stdout")
        log.close()

    assert b"second\n" == shown(kept.read("uid-a", "c"), Wishes())
    assert b"first\n" == shown(kept.read("uid-a", "c", previous=True), Wishes())
    kept.forget("uid-a")
    assert b"" == kept.read("uid-a", "c")
    assert not (kept._folder / "uid-a").exists()


def test_a_log_is_followed_over_cuts_and_new_runs(kept):
    """No line comes twice, and none of a whole log is lost."""
    with kept.follow("uid-a", "c") as following:
        assert b"" == following.new()
        log = kept.begin("uid-a", "c")
        log.add(b"one\npart", "stdout")
        assert b"one\n" == shown(following.new(), Wishes())
        log.add(b"ial\n", "stdout")
        assert b"partial\n" == shown(following.new(), Wishes())
        log.add(b"last\n", "stdout")
        time.sleep(0.001)
        log = kept.begin("uid-a", "c")
        log.add(b"again\n", "stdout")

        assert b"last\nagain\n" == shown(following.new(), Wishes())
        assert b"" == following.new()


def test_a_log_that_is_cut_is_followed(kept):
    """Its newer half is in another file, with lines that came before."""
    log = kept.begin("uid-a", "c")
    with kept.follow("uid-a", "c") as following:
        found = b""
        for number in range(40):
            log.add(b"%050000d\n" % number, "stdout")
            if number % 7 == 0:
                found += shown(following.new(), Wishes())
        found += shown(following.new(), Wishes())

    assert [*range(40)] == [int(line[-9:]) for line in found.splitlines()]


def test_the_last_lines_of_a_pod_that_is_gone_are_read(kept):
    """The follower has looked before them, and the log was removed after them. Then it has no file open."""
    log = kept.begin("uid-a", "c")
    log.add(b"one\n", "stdout")
    with kept.follow("uid-a", "c") as following:
        assert b"one\n" == shown(following.new(), Wishes())
        log.add(b"last\n", "stdout")
        kept.forget("uid-a")

        assert b"last\n" == shown(following.new(), Wishes())
    assert b"" == following.new()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, b"line 1\nline 2\nline 3\nline 4\n"),
        ({"tailLines": ["2"]}, b"line 3\nline 4\n"),
        ({"tailLines": ["0"]}, b""),
        ({"tailLines": ["9"], "limitBytes": ["3"]}, b"lin"),
        ({"sinceTime": ["2026-01-01T00:00:03Z"]}, b"line 3\nline 4\n"),
        ({"sinceSeconds": ["1"], "timestamps": ["true"]}, b"2026-01-01T00:00:04.000000000Z line 4\n"),
    ],
    ids=["all", "tail", "none", "limit", "since", "seconds"],
)
def test_a_client_chooses_what_it_sees(query, text):
    """As kubectl asks."""
    now = 1767225605 * 10**9

    assert text == shown(FEW, wishes_of(query, now))


def test_a_query_that_is_no_number_is_an_error():
    """Not all lines."""
    with pytest.raises(ValueError, match="invalid literal"):
        wishes_of({"tailLines": ["x"]}, 0)


@pytest.mark.parametrize("name", ["../a", "", "a/b", "."])
def test_a_name_that_is_no_name_is_no_path(kept, name):
    """Nothing outside of the folder is read, written or removed."""
    with pytest.raises(HostError, match="no name of a container"):
        kept.begin("uid-a", name)
    with pytest.raises(HostError, match="no name of a container"):
        kept.read(name, "c")
    kept.forget(name)


def test_output_is_read_from_pipes(kept):
    """Until their end; a descriptor that is closed is one."""
    log = kept.begin("uid-a", "c")
    read, write = os.pipe()
    os.set_blocking(read, False)
    assert log.read_from(read, "stdout")
    os.write(write, b"out\n")
    assert log.read_from(read, "stdout")
    os.close(write)
    assert not log.read_from(read, "stdout")
    os.close(read)
    assert not log.read_from(read, "stdout")
    assert b"out\n" == shown(kept.read("uid-a", "c"), Wishes())


def test_a_time_is_written_as_the_kubelet_writes_it():
    """With nanoseconds."""
    assert "2026-01-01T00:00:05.000000007Z" == logs.stamp(1767225605 * 10**9 + 7)


def test_a_program_that_prints_without_an_end_does_not_take_netlab_s_time():
    """What is read between two pauses is bounded; all of it comes in the end."""
    found: list[bytes] = []
    done = threading.Event()
    read, write = os.pipe()
    os.set_blocking(read, False)

    def take() -> bool:
        data = os.read(read, 100)
        found.append(data)
        return bool(data)

    def close() -> None:
        os.close(read)
        done.set()

    started = time.monotonic()
    Poller().watch(read, take, close)
    os.write(write, b"x" * 2000)
    os.close(write)

    assert done.wait(20)
    assert (b"x" * 2000, 21) == (b"".join(found), len(found))
    assert time.monotonic() - started >= 0.2
