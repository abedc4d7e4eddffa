"""The bandwidth that annotations of a pod ask for, as the capability argument of that name.

Source: Kubernetes, "Network Plugins", "Support traffic shaping", and CONVENTIONS.md of CNI. A kubelet gives the largest
burst, and refuses less than 1k and more than 1P.
"""

from __future__ import annotations

import re

from netlab.cluster.types import Pod
from netlab.errors import HostError
from netlab.objects.meta import BANDWIDTH

_BURST = 2**31 - 1
_LEAST, _MOST = 1000, 10**15
_QUANTITY = re.compile(r"(\d{1,18})(\.\d{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?")
_FACTORS = {"": 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_FACTORS |= {f"{unit}i": 1024.0 ** (index + 1) for index, unit in enumerate("KMGTP")}


def bandwidth(pod: Pod) -> dict[str, int]:
    """Return rates in bits a second and bursts in bits; empty without annotations.

    Raises:
      HostError: for an annotation that is no quantity, or out of range.
    """
    found: dict[str, int] = {}
    for direction, annotation in BANDWIDTH.items():
        text = pod.annotations.get(annotation)
        if text is None:
            continue
        match = _QUANTITY.fullmatch(text)
        rate = int(float(match[1] + (match[2] or "")) * _FACTORS[match[3] or ""]) if match else 0
        if not _LEAST <= rate <= _MOST:
            raise HostError(f"pod {pod.ref}: annotation {annotation}: {text!r} is not a quantity from 1k to 1P")
        found |= {f"{direction}Rate": rate, f"{direction}Burst": _BURST}
    return found
