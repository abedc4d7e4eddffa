"""For tests of programs that use netlab: a kernel in memory, and a tracer that evaluates rulesets without a kernel.

A lab in memory has Services with their addresses and endpoints, and the tracer follows their translation. It notes the
programs of a lab and runs none. So no DNS server answers, and ``Lab.run`` is refused.
"""

from netlab.testing.kernel import FakeKernel
from netlab.testing.tracer import Packet, Tracer

__all__ = ["FakeKernel", "Packet", "Tracer"]
