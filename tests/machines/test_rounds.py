"""Rounds of commands during which something is killed: afterwards one ``up`` makes the lab whole, and ``down`` ends it.

``NETLAB_ROUNDS`` has the number of rounds, ``NETLAB_SEED`` the seed of the first one; each round prints its own.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from machines.agents import Agents, until
from machines.bed import programs_of
from machines.labs import allowing, documents, written
from sizes import HANGS

ROUNDS = int(os.environ.get("NETLAB_ROUNDS", "4"))
SEED = int(os.environ.get("NETLAB_SEED", "0")) or time.time_ns() % 10**9
MACHINES = ("m1", "m2", "m3")
VICTIMS = ("all", "agent", "spawner", "lab", "etcd", "command", "interrupt")
# Seconds from the moment when the command has the lab's lock to the kill.
LATEST = 0.6


class Rounds:
    """The machines of all rounds, and what happened to them."""

    def __init__(self, on: Agents, lab: str, folder: Path) -> None:
        self.on, self.lab = on, lab
        text = documents(lab, "routed", 6, families=(4,))
        for number, machine in enumerate((*MACHINES, *MACHINES), start=1):
            text = text.replace(f"{{name: n{number}}}", f"{{name: n{number}, machine: {machine}}}")
        self.whole = written(folder, text + allowing("p3", "p1"))
        other = documents(lab, "overlay", 9, families=(4,)).replace("{name: n1}", "{name: n1, machine: m3}")
        more = written(folder, allowing("p2", "p4"))
        self.commands: tuple[tuple[object, ...], ...] = (
            ("up", "-f", self.whole),
            ("up", "-f", written(folder, other)),
            ("apply", "--lab", lab, "-f", more),
            ("label", "--lab", lab, "pod", "p5", "at=x"),
            ("delete", "--lab", lab, "networkpolicy", "only-p3"),
            ("down", lab),
        )
        self.dead: list[int] = []

    def run(self, seed: int) -> str:
        """Run a round; return what it did."""
        dice = random.Random(seed)  # noqa: S311  not for secrets
        arguments, victim = dice.choice(self.commands), dice.choice(VICTIMS)
        name, where = dice.choice(MACHINES), dice.choice(MACHINES)
        argv = [sys.executable, "-m", "netlab", *arguments]
        command = self.on.on[name].start(*argv, stdin=subprocess.DEVNULL)
        until(lambda: command.poll() is not None or self._locked())
        time.sleep(dice.uniform(0, LATEST))
        self._kill(victim, where, command, dice)
        out, error = command.communicate(timeout=HANGS)
        what = f"{' '.join(map(str, arguments[:1]))} on {name}, {victim} of {where} killed: {command.returncode}"

        assert "Traceback" not in error, f"{what}: {error}"
        assert command.returncode in (0, 2, 3, 130, 137, -9), f"{what}: {out}{error}"
        return f"{what} {error.strip()[:150]}"

    def repair(self, down: bool) -> None:
        """Let everything run again; check that the lab is whole after one ``up``, and gone after ``down``."""
        while self.dead:
            self.on.members[self.dead.pop()].restart()
        for name in MACHINES:
            if not self.on.runs(name):
                self.on.start(name, wait=False)
        until(lambda: all(map(self.on.registered, MACHINES)), self.on.logs)
        self.on.netlab("m2", "up", "-f", self.whole)
        with ThreadPoolExecutor() as pool:
            drift = list(pool.map(lambda one: one.drive("drift", lab=self.lab), self.on.on))
            answers = list(pool.map(self._reached, MACHINES))
        assert [[], [], []] == drift, self.on.logs()
        # p3 hears p1 only.
        assert [True, False, True] == answers, self.on.logs()
        # Every pair of pods, across machines: packets and the evaluator agree.
        verified = self.on.netlab("m1", "verify", "--lab", self.lab)
        assert not re.search(r"[1-9]\d* inconclusive", verified), verified
        for name in MACHINES:
            assert "Traceback" not in self.on.log(name), self.on.log(name)
        if down:
            self.on.netlab("m3", "down", self.lab)
            self.on.nothing_left()

    def _reached(self, machine: str) -> bool:
        """Return whether the pod of a machine reaches p3, and p3 itself another one."""
        source = MACHINES.index(machine) + 1
        asked = [(f"default/p{source}", "10.244.0.2" if source == 3 else "10.244.2.2", 80)]
        return bool(self.on.on[machine].drive("ask", lab=self.lab, questions=asked)[0])

    def _locked(self) -> bool:
        return any(key.startswith(f"locks/{self.lab}/") for key in self.on.etcd_keys())

    def _kill(self, victim: str, where: str, command: subprocess.Popen[str], dice: random.Random) -> None:
        if victim == "etcd":
            self.dead.append(dice.randrange(len(self.on.members)))
            self.on.members[self.dead[-1]].kill()
        elif victim in ("command", "interrupt"):
            for pid in programs_of(command) if command.poll() is None else ():
                os.kill(pid, signal.SIGKILL if victim == "command" else signal.SIGINT)
        else:
            # A machine has no process for a lab that is gone.
            if self.on.signal(where, signal.SIGKILL, "" if victim == "all" else victim) and victim != "lab":
                self.on.ended(where)


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_after_every_kill_one_up_makes_the_lab_whole(agents, unique, tmp_path):
    """After any kill during a command, ``up`` brings all machines to its input, and ``down`` leaves nothing."""
    rounds = Rounds(agents(*MACHINES, members=3), unique("rounds"), tmp_path)
    for number in range(ROUNDS):
        seed = SEED + number
        print(f"NETLAB_SEED={seed}", flush=True)
        print(rounds.run(seed), flush=True)
        rounds.repair(down=number % 3 == 2 or number == ROUNDS - 1)
