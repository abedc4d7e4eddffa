"""Gives this process its own files of ``/etc`` for names, and hides the host's name services from it.

The calling process already has a mount namespace of its own. Files are bound over those of ``/etc``. If ``/etc`` lacks
such a file, or it is a link that leads nowhere, ``/etc`` becomes an overlay of the host's. Nothing of the host changes.

A network namespace does not confine UNIX sockets. So the sockets of nscd, systemd-resolved, SSSD, Avahi and D-Bus are
hidden, and ``/etc/nsswitch.conf`` says ``hosts: files dns``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping

from netlab.errors import HostError, KernelError
from netlab.kernel import libc

# Variables that change the resolver's search domains, options and aliases: resolv.conf(5), hostname(7).
VARIABLES = frozenset(("LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"))

_NSSWITCH = "/etc/nsswitch.conf"
_HOSTS_LINE = re.compile(r"^\s*(?:hosts|ipnodes|networks)\s*:.*$", re.MULTILINE)
_HIDDEN = (
    "/run/nscd",
    "/var/run/nscd",
    "/var/cache/nscd",
    "/run/systemd/resolve",
    "/run/systemd/resolve.hook",
    "/var/lib/sss/pipes",
    "/var/lib/sss/mc",
    "/run/avahi-daemon",
    # systemd-resolved and Avahi answer over the system bus too. A container has no system bus either.
    "/run/dbus",
    "/run/resolvconf",
)
# Every Linux has this directory, and this process mounts its own /sys afterwards.
_ASIDE = "/sys"
_SIZE = "size=16m"


def give(files: Mapping[str, str]) -> None:
    """Give this process files of ``/etc``, by their paths, and hide the host's name services.

    Raises:
      HostError: when that fails, as the program would see the host's names.
    """
    wanted = {**files, **_nsswitch()}
    try:
        places = _existing(wanted)
        if places is None:
            _overlay_etc()
            places = {path: path for path in wanted}
        libc.mount("netlab", _ASIDE, "tmpfs", data=f"mode=755,{_SIZE}")
        sources: dict[str, str] = {}
        for number, (path, text) in enumerate(wanted.items()):
            sources[path] = _write(f"{_ASIDE}/{number}", text)
        hidden = _hide()
        for path, place in places.items():
            if not os.path.lexists(place) and place.startswith(tuple(f"{one}/" for one in hidden)):
                # The file is in a directory that is hidden now, such as systemd-resolved's.
                os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
                _write(place, "")
            libc.mount(sources[path], place, flags=libc.MS_BIND)
        # A bound file outlives this mount.
        libc.umount(_ASIDE)
    except (OSError, KernelError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise HostError(f"cannot give the program its own /etc/resolv.conf: {what}") from error


def _nsswitch() -> dict[str, str]:
    """Return the host's nsswitch.conf with ``hosts: files dns``; nothing if the host has none, as with musl."""
    try:
        with open(_NSSWITCH, encoding="utf-8", errors="surrogateescape") as file:
            text = _HOSTS_LINE.sub("", file.read()).strip()
    except OSError:
        return {}
    return {_NSSWITCH: f"{text}\n\nhosts: files dns\n"}


def _existing(wanted: Mapping[str, str]) -> dict[str, str] | None:
    """Return the file that each path leads to, None if one leads to no regular file."""
    found = {path: os.path.realpath(path) for path in wanted}
    return found if all(os.path.isfile(place) for place in found.values()) else None


def _overlay_etc() -> None:
    """Make ``/etc`` an overlay of the host's, with empty files in place of the missing ones."""
    libc.mount("netlab", _ASIDE, "tmpfs", data=f"mode=755,{_SIZE}")
    for name in ("upper", "work"):
        os.mkdir(f"{_ASIDE}/{name}", 0o755)
    libc.mount("netlab", "/etc", "overlay", data=f"lowerdir=/etc,upperdir={_ASIDE}/upper,workdir={_ASIDE}/work")
    libc.umount(_ASIDE)
    for name in ("resolv.conf", "hosts", "nsswitch.conf"):
        path = f"/etc/{name}"
        if not os.path.isfile(os.path.realpath(path)) or os.path.islink(path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            _write(path, "")


def _hide() -> list[str]:
    """Cover the directories of the host's name services by empty ones; return the directories."""
    hidden = list(dict.fromkeys(os.path.realpath(one) for one in _HIDDEN if os.path.isdir(one)))
    for one in hidden:
        libc.mount("netlab", one, "tmpfs", data="mode=755,size=1m")
    return hidden


def _write(path: str, text: str) -> str:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(fd, 0o644)
        file.write(text)
    return path
