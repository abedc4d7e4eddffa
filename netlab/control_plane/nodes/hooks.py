"""Hooks of containers: what runs after the start of a container, and before its end.

A hook is a command, a request of HTTP or a sleep. A request succeeds if any answer comes, as with a kubelet.

Source: core/v1 Lifecycle; Kubernetes, Container Lifecycle Hooks; the kubelet's lifecycle handlers (pkg/kubelet).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from netlab.control_plane.nodes.per_pod import PerPod
from netlab.frozen import NamedTuple
from netlab.kernel.ask_port import Answer

POST_START, PRE_STOP = "postStart", "preStop"
_LONGEST = 60.0
_NO_HOOK = "a hook has no tcpSocket"


class Hook(NamedTuple):
    """A hook: a command, a sleep of some seconds, or a question to a port of the pod.

    ``problem``: why it always fails. ``has_program``: the container has a program, so the port has to answer.
    """

    command: tuple[str, ...] = ()
    seconds: float = 0.0
    port: int = 0
    question: bytes = b""
    problem: str = ""
    has_program: bool = False

    def failure(self, answer: Answer) -> str:
        """Return why an answer is a failure, "" if it is none."""
        if answer == "nobody" and not self.has_program:
            return ""
        if isinstance(answer, str) or not answer.startswith(b"HTTP/"):
            return f"port {self.port} gave no answer of HTTP"
        return ""


class HookEnded(NamedTuple):
    """A hook of a container has ended; ``why`` says why it has failed. ``number`` is that of its start."""

    uid: str
    name: str
    number: int
    why: str


def hook_of(container: Mapping[str, Any], kind: str, *, runs: bool, has_program: bool) -> Hook | None:
    """Return a hook of a container, None where it has none that netlab runs.

    Args:
      container: as its pod's specification has it.
      kind: ``postStart`` or ``preStop``.
      runs: whether programs may run in the container.
      has_program: whether one does.
    """
    written = (container.get("lifecycle") or {}).get(kind) or {}
    if command := (written.get("exec") or {}).get("command"):
        return Hook(command=tuple(command)) if runs else None
    if "sleep" in written:
        return Hook(seconds=float(written["sleep"].get("seconds") or 0))
    if "httpGet" in written:
        return _request(container, written["httpGet"], has_program)
    return Hook(problem=_NO_HOOK) if "tcpSocket" in written else None


def _request(container: Mapping[str, Any], get: Mapping[str, Any], has_program: bool) -> Hook | None:
    port = get.get("port") or 80
    if isinstance(port, str) and not port.isdecimal():
        ports = container.get("ports") or ()
        port = next((one["containerPort"] for one in ports if one.get("name") == port), 0)
    if not 0 < int(port) < 1 << 16:
        return Hook(problem=f"httpGet has no port {get.get('port')}")
    # An address other than the pod's, or TLS, is not asked.
    if get.get("host") or get.get("scheme", "HTTP") != "HTTP":
        return None
    headers = {one["name"]: one.get("value") or "" for one in get.get("httpHeaders") or ()}
    path = f"/{str(get.get('path') or '').lstrip('/')}".replace(" ", "%20")
    if not all(text.isprintable() for text in (path, *headers, *headers.values())):
        return Hook(problem="httpGet has a character that is not printable")
    all_headers = {"Host": f"port-{port}", "User-Agent": "kube-lifecycle/netlab", **headers, "Connection": "close"}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
    return Hook(port=int(port), question="\r\n".join(lines).encode(), has_program=has_program)


class Handle(Protocol):
    """A command that runs."""

    def send(self, number: int) -> None: ...


Execute = Callable[[str, str, tuple[str, ...], Callable[[str], object]], Handle]
"""Starts a command in a container, by its pod's uid and its name; the function gets why it failed, "" for success."""
Ask = Callable[[str, Hook, float], Answer]
"""Asks a port of a pod, by its uid, for at most some seconds."""


class Hooks:
    """Runs hooks; all calls come from one thread.

    Args:
      execute: starts a command; raises NetlabError.
      ask: asks a port; it is called in other threads.
      tell: called with how a hook has ended, in any thread.
      clock: the time in seconds.
    """

    def __init__(
        self,
        execute: Execute,
        ask: Ask,
        tell: Callable[[HookEnded], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._execute, self._ask, self._tell, self._clock = execute, ask, tell, clock
        # By number: the commands that run, and when sleeps are over.
        self._commands: dict[int, tuple[str, Handle]] = {}
        self._sleeps: dict[int, tuple[float, HookEnded]] = {}
        # Requests of HTTP. Commands and sleeps take no thread of this process.
        self._requests = PerPod()

    def start(self, uid: str, name: str, hook: Hook, number: int, seconds: float) -> None:
        """Run a hook of a container; ``seconds`` is how long anybody waits for it. Raises NetlabError."""
        ended = HookEnded(uid, name, number, hook.problem)
        if hook.command:
            tell = self._tell
            self._commands[number] = (
                uid,
                self._execute(uid, name, hook.command, lambda why: tell(ended._replace(why=why))),
            )
        elif hook.port:
            self._requests.later(uid, lambda: self._request(ended, hook, min(seconds, _LONGEST)))
        else:
            self._sleeps[number] = self._clock() + hook.seconds, ended

    def _request(self, ended: HookEnded, hook: Hook, seconds: float) -> None:
        self._tell(ended._replace(why=hook.failure(self._ask(ended.uid, hook, seconds))))

    def turn(self) -> None:
        """Tell which sleeps are over."""
        now = self._clock()
        for number in [number for number, (due, _) in self._sleeps.items() if due <= now]:
            self._tell(self._sleeps.pop(number)[1])

    @property
    def waiting(self) -> bool:
        """Whether a sleep is not over."""
        return bool(self._sleeps)

    def drop(self, number: int) -> None:
        """Forget a hook for which nobody waits any more; its command goes on."""
        self._commands.pop(number, None)
        self._sleeps.pop(number, None)

    def forget(self, uid: str) -> None:
        """Kill the commands of a pod that is gone."""
        for number in [number for number, (of, _) in self._commands.items() if of == uid]:
            self._commands.pop(number)[1].send(signal.SIGKILL)
        for number in [number for number, (_, ended) in self._sleeps.items() if ended.uid == uid]:
            del self._sleeps[number]
        self._requests.forget(uid)
