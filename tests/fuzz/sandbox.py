"""A sandbox process: it has its own mounts, processes and network, and can write to /run and /tmp only.

A faulty command may delete, mount or kill. Here it can reach the sandbox only.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_INSIDE = "NETLAB_FUZZ_INSIDE"
_MEMORY = 2 << 30
_CLONE = str(Path(__file__).parents[2])


def inside() -> bool:
    """Say whether this process is in a sandbox."""
    return os.environ.get(_INSIDE) == "1"


def run(arguments: Sequence[str], findings: Path) -> int:
    """Run ``python -m tests.fuzz`` with the arguments in a sandbox that may write ``findings``; return its exit status.

    Raises:
      FileNotFoundError: without the program ``unshare`` of util-linux.
    """
    unshare = shutil.which("unshare", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if unshare is None:
        raise FileNotFoundError("unshare (package util-linux)")
    namespaces = ["--mount", "--net", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [unshare, *namespaces, sys.executable, "-m", "tests.fuzz", *arguments]
    environment = {**os.environ, _INSIDE: "1", "NETLAB_FUZZ_FINDINGS": str(findings), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, check=False, env=environment).returncode


def restrict() -> None:
    """Make every mount read-only, but for a new /run, a new /tmp and the folder of findings; limit the memory."""
    findings = os.environ["NETLAB_FUZZ_FINDINGS"]
    # A clone in /tmp would go out of sight with it.
    hidden = [path for path in (_CLONE, sys.prefix, findings) if path.startswith(("/tmp/", "/run/"))]  # noqa: S108
    kept = [(os.open(path, os.O_PATH), path) for path in hidden]
    _mount("--bind", findings, findings)
    _mount("-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs", "/run")
    _mount("-t", "tmpfs", "-o", "size=256m,mode=1777", "tmpfs", "/tmp")  # noqa: S108
    for fd, path in kept:
        os.makedirs(path, exist_ok=True)
        # Canonical, the link would name the new and empty folder.
        _mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{fd}", path)
        if path != findings:
            _mount("-o", "remount,bind,ro", path)
        os.close(fd)
    _mount("-o", "remount,bind,ro", "/")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.chdir("/tmp")  # noqa: S108


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
