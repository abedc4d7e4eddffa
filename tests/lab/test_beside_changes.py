"""Commands that read a lab beside commands that change it: no wrong row, no wrong message, the right exit code.

NETLAB_ROUNDS says how often each command looks; ``make race`` makes it 200.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from host_records import record

from netlab.conformance.shorthand import document, pod, policy
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.scenarios import ObjectRef

Program = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("NETLAB_ROUNDS", "2"))
NOTICES = ("waiting for another command on lab ", "lab {} was changed meanwhile: ")


class Changing:
    """Changes a lab by one command after another until ``stop``."""

    def __init__(self, program: Program, *commands: tuple[object, ...]) -> None:
        self._program, self._commands = program, commands
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failures: list[str] = []
        self.done = 0

    def __enter__(self) -> Changing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        commands = itertools.cycle(self._commands)
        while not self._over.is_set():
            command = next(commands)
            done = self._program(*command)
            self.done += 1
            if done.returncode:
                self.failures.append(f"{command}: {done.returncode}: {done.stderr}")


def unexpected(lab: str, stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if not line.startswith(tuple(one.format(lab) for one in NOTICES))]


@pytest.fixture
def changing(program: Program, lab: str, tmp_path: Path) -> Iterator[Changing]:
    """The shop, whose policies go and come, as do a label and pods."""
    more = tmp_path / "more.yaml"
    more.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: more, namespace: shop, labels: {app: db}}\n"
        "spec: {containers: [{name: c, image: i}]}\n"
    )
    own = ("--lab", lab)
    with Changing(
        program,
        ("delete", "-f", "examples/shop/policies.yaml", *own),
        ("label", "pod", "shop/web-0", "app=db", *own),
        ("apply", "-f", "examples/shop/policies.yaml", *own),
        ("apply", "-f", more, *own),
        ("label", "pod", "shop/web-0", "app=web", *own),
        ("delete", "pod", "shop/more", *own),
        ("up", "-f", "examples/shop", *own),
    ) as commands:
        yield commands
    assert [] == commands.failures
    assert commands.done


@pytest.mark.timeout(30 + 10 * ROUNDS)
def test_verify_beside_changes_has_right_rows(program: Program, lab: str, changing: Changing) -> None:
    """Each row is measured in one state of the lab and compared with that state."""
    for _ in range(ROUNDS):
        done = program("verify", "--lab", lab, "-o", "json")
        document = json.loads(done.stdout)
        wrong = [row for row in document["rows"] if row["expected"] != row["measured"]]

        assert (0, [], []) == (done.returncode, wrong, unexpected(lab, done.stderr))
        assert len(document["rows"]) in (20, 30)


@pytest.mark.timeout(30 + 20 * ROUNDS)
@pytest.mark.parametrize(
    "command",
    [
        ("get", "pods"),
        ("reach",),
        ("explain", "shop/web-0", "shop/db:5432"),
        ("compile",),
        ("probe", "shop/web-0", "shop/api-0:8080"),
        ("trace", "shop/web-1", "shop/db-0:5432"),
        ("exec", "shop/web-0", "--", "true"),
    ],
    ids=lambda command: command[0],
)
def test_a_lab_that_changes_is_not_half_built(
    program: Program, lab: str, changing: Changing, command: tuple[str, ...]
) -> None:
    """A command that reads waits for the end of the change."""
    for _ in range(ROUNDS):
        done = program(*command[:1], "--lab", lab, *command[1:])

        assert (0, []) == (done.returncode, unexpected(lab, done.stderr)), done.stdout


@pytest.mark.timeout(30 + 10 * ROUNDS)
def test_labs_in_change_are_listed_as_ready(program: Program, lab: str, changing: Changing) -> None:
    """No drift is reported, as the list waits for changes."""
    for _ in range(ROUNDS):
        done = program("get", "labs", lab, "-o", "wide")
        (row,) = done.stdout.splitlines()[1:]

        assert (0, "") == (done.returncode, done.stderr)
        assert row.split()[1:5] in (
            ["Changing", "<none>", "<none>", "unknown"],
            ["Ready", "1", "6", "0"],
            ["Ready", "1", "5", "0"],
        )


def test_a_lab_that_is_removed_beside_a_command_is_gone(program: Program, unique: Callable[[str], str]) -> None:
    """Exit code 2, and no message about half-built labs or namespaces."""
    name = unique("gone")
    for _ in range(ROUNDS):
        assert 0 == program("up", "-f", "examples/shop", "--lab", name).returncode
        command = [sys.executable, "-m", "netlab", "verify", "--lab", name, "--port", "1", "-o", "json"]
        command += [f"--port={number}" for number in range(2, 1500)]
        with subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as asking:
            assert asking.stdout is not None
            asking.stdout.readline()
            down = program("down", name)
            _, errors = asking.communicate(timeout=60)

        assert (0, f"lab/{name} deleted\n") == (down.returncode, down.stdout)
        assert (2, [f"Error: lab {name} is gone"]) == (asking.returncode, errors.splitlines())
        assert [] == list(netns.DIRECTORY.glob(f"netlab.{name}.*"))


# --- in one process, where the order of events is known -----------------------------------------------------------


def documents(name: str, numbers: range, *more: Document) -> list[Document]:
    made = [pod(f"x/p{i}", f"n=p{i}", f"10.244.0.{i + 10}") for i in numbers]
    return [document("Topology", name, {"nodes": [{"name": "node-1"}]}), *made, *more]


@contextmanager
def two_views(name: str, numbers: range) -> Iterator[tuple[Lab, Lab]]:
    """Yield a lab twice, as two commands have it open."""
    objects, _ = decode(documents(name, numbers))
    lab = Lab.up(objects, name=name)
    try:
        other = Lab.open(name)
        yield lab, other
        other.close()
    finally:
        lab.down()


@pytest.mark.parametrize("lanes", [1, 2])
def test_probes_under_way_while_the_lab_changes_are_sent_again(
    unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    """Every measurement is of the lab's state when it is yielded; flows of pods that are gone are left out."""
    from netlab import evaluate, every_pair
    from netlab.probe import engine

    monkeypatch.setattr(engine, "BLOCK", 20)
    monkeypatch.setattr(engine, "_WORTH_FORKING", 1 if lanes == 2 else 1000)
    with two_views(unique("views"), range(10)) as (lab, other):
        closed = policy("x/closed", ingress=[])
        changes = {
            10: lambda: other.apply([closed]),
            30: lambda: other.apply([pod("x/p9", "n=other", "10.244.0.90"), pod("x/p3", "n=p3", "10.244.0.93")]),
            50: lambda: other.delete([ObjectRef("Pod", "p5", "x")]),
            60: lambda: other.delete([ObjectRef("NetworkPolicy", "closed", "x")]),
        }
        wrong, seen = [], []
        for number, m in enumerate(lab.probe(every_pair(lab.cluster))):
            if number in changes:
                changes[number]()
            seen.append((m.flow.source.ref, m.flow.target))
            if evaluate(lab.cluster, m.flow).verdict != m.verdict:
                wrong.append((number, m))

        everyone = [f"x/p{i}" for i in range(10)]
        missing = {(a, b) for a in everyone for b in everyone if a != b} - set(seen)

        assert [] == wrong
        assert len(set(seen)) == len(seen)
        assert missing
        assert all("x/p5" in pair for pair in missing)


