"""The tests of probing hold for several machines: each runs once more, with a participant for each machine.

Without those that are about the inside of one process: its forks, its file descriptors, its blocks.
"""

from __future__ import annotations

from importlib import import_module

import pytest

pytestmark = [pytest.mark.machines, pytest.mark.usefixtures("spread")]

_MODULES = ("attempt", "control", "engine", "engine_ipv6", "forwarding", "gateways", "services", "slow_links")
_OF_ONE_PROCESS = {
    "test_a_wrong_attempt_is_found",
    "test_flows_are_measured_as_they_come",
    "test_progress_rises_to_the_number_of_flows",
    # A machine that cannot take part makes verdicts inconclusive; the run goes on.
    "test_a_lab_that_is_not_there_is_named",
    "test_a_machine_without_packets_refuses_a_measurement",
}

for _of in _MODULES:
    for _name, _value in vars(import_module(f"probe.test_{_of}")).items():
        if _name.startswith(("test_", "Test")) and _name not in _OF_ONE_PROCESS and callable(_value):
            globals()[f"{_name}_of_{_of}"] = _value
        elif _name == "build":
            # The fixture of the tests of Services.
            globals()[_name] = _value
