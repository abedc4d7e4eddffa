"""A process that asks an API server, as the user whose kubeconfig it is.

A kubeconfig names files and programs: certificates, tokens, credential plugins. So netlab as root never reads one with
root's rights. Under sudo the process becomes the user who called sudo, before it reads the first file. It has that
user's home, and no descriptor of netlab's but its two pipes.

The process only transports: this side bounds the size and the time of each answer, as a user may control the process.
A question and the head of an answer are one line of JSON each; a body follows. Watches have a pipe of their own
(``kube_streams``), so that an answer never waits for an event.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from netlab.errors import HostError, way_out
from netlab.frozen import frozen
from netlab.kernel import privilege, signals, sudo_user
from netlab.kernel.kube_child import run as _child

if TYPE_CHECKING:
    from netlab.kernel.kube_streams import Frame, Frames

ANSWER_SECONDS = 60.0
"""How long an answer may take. The first one includes the credential plugin."""
_MOST_HEAD = 1 << 18
_CHUNK = 1 << 16


class KubeError(Exception):
    """There is no such context, or its kubeconfig cannot be used; ``names`` has the contexts that exist."""

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        self.names = names
        super().__init__(message)


class TooLargeAnswerError(Exception):
    """A body is larger than was asked for."""


@frozen
class Answer:
    """The answer to a GET request; ``retry_after`` has the seconds after which the server wants to be asked again."""

    status: int
    body: bytes
    retry_after: float = 0.0


class KubeProcess:
    """A connection with the API server of a context, "" for the current one. Leaving its block ends the process.

    - ``context``, ``namespace``: the name of the context, and the namespace that it states.
    - ``server``: the address of the API server, for messages.

    With ``watches`` it can watch, and reads the credentials again when the server refuses them. Such a process is made
    before this one enters the network namespace of a user's labs, and reaches the server afterwards too.

    Raises:
      KubeError: if there is no such context, or its kubeconfig cannot be used.
      HostError: if the ``kubernetes`` package is missing, a credential plugin fails, or this process has entered the
        network namespace of a user's labs.
    """

    def __init__(self, context: str, *, watches: bool = False) -> None:
        if privilege.rootless():
            raise HostError(
                "without root, a command that opens a lab is in the lab's network and reaches no API server",
                "use sudo, or export the objects to a file with kubectl",
            )
        user = sudo_user.caller()
        questions, self._ask = os.pipe()
        self._answers, answers = os.pipe()
        events, to = os.pipe() if watches else (-1, -1)
        self._frames: Frames | None = None
        self._events = events
        self._left = bytearray()
        # The number of the last question; how many bytes of a body come first that nobody waits for any more.
        self._number = 0
        self._owed = 0
        self._pid = 0
        self.context, self.server = context, ""
        try:
            with signals.deferred():
                self._pid = os.fork()
                if self._pid == 0:
                    _child(context, user, questions, answers, to)
        except OSError as error:
            self.close()
            raise HostError(f"cannot start a process: {error.strerror}", way_out(error.errno)) from error
        finally:
            for fd in (questions, answers, *([to] if watches else ())):
                os.close(fd)
        try:
            head = self._head("the kubeconfig")
        except BaseException:
            self.close()
            raise
        self.context = str(head.get("context", ""))
        self.namespace = str(head.get("namespace", ""))
        self.server = str(head.get("server", ""))

    def get(self, path: str, accept: str, most: int) -> Answer:
        """Return the answer to a GET request.

        Raises:
          HostError: if the server does not answer.
          TooLargeAnswerError: if the body is larger than ``most`` bytes.
        """
        self._number += 1
        self._tell({"number": self._number, "path": path, "accept": accept, "most": most})
        head = self._head(self.server)
        size = head.get("size")
        if not isinstance(size, int) or not 0 <= size <= most or not isinstance(head.get("status"), int):
            raise _ended()
        return Answer(head["status"], self._body(size), _seconds(head.get("retry_after")))

    def _body(self, size: int) -> bytes:
        self._owed = size
        until = time.monotonic() + ANSWER_SECONDS
        while len(self._left) < size:
            self._left += self._read(until, self.server)
        body = bytes(self._left[:size])
        del self._left[:size]
        self._owed = 0
        return body

    def watch(self, number: int, path: str) -> None:
        """Begin a watch, whose frames have the number; raises HostError if the process ended."""
        self._tell({"watch": number, "path": path})

    def end_watch(self, number: int) -> None:
        """End a watch; frames of it may come for a while. Raises HostError if the process ended."""
        self._tell({"end": number})

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            os.write(self._ask, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise _ended() from None

    def frames(self, seconds: float) -> list[Frame]:
        """Return what came of the watches, or what comes first in some seconds; raises HostError."""
        if self._frames is None:
            from netlab.kernel.kube_streams import Frames

            self._frames = Frames(self._events)
        return self._frames.read(seconds)

    def _head(self, what: str) -> dict[str, Any]:
        """Return the first line of the answer to the last question; raise the error that it may be.

        Answers to earlier questions, which came too late, are left out.
        """
        while True:
            if self._owed:
                self._body(self._owed)
            head = self._line(what)
            if head.get("number", self._number) == self._number:
                break
            size = head.get("size", 0)
            if not isinstance(size, int) or size < 0:
                raise _ended()
            self._owed = size
        if "error" not in head:
            return head
        kind, message = head["error"], str(head.get("message", ""))
        if kind == "missing":
            what = f"cluster:{self.context} needs the kubernetes package"
            raise HostError(what, "install it: pip install 'netlab[cluster]'")
        if kind == "large":
            raise TooLargeAnswerError(message)
        if kind in ("config", "contexts") and self.server:
            # The kubeconfig was read again, as the server refused the credentials, and is wrong now.
            raise HostError(f"{self.server}: {message}", "see that kubectl works with this context, as the same user")
        if kind in ("config", "contexts"):
            raise KubeError(message, tuple(map(str, head.get("names", ()))))
        if kind == "reach":
            raise HostError(f"{self.server}: {message}", "see that kubectl reaches it, as the same user")
        if kind == "plugin":
            raise HostError(
                message, "see that kubectl works with this context, as the same user and without a terminal"
            )
        raise HostError(message)

    def _line(self, what: str) -> dict[str, Any]:
        until = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._left[:_MOST_HEAD]:
            if len(self._left) > _MOST_HEAD:
                raise _ended()
            self._left += self._read(until, what)
        line, _, self._left = self._left.partition(b"\n")
        try:
            head = json.loads(line)
        except ValueError:
            raise _ended() from None
        if not isinstance(head, dict):
            raise _ended()
        return head

    def _read(self, until: float, what: str) -> bytes:
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
            raise HostError(f"{what}: no answer in {ANSWER_SECONDS:g} seconds", "try again later")
        chunk = os.read(self._answers, _CHUNK)
        if not chunk:
            raise _ended()
        return chunk

    def close(self) -> None:
        """End the process, and the credential plugin that it may run."""
        if self._pid:
            for end in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    end(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0
        for name in ("_ask", "_answers", "_events"):
            if (fd := getattr(self, name)) >= 0:
                os.close(fd)
                setattr(self, name, -1)

    def __enter__(self) -> KubeProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _ended() -> HostError:
    return HostError("the process that asks the API server ended", "try again")


def _seconds(text: object) -> float:
    return float(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 6 else 0.0