def test_a_change_before_the_first_packet_gives_the_flows_of_the_new_state(unique: Callable[[str], str]) -> None:
    """All measurements are of the new state."""
    from netlab import every_pair

    with two_views(unique("anew"), range(2)) as (lab, other):
        flows = every_pair(lab.cluster)
        other.apply([pod("x/p7", "", "10.244.0.77")])
        pairs = [(m.flow.source.ref, m.flow.target) for m in lab.probe(flows, anew=every_pair)]

        assert 6 == len(pairs)
        assert ("x/p7", "x/p0") in pairs


def test_a_lab_is_behind_from_the_begin_of_a_change_until_it_looks(
    unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what it finds in the kernel meanwhile may be of another state than it knows."""
    with two_views(unique("behind"), range(1)) as (lab, other):
        lab.look()
        apply, states = other.machine.apply, [lab.is_behind]

        def look_and_apply(*changes: Any) -> None:
            states.append(lab.is_behind)
            apply(*changes)

        monkeypatch.setattr(other.machine, "apply", look_and_apply)
        other.apply([pod("x/p7", "", "10.244.0.77")])
        states.append(lab.is_behind)
        lab.look()

        assert [False, *[True] * (len(states) - 1)] == states
        assert len(states) > 2
        assert not lab.is_behind


def test_a_slow_reader_delays_no_change(unique: Callable[[str], str]) -> None:
    """Between two rows the lock is free."""
    from netlab import every_pair

    with two_views(unique("slow"), range(3)) as (lab, other):
        measured = lab.probe(every_pair(lab.cluster))
        next(measured)
        other.delete([ObjectRef("Pod", "p2", "x")])

        assert 5 == len(list(measured))


def test_a_change_whose_process_died_is_half_built(program: Program, unique: Callable[[str], str]) -> None:
    """The lock is free and the record is not ready, so no command waits."""
    with two_views(unique("dead"), range(2)) as (lab, _):
        known = record.load(lab.name)
        assert known is not None
        record.save(replace(known, ready=False))
        done = program("verify", "--lab", lab.name)

        assert 2 == done.returncode
        assert f"lab {lab.name} is half-built or half-changed; netlab up repairs it" in done.stderr


def test_a_long_change_is_waited_for_with_a_notice(program: Program, unique: Callable[[str], str]) -> None:
    """After a second a line says which lab the command waits for; then the result comes."""
    with two_views(unique("long"), range(2)) as (lab, _):
        known = record.load(lab.name)
        assert known is not None
        with record.locked(lab.name):
            record.save(replace(known, ready=False))
            asking = subprocess.Popen(
                [sys.executable, "-m", "netlab", "reach", "--lab", lab.name],
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert asking.stderr is not None
            notice = asking.stderr.readline()
            record.save(known)
        _, rest = asking.communicate(timeout=60)

        assert (f"waiting for another command on lab {lab.name}\n", "") == (notice, rest)
        assert 0 == asking.returncode


def test_a_change_that_never_ends_is_waited_for_a_limited_time(unique: Callable[[str], str]) -> None:
    """A command that reads gives up; exit code 3."""
    from netlab.errors import HostError

    with two_views(unique("never"), range(2)) as (lab, _):
        guard = record.lock(lab.name)
        guard.acquire()
        try:
            with (
                pytest.raises(HostError, match=f"another command is changing lab {lab.name} for 0.05 s already"),
                record.locked(lab.name, shared=True, patience=0.05),
            ):
                pass
        finally:
            guard.release()


def test_a_lab_that_is_changed_for_long_is_listed_as_changing(program: Program, unique: Callable[[str], str]) -> None:
    """A list of labs waits for none of them."""
    with two_views(unique("list"), range(2)) as (lab, _):
        known = record.load(lab.name)
        assert known is not None
        with record.locked(lab.name):
            record.save(replace(known, ready=False))
            listed = program("get", "labs", lab.name, "-o", "wide")
            record.save(known)

    assert [lab.name, "Changing", "<none>", "<none>", "unknown"] == listed.stdout.splitlines()[1].split()[:5]


def test_a_temporary_lab_of_a_killed_process_goes_with_the_next_command(program: Program) -> None:
    """In every state of the lab; temporary labs of running processes stay."""
    script = """
import os, signal
from netlab import temporary
from netlab.objects import decode
from netlab.conformance.base_cluster import base_cluster
with temporary(decode(base_cluster())[0]) as lab:
    print(lab.name, flush=True)
    signal.pause()
"""
    alive, killed = (
        subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    assert alive.stdout is not None
    assert killed.stdout is not None
    names = [alive.stdout.readline().strip(), killed.stdout.readline().strip()]
    killed.kill()
    killed.communicate()
    left = program("get", "labs", "-o", "name").stdout.split()
    alive.send_signal(signal.SIGINT)
    alive.communicate()

    assert [True, False] == [f"lab/{name}" in left for name in names]
    assert [] == list(netns.DIRECTORY.glob(f"netlab.{names[1]}.*"))
    assert [] == list(record.directory.glob(f"{names[1]}*"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}'])
def test_a_record_that_cannot_be_read_delays_no_other_lab(unique: Callable[[str], str], text: str) -> None:
    """Every command reads the boot of each lab."""
    name = unique("torn")
    record.prepare()
    file = record.path(name)
    file.parent.mkdir()
    try:
        file.write_text(text)

        assert not record.stale(name)
    finally:
        record.remove(name)
        record.tidy()
