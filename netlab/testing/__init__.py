"""For the tests of programs that use netlab: a kernel in memory, and a tracer that walks a ruleset without one."""

from netlab.testing.kernel import FakeKernel
from netlab.testing.tracer import Packet, Tracer

__all__ = ["FakeKernel", "Packet", "Tracer"]
