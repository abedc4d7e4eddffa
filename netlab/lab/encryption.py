"""Whether tunnels between the machines of a lab can be encrypted."""

from __future__ import annotations

import errno
from typing import NoReturn

from netlab.errors import HostError, KernelError
from netlab.kernel.machine import Machine
from netlab.kernel.state import Link

_TRIAL = Link("wg0", "wireguard", mtu=1420)
_INSTEAD = "leave out --encrypt, or join the machines by WireGuard and start each agent with its address there"


def refuse(machine: Machine) -> NoReturn:
    """Refuse to encrypt: netlab makes no WireGuard devices yet, and no packet goes in the clear that should not.

    Raises:
      HostError: always; the message says whether the kernel has WireGuard.
      KernelError: when the kernel cannot be asked.
    """
    try:
        machine.check_link(_TRIAL)
    except KernelError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        fix = "sudo modprobe wireguard; where there is no such module, use a kernel that has it"
        raise HostError(f"this kernel has no links of kind wireguard ({error})", f"{fix}, or {_INSTEAD}") from error
    raise HostError("this version of netlab does not encrypt what machines send to one another", _INSTEAD)
