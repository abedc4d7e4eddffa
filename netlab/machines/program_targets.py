"""Programs that an agent runs for calls: without privilege as ``nobody``, unless its machine allows more."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict

from netlab.errors import HostError, UsageError
from netlab.kernel import sudo_user
from netlab.machines.call_request import Request, read_input, write, write_json
from netlab.machines.calls import READY

_MOST_SECONDS = 3600.0
# The agent's other variables are its own; one may be a password.
_KEPT = frozenset({"HOME", "LANG", "LC_ALL", "PATH", "TERM", "TZ"})


def execute(request: Request) -> None:
    """Become a program in an endpoint: ``ref``, ``argv``, and ``user`` ("" for the user ``nobody``).

    Raises:
      UsageError: if the endpoint is not here, or there is no such program or user.
      HostError: if this machine does not run it.
    """
    argv, user = _argv(request), request.text("user")
    if user and request.policy != "any":
        raise HostError(
            "programs of other machines run as nobody only", "leave --user out, or start its agent with --exec any"
        )
    run_as = sudo_user.named(user) if user else sudo_user.confined()
    _clear()
    with request.opened() as lab:
        lab.execute(request.place(lab, request.text("ref")), argv, run_as)


def run(request: Request) -> None:
    """Run a program or a question in an endpoint to its end, and write how it ended.

    The arguments are ``ref``, ``seconds``, and ``argv`` or ``question`` with its kind and arguments. Raises as
    ``execute`` does.
    """
    what: Sequence[str] | Callable[[], object]
    if "question" in request.arguments:
        from netlab.programs.client import Question

        what = Question.of(*request.items("question"))
    else:
        what = _argv(request)
    seconds = request.number("seconds", _MOST_SECONDS)
    _clear()
    with request.opened() as lab:
        write_json(asdict(lab.run(request.place(lab, request.text("ref")), what, seconds)))


def listen(request: Request) -> None:
    """Run the echo program until the input ends, on ``places``: pairs of an endpoint and a port."""
    with request.opened() as lab:
        places = []
        for pair in request.items("places"):
            if not isinstance(pair, list) or len(pair) != 2 or type(pair[1]) is not int or not 0 < pair[1] < 1 << 16:
                raise UsageError("a call of listen: places are no pairs of endpoint and port")
            ref = request.place(lab, str(pair[0])).ref
            places.append((lab.find(ref), pair[1]))
        with lab.listening(places):
            write(READY)
            read_input(0)


def names(request: Request) -> None:
    """Start the programs that answer names and health checks here."""
    from netlab.lab import dns

    with request.opened() as lab:
        dns.prepare(lab, "")


def _argv(request: Request) -> list[str]:
    if request.policy == "none":
        raise HostError("programs of other machines do not run there", "start its agent without --exec none")
    argv = request.texts("argv")
    if not argv:
        raise UsageError("no program")
    return argv


def _clear() -> None:
    os.chdir("/")
    for name in os.environ.keys() - _KEPT:
        del os.environ[name]
