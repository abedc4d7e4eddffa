"""For tests of programs that use netlab: a kernel in memory, and a tracer that evaluates rulesets without a kernel."""

from netlab.testing.kernel import FakeKernel
from netlab.testing.tracer import Packet, Tracer

__all__ = ["FakeKernel", "Packet", "Tracer"]
