"""For tests of programs that use netlab: a kernel in memory, and a tracer that evaluates rulesets without a kernel.

A lab in memory has Services with their addresses and endpoints, and the tracer follows their translation. Programs of a
lab are noted and do not run. So no DNS answers, and the outcome of ``Lab.run`` is that it was refused.
"""

from netlab.testing.kernel import FakeKernel
from netlab.testing.tracer import Packet, Tracer

__all__ = ["FakeKernel", "Packet", "Tracer"]
