"""A namespace that netlab did not make is never entered, ended or removed, whatever its name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from host_records import record
from waiting import eventually

from netlab.errors import AlreadyExists, NotFound
from netlab.kernel import libc, netns, processes
from netlab.kernel.linux import Linux
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.objects import load

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def program(forked: Program) -> Program:
    """A command of netlab in a fork: how Python starts is not what these tests are about."""
    return forked


@pytest.fixture
def foreign() -> Iterator[Callable[[str], int]]:
    """Pin a namespace under a name as another program does, or the host's own; gone afterwards."""
    made: list[str] = []

    def pin(name: str, source: str = "") -> int:
        if netns.path(name).exists():
            libc.umount(str(netns.path(name)))
        else:
            made.append(name)
            netns.path(name).touch()
        with netns.returning():
            if not source:
                libc.unshare(libc.CLONE_NEWNET)
            libc.mount(source or "/proc/thread-self/ns/net", str(netns.path(name)), flags=libc.MS_BIND)
        return os.stat(netns.path(name)).st_ino

    yield pin
    for name in made:
        libc.umount(str(netns.path(name)))
        netns.path(name).unlink()


def test_a_namespace_without_a_note_is_not_netlabs(
    unique: Callable[[str], str], foreign: Callable[..., int], spaces: Callable[..., list[str]]
) -> None:
    """It does not exist for netlab, cannot be entered, and stays where it is."""
    spaces("a")
    name = f"netlab.{unique('foreign')}"
    number = foreign(name)
    Linux().remove([name])

    assert not netns.exists(name)
    assert netns.remove(name) is False
    with pytest.raises(NotFound, match="is not netlab's"), netns.inside(name):
        pass
    with pytest.raises(AlreadyExists), netns.returning():
        netns.create(name)
    assert number == os.stat(netns.path(name)).st_ino


def test_the_hosts_own_namespace_in_place_of_a_pods_is_no_target(
    unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``down`` and ``up`` end no process of the host's and leave the mount."""
    ended: list[processes.ProcessFilter] = []
    monkeypatch.setattr(processes, "end", ended.append)
    name = unique("host")
    lab = Lab.up(load(["examples/shop"])[0], name=name)
    lab.close()
    place = netns.path(f"netlab.{name}.pod.shop.web-0")
    home = os.stat("/proc/self/ns/net").st_ino
    libc.mount("/proc/self/ns/net", str(place), flags=libc.MS_BIND)
    try:
        with pytest.raises(AlreadyExists, match="web-0"):
            Lab.up(load(["examples/shop"])[0], name=name)
        removal.remove(name)
        assert home == os.stat(place).st_ino
        assert ended
        assert not any(home in owned.networks for owned in ended)
    finally:
        libc.umount(str(place))
        libc.umount(str(place))
        place.unlink()
        record.tidy()


def test_a_namespace_that_appears_between_check_and_creation_stays(
    unique: Callable[[str], str], foreign: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab cannot be built; it removes what it made itself, and nothing else."""
    record.prepare()
    name = unique("race")
    taken = f"netlab.{name}.pod.shop.web-0"
    real, numbers = netns.create, []

    def create(of: str) -> None:
        if of == taken:
            numbers.append(foreign(of))
        real(of)

    monkeypatch.setattr(netns, "create", create)
    with pytest.raises(AlreadyExists, match="web-0"):
        Lab.up(load(["examples/shop"])[0], name=name)

    assert numbers == [os.stat(netns.path(taken)).st_ino]
    assert [taken] == [path.name for path in netns.DIRECTORY.glob(f"netlab.{name}.*")]
    assert not record.exists(name)


NESTED = {
    "a network namespace": "unshare -n sleep 300",
    "a user namespace": "unshare -Urn sleep 300",
    "a process namespace": "unshare -n -p -f --mount-proc sleep 300",
    "a mount namespace": "unshare -n -m sleep 300",
    "a child of another": "unshare -n sh -c 'sleep 300 & wait'",
    "another root, as a child": "sh -c 'unshare -n chroot / sleep 300; true'",
}


def test_programs_in_namespaces_of_their_own_end_with_the_lab(lab: str, program: Program) -> None:
    """A program of ``exec`` that left the pod's network namespace is found, whatever namespaces it made."""
    marks = {nested: f"{lab}-{number}" for number, nested in enumerate(NESTED)}
    for nested, mark in marks.items():
        command = f"exec 3>&- >/dev/null 2>&1 </dev/null; NETLAB_MARK={mark} setsid {NESTED[nested]} &"
        started = program("exec", "shop/web-0", "--lab", lab, "--", "sh", "-c", command)
        assert 0 == started.returncode, started.stderr
    pod = netns.inode(f"netlab.{lab}.pod.shop.web-0")
    eventually(lambda: all(running(mark, outside=pod) for mark in marks.values()))
    down = program("down", lab)

    assert 0 == down.returncode, down.stderr
    assert [] == [nested for nested, mark in marks.items() if running(mark)]


def running(mark: str, outside: int | None = None) -> list[int]:
    """The processes with a mark in their environment, but for those in a network namespace."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                with open(f"/proc/{entry.name}/environ", "rb") as file:
                    marked = f"NETLAB_MARK={mark}".encode() in file.read().split(b"\0")
                if marked and os.stat(f"/proc/{entry.name}/ns/net").st_ino != outside:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_programs_of_another_lab_of_the_same_name_stay(lab: str, program: Program) -> None:
    """Such as that of another user: its namespaces have the same names, and other inodes."""
    name = f"netlab.{lab}.pod.shop.web-0"
    other = os.stat("/proc/self/ns/net").st_ino
    script = f"mount -t sysfs {name} /sys && mount -t sysfs {netns.mark(name, other)} /mnt && echo && exec sleep 300"
    process = subprocess.Popen(["unshare", "-m", "-u", "-n", "sh", "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        down = program("down", lab)

        assert (b"\n", 0) == (ready, down.returncode)
        assert None is process.poll()
    finally:
        process.kill()
        process.communicate()
