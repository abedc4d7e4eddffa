"""A program in a namespace: its files of /etc are its own, or it does not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netlab.errors import KernelError
from netlab.kernel import libc
from netlab.kernel.captured import captured
from netlab.kernel.execute import execute

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("call", ["unshare", "mount"])
def test_without_mounts_of_its_own_a_program_gets_no_files(spaces, call):
    """Its files would be the host's; here the host is a mount namespace of the test."""
    (space,) = spaces("execute")

    def become() -> None:
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
        before = Path("/proc/self/mountinfo").read_text()
        real = getattr(libc, call)

        def fails(*arguments: object, **more: object) -> None:
            setattr(libc, call, real)
            raise KernelError.of(call, 12)

        setattr(libc, call, fails)
        try:
            execute(space, ("true",), files={"/etc/hosts": "192.0.2.1\tname\n"})
        finally:
            after = Path("/proc/self/mountinfo").read_text()
            os.write(1, b"the same" if before == after or call == "mount" else b"others")

    found = captured(become, 20)

    assert f"cannot give the program its own mounts: {call}" in found.refused
    assert "the same" == found.stdout
