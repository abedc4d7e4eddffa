"""The ``nft`` program, run inside a network namespace: the only place that knows its arguments and its messages."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from typing import Any

from netlab.errors import HostError, KernelError
from netlab.kernel import caller, libc, netns

# An ordinary user's PATH has no sbin on Debian, where the program is.
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
# Where root looks on behalf of another user, whose PATH may lead to programs of his.
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
# All that nft finds of the environment: its libraries load plugins from, and it keeps a history in, where that says.
ENVIRONMENT = {"HOME": os.devnull, "LC_ALL": "C", "PATH": _SYSTEM, "TERM": "dumb"}
_INSTALL = "install it: sudo apt-get install nftables"
MISSING = HostError("no nft program on this host", _INSTALL)


@functools.cache
def program() -> str:
    """Return the path of ``nft``; raises HostError when there is none.

    Under sudo it is looked for where the system has its programs, else on PATH first.
    """
    elevated = caller.elevated()
    found = shutil.which("nft", path=_SYSTEM if elevated else _SEARCH)
    if found is None:
        raise HostError(f"no nft program in {_SYSTEM}", _INSTALL) if elevated else MISSING
    return found


def run(namespace: str, script: str) -> str:
    """Run a script as one transaction inside a pinned namespace and return what nft prints.

    Raises:
      HostError: when there is no ``nft``.
      KernelError: when nft or the kernel refuses the script; then nothing of it is in force.
    """
    with netns.inside(namespace):
        return here(script, where=namespace)


def here(script: str, *, where: str = "this network namespace") -> str:
    """Run a script in the calling thread's own network namespace; otherwise as ``run``."""
    command = [program(), "-f", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        raise KernelError(f"nft in {where}", 0, done.stderr.strip().split("\n")[0].removeprefix("/dev/stdin:"))
    return done.stdout


def holds(namespace: str, script: str) -> bool:
    """Say whether a pinned namespace's ruleset is what the script makes of an empty one, but for counters and comments.

    nft's listing is compared with its own listing of the script's outcome in a scratch namespace: nothing here has to
    follow nft's ways of printing, which differ between versions.
    """
    with netns.at_home():
        libc.unshare(libc.CLONE_NEWNET)
        here(script)
        expected = _comparable(_listing())
    with netns.inside(namespace):
        return expected == _comparable(_listing())


def _listing() -> str:
    """Return the ruleset of the calling thread's namespace as JSON; nft prints JSON for arguments, not for a file."""
    command = [program(), "--json", "--stateless", "list", "ruleset"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        raise KernelError("nft list ruleset", 0, done.stderr.strip().split("\n")[0])
    return done.stdout


def _comparable(listing: str) -> list[str]:
    """Return nft's objects without handles and comments, the elements of sets sorted, everything else in its order."""
    return [
        json.dumps(_plain(item), sort_keys=True) for item in json.loads(listing)["nftables"] if "metainfo" not in item
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items() if key not in ("handle", "comment")}
    if isinstance(plain.get("elem"), list):
        plain["elem"] = sorted(json.dumps(item, sort_keys=True) for item in plain["elem"])
    return plain
