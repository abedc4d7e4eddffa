"""The containers of pods that run programs or hooks: started in order, started again with growing pauses, and ended.

Source: Kubernetes, Pod Lifecycle: phases, states of containers, restartPolicy, init containers and sidecars; Container
Lifecycle Hooks.
"""

from __future__ import annotations

import itertools
import math
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.container_run import Handle, Run, Shown, State
from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.hooks import POST_START, PRE_STOP, Hook, HookEnded
from netlab.errors import NetlabError

# Seconds: how long a program runs until the first pause counts again.
_LASTS = 600.0
_CANNOT_START = 128
_KILLED = 128 + signal.SIGKILL
LAST_SECONDS = 2.0
"""What a program has to end after a hook that has used up the grace period."""

Start = Callable[[str, Container], Handle]
"""Starts the program of a container of a pod, by the pod's uid; raises NetlabError."""
StartHook = Callable[[str, str, Hook, int, float], None]
"""Runs a hook of a container, by its pod's uid and its name, with a number, for some seconds; raises NetlabError."""


class Containers:
    """The containers of all pods of which at least one runs a program or has a hook.

    Args:
      start: starts a program.
      hook: starts a hook; ``hooked`` is called later.
      failed: called when a hook has failed: the pod's uid, the container, and which hook.
      clock: the time in seconds.
    """

    def __init__(
        self,
        start: Start,
        hook: StartHook,
        failed: Callable[[str, str, str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._hook, self._failed, self._clock = start, hook, failed, clock
        self._pods: dict[str, list[Run]] = {}
        self._grace: dict[str, float] = {}
        self._ending: set[str] = set()
        # Pods whose containers were told to end.
        self._told: set[str] = set()
        self._numbers = itertools.count(1)

    def __contains__(self, uid: object) -> bool:
        return uid in self._pods

    def begin(
        self, uid: str, containers: Sequence[Container], before: Mapping[str, Mapping[str, Any]], grace: float = 30.0
    ) -> None:
        """Take a pod.

        Args:
          uid: the pod's.
          containers: its containers.
          before: the statuses of its containers, as another process may have written them.
          grace: the seconds that a container has to end when it is started anew.
        """
        runs = [Run(one) for one in containers]
        for one in runs:
            one.remember(before.get(one.container.name) or {})
        self._pods[uid], self._grace[uid] = runs, grace
        self._advance(uid)

    def ended(self, uid: str, name: str, code: int, error: str) -> None:
        """Note that the program of a container has ended."""
        for one in self._pods.get(uid, ()):
            if one.container.name == name and one.state.kind == "running":
                reason = "StartError" if error else "Completed" if code == 0 else "Error"
                one.program, one.killed, one.hook = None, 0.0, ""
                one.state = State("terminated", reason, error, code, one.state.started, now())
                if self._clock() - one.since > _LASTS:
                    one.next_pause = 0.0
                one.wait(self._clock())
        self._advance(uid)

    def hooked(self, ended: HookEnded) -> bool:
        """Note that a hook has ended; return whether somebody waited for it."""
        for one in self._pods.get(ended.uid, ()):
            if one.hook and one.number == ended.number:
                self._after_hook(ended.uid, one, failed=bool(ended.why))
                return True
        return False

    def stop(self, uid: str) -> None:
        """The pod has to end: nothing starts again."""
        if uid in self._pods:
            self._ending.add(uid)

    def end(self, uid: str, grace: float) -> bool:
        """End the containers of a pod, hooks first; do nothing and return False if no hook preStop is due.

        A program gets SIGTERM after the hook of its container. It is killed when the time is over.
        """
        runs = self._pods.get(uid, ())
        if uid in self._told or not any(one.container.pre_stop and one.state.kind == "running" for one in runs):
            return False
        self.stop(uid)
        self._told.add(uid)
        for one in runs:
            self._end(uid, one, grace)
        return True

    def ends(self, uid: str) -> bool:
        """Return whether a hook preStop or a program runs."""
        return any(one.hook == PRE_STOP or one.program is not None for one in self._pods.get(uid, ()))

    def kill(self, uid: str) -> None:
        """Kill the programs of a pod."""
        self.stop(uid)
        for one in self._pods.get(uid, ()):
            if one.program is not None:
                one.program.send(signal.SIGKILL)

    def forget(self, uids: Iterable[str]) -> None:
        """Kill the programs of pods that are gone, and forget them."""
        for uid in uids:
            self.kill(uid)
            self._pods.pop(uid, None)
            self._grace.pop(uid, None)
            self._ending.discard(uid)
            self._told.discard(uid)

    def restart(self, uid: str, name: str) -> None:
        """End the program of a container, so that it starts again.

        A pod that has to end has been told so.
        """
        for one in self._pods.get(uid, ()) if uid not in self._ending else ():
            if one.container.name == name and one.program is not None:
                self._end(uid, one, self._grace[uid])

    def known(self) -> list[str]:
        """Return the uids of all pods."""
        return list(self._pods)

    def turn(self) -> set[str]:
        """Start, end and kill what is due; return the uids of the pods that have changed."""
        now_, hooked = self._clock(), set()
        for uid, runs in self._pods.items():
            for one in runs:
                if one.hook and (one.hook_failed or one.hook_ends <= now_):
                    self._after_hook(uid, one, failed=one.hook_failed or one.starting)
                    hooked.add(uid)
                if one.program is not None and 0 < one.killed <= now_:
                    one.program.send(signal.SIGKILL)
                    one.killed = 0.0
        due = {uid for uid, runs in self._pods.items() for one in runs if self._waits(one) and one.due <= now_}
        due -= self._ending
        for uid in due:
            self._advance(uid)
        return due | hooked

    @property
    def waiting(self) -> bool:
        """Whether a container waits for the time of its next start, of its end, or for its hook."""
        return any(
            self._waits(one) or one.killed or one.hook
            for uid, runs in self._pods.items()
            if uid not in self._ending
            for one in runs
        )

    def shown(self, uid: str) -> dict[str, Shown] | None:
        """Return what the status says of the containers of a pod, None for a pod without programs."""
        runs = self._pods.get(uid)
        return None if runs is None else {one.container.name: one.shown for one in runs}

    def since(self, uid: str, name: str) -> float | None:
        """Return when a container was started, or None if it does not run, or its hook postStart has not ended.

        It is 0 for a pod without programs and hooks. Other threads may call it.
        """
        runs = self._pods.get(uid)
        if runs is None:
            return 0.0
        return next((one.since for one in runs if one.container.name == name and one.up), None)

    def running(self, uid: str) -> list[str]:
        """Return the containers of a pod that have a program."""
        return [one.container.name for one in self._pods.get(uid, ()) if one.container.argv]

    def initialized(self, uid: str) -> bool:
        """Return whether all init containers have ended well, and sidecars run."""
        return all(one.passed for one in self._pods.get(uid, ()) if one.container.init)

    def phase(self, uid: str) -> str:
        """Return the phase of a pod."""
        runs = self._pods.get(uid, [])
        if any(one.container.first and one.done and one.state.code for one in runs):
            return "Failed"
        if not self.initialized(uid):
            return "Pending"
        main = [one for one in runs if not one.container.init]
        if main and all(one.done for one in main):
            return "Failed" if any(one.state.code for one in main) else "Succeeded"
        if any(one.shown.state.kind == "waiting" and one.last is None for one in main):
            return "Pending"
        return "Running"

    def ready(self, uid: str) -> bool:
        """Return whether all containers run that should."""
        runs = self._pods.get(uid, [])
        return self.initialized(uid) and all(one.up for one in runs if not one.container.first)

    def _waits(self, one: Run) -> bool:
        return one.program is None and one.starts_again and one.state.kind != "running" and one.due > 0

    def _advance(self, uid: str) -> None:
        """Start what can start: each init container after the one before, and then the others.

        A container waits for the hook postStart of the one before it.
        """
        if uid in self._ending:
            return
        runs = self._pods.get(uid, [])
        if all(one.done for one in runs if not one.container.init):
            # The pod has finished: its sidecars end.
            for one in runs:
                self._end(uid, one, self._grace[uid])
            return
        for one in runs:
            if one.state.kind != "running" and not one.done:
                self._try(uid, one)
            if one.starting or (one.container.init and not one.passed):
                return

    def _try(self, uid: str, one: Run) -> None:
        again = one.state.kind == "terminated" or one.state.reason == "CrashLoopBackOff"
        if again and one.due > self._clock():
            if one.state.kind == "terminated":
                seconds = f"{one.pause:g}s"
                why = f"back-off {seconds} restarting failed container={one.container.name}"
                one.last, one.state = one.state, State("waiting", "CrashLoopBackOff", why, one.state.code)
            return
        if again:
            one.last = one.state if one.state.kind == "terminated" else one.last
            one.restarts += 1
        started = now()
        one.since, one.due = self._clock(), 0.0
        if not one.container.argv:
            # A pause; as an init container it has ended.
            ends = one.container.first
            one.state = State("terminated" if ends else "running", "Completed" if ends else "", "", 0, started, started)
        else:
            try:
                one.program = self._start(uid, one.container)
                one.state = State("running", started=started)
            except NetlabError as error:
                one.state = State("terminated", "StartError", str(error), _CANNOT_START, started, started)
                one.wait(self._clock())
                if one.starts_again:
                    self._try(uid, one)
                return
        if one.state.kind == "running" and one.container.post_start:
            self._run_hook(uid, one, POST_START, one.container.post_start, math.inf)

    def _run_hook(self, uid: str, one: Run, kind: str, hook: Hook, seconds: float) -> None:
        one.hook, one.number = kind, next(self._numbers)
        one.hook_ends, one.hook_failed = self._clock() + seconds, False
        try:
            self._hook(uid, one.container.name, hook, one.number, seconds)
        except NetlabError:
            # ``turn`` goes on: here, each container of a pod would start the next one deeper in the stack.
            one.hook_failed = True

    def _after_hook(self, uid: str, one: Run, *, failed: bool) -> None:
        """Go on after a hook; a container whose postStart has failed ends."""
        kind, one.hook = one.hook, ""
        if failed:
            self._failed(uid, one.container.name, kind)
        if kind == PRE_STOP:
            self._tell_to_end(one, max(one.hook_ends - self._clock(), LAST_SECONDS))
        elif not failed:
            self._advance(uid)
        elif one.program is not None:
            self._end(uid, one, self._grace[uid])
        else:
            self.ended(uid, one.container.name, _KILLED, "")

    def _end(self, uid: str, one: Run, grace: float) -> None:
        """Let a container end: first its hook preStop, then its program, all in the grace period."""
        if one.state.kind != "running" or one.stopping:
            return
        if one.container.pre_stop and grace > 0:
            self._run_hook(uid, one, PRE_STOP, one.container.pre_stop, grace)
        else:
            one.hook = ""
            self._tell_to_end(one, grace)

    def _tell_to_end(self, one: Run, seconds: float) -> None:
        if one.program is not None:
            one.program.send(signal.SIGTERM)
            one.killed = self._clock() + seconds
