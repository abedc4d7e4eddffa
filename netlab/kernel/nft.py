"""The ``nft`` program, run inside a network namespace. Only this module knows its arguments and messages."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Sequence
from typing import Any

from netlab.errors import HostError, KernelError, way_out
from netlab.kernel import libc, netns, sudo_user
from netlab.kernel.netlink import attributes

# An ordinary user's PATH has no sbin on Debian, where the program is.
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
# Under sudo PATH may be the caller's, and may lead to the caller's programs.
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
# The whole environment of nft. Its libraries would load plugins, and it would keep a history, where variables say.
ENVIRONMENT = {"HOME": os.devnull, "LC_ALL": "C", "PATH": _SYSTEM, "TERM": "dumb"}
# The largest measured ruleset takes some seconds. A program that takes this long hangs.
SECONDS = 300.0
_NOT_NFT = "see that it is the nft program of nftables and that it works: nft list ruleset"
_NETLINK_NETFILTER = 12
# include/uapi/linux/netfilter/nf_tables.h: NFT_MSG_GETGEN of the subsystem nftables, NFTA_GEN_ID.
_GET_GENERATION, _GENERATION_ID = 10 << 8 | 16, 1
_INSTALL = "install it: sudo apt-get install nftables"
MISSING = HostError("no nft program on this host", _INSTALL)


@functools.cache
def program() -> str:
    """Return the path of ``nft``; raises HostError where there is none.

    Under sudo only the system's directories are searched, else PATH first.
    """
    elevated = sudo_user.elevated()
    found = shutil.which("nft", path=_SYSTEM if elevated else _SEARCH)
    if found is None:
        raise HostError(f"no nft program in {_SYSTEM}", _INSTALL) if elevated else MISSING
    return found


def load(namespace: str, script: str) -> None:
    """Run a script that changes a namespace's ruleset, and check that the kernel's ruleset changed.

    A program called nft that does nothing would leave pods without their policies.

    Raises:
      HostError: when there is no ``nft``, or it does not do what nft does.
      KernelError: when nft or the kernel refuses the script; then nothing of it is in force.
    """
    with netns.inside(namespace):
        before = _generation()
        here(script, where=namespace)
        if _generation() == before:
            raise HostError(f"{program()} loaded no rules in {namespace}", _NOT_NFT)


def run(namespace: str, script: str) -> str:
    """Run a script as one transaction inside a namespace and return what nft prints.

    Raises:
      HostError: when there is no ``nft``, or it does not do what nft does.
      KernelError: when nft or the kernel refuses the script; then nothing of it is in force.
    """
    with netns.inside(namespace):
        return here(script, where=namespace)


def here(script: str, *, where: str = "this network namespace") -> str:
    """Run a script as ``run`` does, in the calling thread's network namespace."""
    return call(["-f", "-"], script, f"nft in {where}")


def call(arguments: Sequence[str], script: str = "", what: str = "nft", seconds: float | None = None) -> str:
    """Run nft with these arguments in the calling thread's network namespace and return what it prints.

    Raises:
      HostError: when there is no ``nft``, it cannot be started, is killed, or does not end in ``seconds``.
      KernelError: when it ends with an error.
    """
    path, limit = program(), seconds or SECONDS
    try:
        code, output, errors = _run([path, *arguments], script.encode(), limit)
    except OSError as error:
        raise HostError(f"cannot run {path}: {error.strerror}", way_out(error.errno) or _NOT_NFT) from error
    if code is None:
        raise HostError(f"{what}: {path} did not end in {limit:g} seconds and was killed", _NOT_NFT)
    if code < 0:
        raise HostError(f"{what}: {path} was ended by {_signal(-code)}", _NOT_NFT)
    if code:
        text = errors.decode(errors="replace").strip().split("\n")[0].removeprefix("/dev/stdin:")
        raise KernelError(what, 0, text or f"it ended with exit code {code}")
    return output.decode(errors="replace")


