"""A process makes namespaces beside this one; what it does not make, the caller makes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_records import namespaces
from iproute2 import ip
from sizes import HANGS
from waiting import eventually

from netlab.errors import AlreadyExists, KernelError
from netlab.kernel import host, libc, netns
from netlab.kernel.linux import Linux
from netlab.kernel.netns_maker import Maker

Begin = Callable[..., list[str]]


@pytest.fixture
def begin(unique: Callable[[str], str], kernel: Linux, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begin to make namespaces in a process; they are removed after the test."""
    monkeypatch.setattr(host, "MANY", 1)
    # The pool of another test may have left threads, and then there is no process.
    monkeypatch.setattr(os, "listdir", lambda path, real=os.listdir: ["1"] if "task" in str(path) else real(path))
    lab = unique("beside")
    with namespaces(kernel, lab) as create:
        create([f"netlab.{lab}.{unique('first')}"])

        def run(*words: str) -> list[str]:
            names = [f"netlab.{lab}.{unique(word)}" for word in words]
            kernel.begin(names)
            return names

        yield run
        kernel.close()
        for path in netns.DIRECTORY.glob(f"netlab.{lab}.*"):
            netns.remove(path.name)


def children() -> set[int]:
    """The ids of this process's children."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def in_children(
    action: Callable[[int], object], function: Callable[..., None], *, after: bool = False
) -> Callable[..., None]:
    """Return a function that does something before or after it in a child, given the number of the call."""
    calls, parent = [0], os.getpid()

    def run(*arguments: object, **named: object) -> None:
        calls[0] += 1
        child = os.getpid() != parent
        if child and not after:
            action(calls[0])
        function(*arguments, **named)
        if child and after:
            action(calls[0])

    return run


def kill_at_second(number: int) -> None:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def test_namespaces_are_made_while_the_caller_does_something_else(begin: Begin, kernel: Linux) -> None:
    """They exist before ``create``, which opens them; the process is gone then."""
    before = children()
    names = begin("a", "b", "c")
    eventually(lambda: all(map(netns.exists, names)))
    kernel.create(names)

    assert all("lo" in str(kernel.read(name)) for name in names)
    assert before == children()


def test_a_name_that_is_taken_is_refused_as_ever(begin: Begin, kernel: Linux, monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces before it are made, and what has the name stays: another program made it meanwhile."""
    read, write = os.pipe()
    taken = in_children(lambda number: os.read(read, 1) if number == 2 else None, netns.create)
    monkeypatch.setattr(netns, "create", taken)
    names = begin("a", "b", "c")
    ip("netns", "add", names[1])
    try:
        os.write(write, b".")
        with pytest.raises(AlreadyExists, match=f"network namespace {names[1]}: File exists"):
            kernel.create(names)

        assert [True, False, False] == [netns.exists(name) for name in names]
        assert netns.path(names[1]).exists()
    finally:
        ip("netns", "del", names[1])
        os.close(read)
        os.close(write)


def test_an_error_of_the_kernel_is_that_of_the_caller(
    begin: Begin, kernel: Linux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process says nothing; the caller asks the kernel again."""

    def full(flags: int, left: list[int] = [2], real: Callable[[int], None] = libc.unshare) -> None:  # noqa: B006
        left[0] -= 1
        if left[0] < 0 or os.getpid() == parent:
            raise KernelError.of("unshare", 28)
        real(flags)

    parent = os.getpid()
    monkeypatch.setattr(libc, "unshare", full)
    names = begin("a", "b", "c")
    with pytest.raises(KernelError, match="unshare: No space left on device"):
        kernel.create(names)

    assert [True, True, False] == [netns.exists(name) for name in names]


def test_a_process_that_is_killed_leaves_the_rest_to_the_caller(
    begin: Begin, kernel: Linux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the making of a namespace's file and its mount."""

    monkeypatch.setattr(libc, "mount", in_children(kill_at_second, libc.mount))
    names = begin("a", "b", "c")
    kernel.create(names)

    assert all(map(netns.exists, names))


def test_a_namespace_whose_making_was_not_told_is_made_anew(
    begin: Begin, kernel: Linux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may be killed right after the mount."""

    monkeypatch.setattr(netns, "create", in_children(kill_at_second, netns.create, after=True))
    names = begin("a", "b", "c")
    kernel.create(names)

    assert all(map(netns.exists, names))


def test_close_ends_the_process_in_the_middle(begin: Begin, kernel: Linux, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had begun is gone, and nothing is made any more."""
    before = children()
    hang = in_children(lambda number: time.sleep(HANGS) if number == 2 else None, libc.mount)
    monkeypatch.setattr(libc, "mount", hang)
    names = begin("a", "b", "c")
    eventually(netns.path(names[1]).exists)
    kernel.close()

    assert before == children()
    eventually(lambda: [True, False, False] == [netns.path(name).exists() for name in names])


def test_the_process_ends_with_its_caller(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a lock that it inherited is free when a killed command has ended."""
    hang = in_children(lambda number: time.sleep(HANGS) if number == 2 else None, libc.mount)
    read, write = os.pipe()
    caller = os.fork()
    if caller == 0:
        try:
            monkeypatch.setattr(libc, "mount", hang)
            begin("a", "b", "c")
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(write)
    os.waitpid(caller, 0)

    # The pipe ends when nobody has its other end.
    assert b"" == os.read(read, 1)
    os.close(read)


def test_the_process_gets_no_interrupt_of_the_terminal(begin: Begin, kernel: Linux) -> None:
    """Its caller decides what an interrupt ends."""
    before = children()
    names = begin("a", "b", "c")
    for pid in children() - before:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: all(map(netns.exists, names)))
    kernel.create(names)

    assert all(map(netns.exists, names))


def test_a_process_with_threads_forks_nothing() -> None:
    """The caller makes the namespaces."""
    before, ended = children(), threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        maker = Maker(["a"])
        maker.start()
    finally:
        ended.set()
        thread.join()

    assert before == children()
    assert not maker.made("a")


def test_small_labs_begin_nothing(kernel: Linux) -> None:
    """A process takes longer to start than it saves."""
    before = children()
    kernel.begin([f"name-{number}" for number in range(host.MANY - 1)])

    assert before == children()
