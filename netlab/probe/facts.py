"""What a network namespace's own kernel says, where no packet can prove it: settings, addresses, bridge ports."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from typing import Literal

from netlab.frozen import NamedTuple
from netlab.kernel.machine import Inside

YES = "yes"


class Question(NamedTuple):
    """A question to the kernel of a namespace.

    ``setting``: the value of the setting ``about``. ``addresses``: the addresses of the family ``about``.
    ``carries``: whether a link that is up has the address ``about``. ``hairpin``: whether the bridge port ``about``
    sends frames back to itself.
    """

    kind: Literal["setting", "addresses", "carries", "hairpin"]
    namespace: str
    about: str


def answer(inside: Inside, question: Question) -> str:
    """Return a kernel's answer as text: a value, addresses, or ``YES``; "" where it is missing, none or no.

    Raises:
      NotFound: when the namespace is not there.
      KernelError: when the kernel does not answer.
    """
    from netlab.kernel import interfaces, sysctl

    kind, namespace, about = question
    with inside(namespace):
        if kind == "setting":
            with contextlib.closing(sysctl.Tree()) as tree:
                return tree.read(about) or ""
        if kind == "addresses":
            return ", ".join(map(str, interfaces.addresses(int(about))))
        found = interfaces.carries(ip_address(about)) if kind == "carries" else interfaces.has_hairpin(about)
        return YES if found else ""
