"""Fixtures of other folders that tests of the virtual machine use."""

from machines.conftest import agents, machines
from services.conftest import build

__all__ = ["agents", "build", "machines"]
