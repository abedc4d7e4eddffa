"""The ``nft`` program, run inside a network namespace: the only place that knows its arguments and its messages."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from typing import Any

from netlab.errors import HostError, KernelError
from netlab.kernel import libc, netns

# An ordinary user's PATH has no sbin on Debian, where the program is.
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
MISSING = HostError("no nft program on this host", "install it: sudo apt-get install nftables")


@functools.cache
def program() -> str:
    """Return the path of ``nft``; raises HostError when there is none."""
    found = shutil.which("nft", path=_SEARCH)
    if found is None:
        raise MISSING
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
    done = subprocess.run([program(), "-f", "-"], input=script, capture_output=True, text=True, check=False)
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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
