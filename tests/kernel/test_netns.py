"""Network namespaces are pinned by name, entered by the thread and removed without a trace."""

from __future__ import annotations

import errno
import os

import pytest

from netlab.errors import AlreadyExists, KernelError, NotFound, UsageError
from netlab.kernel import libc, netns


def _here() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_a_new_namespace_is_pinned_and_the_thread_returns(spaces):
    """Making a namespace leaves the caller where it was."""
    home = _here()
    (name,) = spaces("a")

    assert netns.exists(name)
    assert home == _here() != netns.inode(name)


def test_inside_enters_and_returns_even_when_the_block_fails(spaces):
    """The thread returns whatever the block does."""
    home = _here()
    (name,) = spaces("a")
    seen = []
    with pytest.raises(IndexError), netns.inside(name):
        seen.append(_here()) or seen[9]  # type: ignore[func-returns-value]

    assert [netns.inode(name)] == seen
    assert home == _here()


def test_a_name_is_taken_once(spaces):
    """A second namespace of the same name is refused, and the first one stays."""
    (name,) = spaces("a")
    before = netns.inode(name)
    with pytest.raises(AlreadyExists), netns.returning():
        netns.create(name)

    assert before == netns.inode(name)


def test_removing_twice_is_no_error(spaces):
    """Removal says whether there was anything, and nothing is left."""
    (name,) = spaces("a")

    assert netns.remove(name) is True
    assert netns.remove(name) is False
    assert not netns.path(name).exists()


def test_a_file_that_a_crash_left_is_no_namespace_but_is_removed(spaces, unique):
    """Between the making of the file and the mount a process may be killed; the file is found and removed."""
    spaces("a")
    name = f"netlab.{unique('crash')}"
    netns.claim(name, 1)
    netns.path(name).touch()

    assert not netns.exists(name)
    assert netns.remove(name) is True
    assert not netns.path(name).exists()


def test_a_namespace_that_cannot_be_pinned_leaves_no_file(spaces, unique, monkeypatch):
    """What undoes a change looks for pinned namespaces only."""
    spaces("a")
    name = f"netlab.{unique('ns')}"

    def no_memory(*_: object, **__: object) -> None:
        raise KernelError.of("mount", errno.ENOMEM)

    with netns.returning():
        monkeypatch.setattr(libc, "mount", no_memory)
        with pytest.raises(KernelError):
            netns.create(name)

    assert not os.path.lexists(netns.path(name))
    assert netns.inode(name) is None
    assert not netns.remove(name)


def test_entering_what_is_not_there_is_a_not_found(unique):
    """A namespace that does not exist has a clear error."""
    with pytest.raises(NotFound, match="nobody"), netns.inside(f"netlab.nobody-{unique('x')}"):
        pass


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/x", "a/b", "a\nb", "a\0", "\x1b", "\udcff", "a" * 256, "é" * 128]
)
def test_what_leads_elsewhere_is_no_name(name):
    """A path, a control character, or more bytes than a file's name has."""
    for call in (netns.path, netns.exists, netns.inode, netns.enter, netns.create, netns.remove):
        with pytest.raises(UsageError, match="is not the name of a network namespace"):
            call(name)
