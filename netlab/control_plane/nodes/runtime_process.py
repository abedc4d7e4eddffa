"""The process that runs the programs of pods: netlab's own ones are imported here, before the first fork."""

from __future__ import annotations

from pathlib import Path

from netlab.kernel import pod_runtime
from netlab.kernel.pod_process import Own
from netlab.kernel.pod_root import BuiltIn
from netlab.programs.agnhost import main as agnhost
from netlab.programs.agnhost import sctp

AGNHOST = "/agnhost"


def main(orders: int) -> None:
    """Be the runtime for the other end of a socket, until that is closed."""
    agnhost.load()
    built_in = BuiltIn(AGNHOST, "netlab.programs.agnhost", Path(agnhost.__file__).parent)
    pod_runtime.serve(orders, (Own(built_in, agnhost.main, sctp.prepare),))
