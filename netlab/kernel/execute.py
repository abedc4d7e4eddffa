"""Running a program inside a network namespace, in place of the calling process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from netlab.errors import KernelError, UsageError
from netlab.kernel import libc, netns


def execute(
    namespace: str, argv: Sequence[str], *, hostname: str = "", extra: Mapping[str, str] | None = None
) -> NoReturn:
    """Become the program ``argv`` inside the namespace, so that its exit status and signals are the caller's own.

    As ``ip netns exec`` does, /sys shows the namespace's devices; the hostname is the pod's name. By the source of that
    mount ``processes`` knows what the program starts in namespaces of its own.

    Raises:
      NotFound: when the namespace is gone.
      UsageError: when the program is not there or cannot be run.
    """
    netns.enter(namespace)
    # Both are comfort: a user namespace may not be allowed to mount sysfs, and the program runs all the same.
    with contextlib.suppress(KernelError):
        libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS)
        libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
        if hostname:
            libc.sethostname(hostname)
        libc.mount(namespace, "/sys", "sysfs")
    environment = dict(os.environ) | dict(extra or {})
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606  the user's own program
    except FileNotFoundError as error:
        raise UsageError(f"{argv[0]}: no such program") from error
    except OSError as error:
        raise UsageError(f"{argv[0]}: {error.strerror}") from error
