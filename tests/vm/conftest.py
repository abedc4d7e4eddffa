"""Fixtures of other folders that tests of the virtual machine use."""

from services.conftest import build

__all__ = ["build"]
