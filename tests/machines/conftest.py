"""Machines for a test, and labs whose parts they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from etcd_members import missing
from machines.agents import Agents
from machines.bed import Machine, Machines
from machines.calling import up


@pytest.fixture
def machines() -> Iterator[Callable[..., Machines]]:
    """Start machines by their names; everything in them is killed after the test."""
    started: list[Machines] = []

    def start(*names: str, mtu: int = 1500) -> Machines:
        started.append(Machines(names, mtu=mtu))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def agents(
    request: pytest.FixtureRequest, machines: Callable[..., Machines], tmp_path: Path
) -> Iterator[Callable[..., Agents]]:
    """Start machines by their names with an etcd and an agent on each; what agents print is shown on failure."""
    if lacking := missing():
        pytest.skip(f"needs {', '.join(lacking)}")
    made: list[Agents] = []

    def start(*names: str, start: bool = True, mtu: int = 1500, **more: Any) -> Agents:
        made.append(Agents(machines(*names, mtu=mtu), tmp_path, **more))
        if start:
            made[-1].start()
        return made[-1]

    yield start
    for one in made:
        print(one.logs())
        one.close()


@pytest.fixture
def spread(tmp_path: Path) -> Callable[..., dict[str, list[str]]]:
    """Build or change the parts of a lab on machines, all at the same time; return the addresses of all pods."""

    def up(on: Machines, documents: str, placed: dict[str, str], *, family: int = 4, **more: Any) -> dict[str, Any]:
        file = tmp_path / "lab.yaml"
        file.write_text(documents)
        holding = [one for one in on if one.name in placed.values()]

        def of(machine: Machine) -> Any:
            addresses = {one.name: on.addresses(family)[one.name] for one in holding}
            return machine.drive("up", files=[str(file)], own=machine.name, machines=addresses, placed=placed, **more)

        with ThreadPoolExecutor() as pool:
            made = list(pool.map(of, holding))
        assert all(made[0]["pods"] == one["pods"] for one in made), "every machine finds the same cluster"
        return dict(made[0]["pods"])

    return up


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """Three machines with agents, and a lab with the pods p1, p2 and p3, one on each machine."""
    if lacking := missing():
        pytest.skip(f"needs {', '.join(lacking)}")
    folder = tmp_path_factory.mktemp("calls")
    machines = Machines(("m1", "m2", "m3"))
    try:
        found = Agents(machines, folder)
        found.start()
        up(found, folder)
        yield found
        print(found.logs())
        found.close()
    finally:
        machines.close()
