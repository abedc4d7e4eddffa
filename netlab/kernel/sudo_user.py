"""Users: the caller of sudo, and the user that a program runs as."""

from __future__ import annotations

import contextlib
import os
import pwd

from netlab.errors import HostError, UsageError
from netlab.frozen import frozen
from netlab.kernel import privilege

# The environment variables by which sudo(8), pkexec(1) and doas(1) name their caller.
_UID, _GID = "SUDO_UID", "SUDO_GID"
_OTHERS = ("PKEXEC_UID", "DOAS_USER")
_LARGEST = 2**32 - 2
NOBODY = 65534


@frozen
class User:
    """A user that a program runs as; ``name``, ``home`` and ``shell`` are "" for a user that the host does not know.

    ``confined``: its programs have no capability and can gain none, not even from a set-user-id program.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    name: str = ""
    home: str = ""
    shell: str = ""
    confined: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that tell programs their user."""
        known = {"HOME": self.home, "LOGNAME": self.name, "SHELL": self.shell, "USER": self.name}
        return {key: value for key, value in known.items() if value}


def elevated() -> bool:
    """Return whether another user ran this process as root, so that the environment may be that user's."""
    by_id = os.getuid() != os.geteuid() or os.getgid() != os.getegid()
    return by_id or (_root() and any(os.environ.get(key) for key in (_UID, *_OTHERS)))


def caller() -> User | None:
    """Return the user who ran this process as root by sudo, pkexec or doas; None for root itself.

    Raises:
      UsageError: when the environment names no user of this host.
    """
    if not _root():
        return None
    uid, gid = os.environ.get(_UID), os.environ.get(_GID)
    text = f"{uid}:{gid}" if uid and gid else uid or next(filter(None, map(os.environ.get, _OTHERS)), None)
    if text is None:
        return None
    try:
        found = named(text)
    except UsageError as error:
        raise UsageError(f"the user who ran netlab as root: {error}; name one with --user") from error
    return found if found.uid else None


def confined() -> User:
    """Return the user of programs that a scenario names: ``nobody``, without any capability.

    Without root it is the calling user, as a keeper's user namespace has no other.
    """
    return User(NOBODY, NOBODY, home="/", confined=True) if _root() else User(0, 0, confined=True)


def named(text: str) -> User:
    """Return the user of ``USER``, ``UID``, ``USER:GID`` or ``UID:GID``; raises UsageError."""
    who, colon, group = text.partition(":")
    known = None
    with contextlib.suppress(KeyError):
        known = pwd.getpwuid(_number(who, text)) if who.isdecimal() else pwd.getpwnam(who)
    if known is None and not who.isdecimal():
        raise UsageError(f"{text!r}: no user {who!r} on this host")
    if known is None and not colon:
        raise UsageError(f"{text!r}: no user of this host, so name the group too: {who}:GID")
    gid = _number(group, text) if colon else known.pw_gid if known else 0
    if known is None:
        return User(_number(who, text), gid, (gid,))
    groups = tuple(os.getgrouplist(known.pw_name, gid))
    return User(known.pw_uid, gid, groups, known.pw_name, known.pw_dir, known.pw_shell or "/bin/sh")


def become(user: User) -> None:
    """Give up root for a user permanently: user, group, further groups, and every capability.

    Raises:
      HostError: when this process may not.
    """
    try:
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        raise HostError(f"cannot run a program as user {user.uid}: {error.strerror}", "run netlab with sudo") from error


def _root() -> bool:
    return os.geteuid() == 0 and not privilege.rootless()


def _number(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= _LARGEST):
        raise UsageError(f"{whole!r}: write USER, UID, USER:GID or UID:GID")
    return int(text)