def _run(command: Sequence[str], text: bytes, seconds: float) -> tuple[int | None, bytes, bytes]:
    """Run a program; return its exit code (None: it was killed after ``seconds``), its output and its errors.

    It reads and writes files in memory. A pipe could stay open for ever, in a process that the program leaves running.
    """
    with contextlib.ExitStack() as stack:
        given, output, errors = (
            stack.enter_context(open(os.memfd_create(name), "w+b", buffering=0)) for name in ("in", "out", "err")
        )
        view = memoryview(text)
        while view:
            view = view[given.write(view) :]
        given.seek(0)
        process = subprocess.Popen(command, stdin=given, stdout=output, stderr=errors, env=ENVIRONMENT)
        try:
            ended = _wait(process.pid, seconds)
        except BaseException:
            ended = False
            raise
        finally:
            if not ended:
                process.kill()
            process.wait()
        return process.returncode if ended else None, _whole(output), _whole(errors)


def _wait(pid: int, seconds: float) -> bool:
    """Wait for a child to end; False when it does not end in ``seconds``."""
    fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(fd)


def _whole(file: io.FileIO) -> bytes:
    file.seek(0)
    return file.read()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _generation() -> int:
    """Return the generation of the calling thread's ruleset: the kernel counts its transactions."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(SECONDS)
        netlink.send(struct.pack("=IHHIIBBH", 20, _GET_GENERATION, 1, 0, 0, 0, 0, 0))
        answer = netlink.recv(1 << 16)
    found = dict(attributes(answer, 20))
    if _GENERATION_ID not in found:
        raise KernelError("nftables", errno.EOPNOTSUPP)
    return int.from_bytes(found[_GENERATION_ID])


def holds(namespace: str, script: str, *, beside: bool = False) -> bool:
    """Return whether a namespace's ruleset is what the script makes of an empty one, without counters and comments.

    Elements that packets added are ignored. With ``beside`` so are the tables that other programs made.

    nft's listing is compared with its listing after the script in a new namespace. So this code does not depend on how
    a version of nft prints.
    """
    with netns.returning():
        libc.unshare(libc.CLONE_NEWNET)
        here(script)
        expected = _comparable(_listing())
    with netns.inside(namespace):
        return expected == _comparable(_listing(), own=beside)


def _listing() -> str:
    """Return the ruleset of the calling thread's namespace as JSON. nft prints JSON for arguments, not for a file."""
    return call(["--json", "--stateless", "list", "ruleset"], what="nft list ruleset")


def _comparable(listing: str, *, own: bool = False) -> list[str]:
    """Return nft's objects, the rules of a chain in order, without handles and comments, all others sorted.

    The kernel lists sets and chains in the order in which changes added them. With ``own`` only those of netlab's
    tables, which its name begins.
    """
    try:
        items = json.loads(listing)["nftables"]
        items = [item for item in items if _is_own(item)] if own else items
        items = [item for item in items if "metainfo" not in item]
        return [json.dumps(_plain(item), sort_keys=True) for item in sorted(items, key=_place)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        first = listing.strip().split("\n")[0][:80]
        raise HostError(f"{program()} lists no ruleset, but {first!r}", _NOT_NFT) from error


def _is_own(item: Any) -> bool:
    (kind, of), *_ = item.items()
    return kind == "metainfo" or str(of.get("name" if kind == "table" else "table", "")).startswith("netlab")


def _place(item: Any) -> tuple[str, ...]:
    """Return a key for sorting; the rules of one chain have the same one."""
    (kind, of), *_ = item.items()
    return (*(str(of.get(name, "")) for name in ("family", "table")), kind, str(of.get("chain", of.get("name", ""))))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items() if key not in ("handle", "comment")}
    if "timeout" in plain:
        # Packets add the elements of such a set.
        plain.pop("elem", None)
    if isinstance(plain.get("elem"), list):
        plain["elem"] = sorted(json.dumps(item, sort_keys=True) for item in plain["elem"])
    return plain
