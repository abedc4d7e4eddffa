"""Policies of other APIs, which netlab does not read: the pods that they may select, and what they may do.

``objects.unread_kinds`` makes them from documents.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from netlab.errors import Problem, printable
from netlab.frozen import frozen
from netlab.objects.kind import get
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta, Source

if TYPE_CHECKING:
    from netlab.objects.cilium_policies import CiliumPolicy

RULE = "unread-policy"
"""The rule name of the warning about each unread policy."""

UNLISTED = "UnlistedNetworkPolicies"
"""The kind of policies that a cluster has and the input lacks (``objects.unlisted``)."""

UNLISTED_NAME = "networkpolicies"
"""The name of such an object if the input lacks NetworkPolicies; else it names the kind of the policies."""

EVERY = LabelSelector()
_NO_DIRECTION: frozenset[Direction] = frozenset()


@frozen
class Subject:
    """Pods that a policy may select, and what it may do to their traffic.

    - The pods match ``pods``, in ``namespace``, or if that is "" in namespaces that match ``namespaces``. Parts of a
      selector that netlab cannot read are left out, so it matches more pods, never fewer.
    - ``nodes``: the policy may select nodes and host-network pods instead.
    - ``denies``: directions in which the policy may deny what NetworkPolicy allows.
    - ``allows``: directions in which the policy may allow what NetworkPolicy denies.
    """

    namespace: str = ""
    namespaces: LabelSelector = EVERY
    pods: LabelSelector = EVERY
    nodes: bool = False
    denies: frozenset[Direction] = _NO_DIRECTION
    allows: frozenset[Direction] = _NO_DIRECTION


@frozen
class UnreadPolicy:
    """One policy that netlab does not read.

    ``protocols``: the protocols of traffic that it may decide about; empty stands for all. ``outside``: it decides only
    about traffic that leaves the cluster. ``cilium``: the policy as a value, if netlab understands all of it. It counts
    in clusters with a profile of Cilium only (``cluster.plain_policies``).
    """

    kind: str
    group: str
    meta: Meta
    subjects: tuple[Subject, ...]
    protocols: frozenset[str] = frozenset()
    outside: bool = False
    source: Source = field(default_factory=Source, compare=False)
    cilium: CiliumPolicy | None = None

    @property
    def name(self) -> str:
        """``KIND NAMESPACE/NAME``, in printable characters."""
        return printable(f"{self.kind} {self.meta.key}".rstrip())

    @property
    def option(self) -> str:
        """The command line option that ignores its kind."""
        # The name alone is that of a kind that netlab reads.
        kind = f"{self.kind}.{self.group}" if get(self.kind) is not None else self.kind
        return f"--ignore {printable(kind)}"

    def __str__(self) -> str:
        line = self.source.line()
        return f"{self.name} ({self.source.file}:{line})" if line else self.name


def warning(policy: UnreadPolicy) -> Problem:
    """Return the warning that netlab does not read a policy."""
    source = policy.source
    of = f" of {printable(policy.group)}" if policy.group else ""
    read = get(policy.kind)
    if read is not None and not read.namespaced:
        of += f", which is another API than {read.group}"
    message = (
        f"netlab does not read {printable(policy.kind)}{of}; the verdict of a pair that such a policy could change is"
        f" unknown; to leave all policies of this kind out: {policy.option}"
    )
    together = message
    if policy.cilium is not None:
        message += "; with a profile of Cilium (--as cilium) netlab evaluates this policy"
    if policy.kind == UNLISTED:
        lacks = "NetworkPolicies" if policy.meta.name == UNLISTED_NAME else printable(policy.meta.name)
        of = " of this namespace, so verdicts of its pods" if policy.meta.namespace else ", so verdicts"
        message = together = f"the input lacks the {lacks}{of} are unknown; to judge without them: {policy.option}"
    return Problem(source.file, source.line(), "", policy.name, message, "warning", RULE, together)
