"""The outcome of a command that changes a lab, in kubectl's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from netlab.frozen import frozen_with_cache
from netlab.objects import Document
from netlab.objects.document_changes import POD_LABELS, STOPPED_NODE, WORKLOAD_PODS
from netlab.objects.meta import IGNORED_KIND, key_of

Verb = Literal["created", "configured", "unchanged", "deleted"]


@frozen_with_cache
class Changes:
    """The outcome of a change.

    Attributes:
      objects: each object (``networkpolicy/shop/deny-all``) with its verb.
      steps: the changes of namespaces, links, addresses and routes, as ``ip`` arguments.
      elements: the number of nftables elements that were added or deleted.
      replaced: the number of nodes whose whole ruleset was loaded.
      seconds: the time until the change was in force.
      agent_steps: the number of changes as in ``steps`` that agents made. A lab on many machines has no ``steps``.
    """

    objects: tuple[tuple[str, Verb], ...] = ()
    steps: tuple[str, ...] = ()
    elements: int = 0
    replaced: int = 0
    seconds: float = 0.0
    agent_steps: int = 0

    def __bool__(self) -> bool:
        return bool(self.steps or self.agent_steps or self.elements or self.replaced)


def label_of(document: Document) -> str:
    """Return an object's name as kubectl prints it, with its namespace: ``pod/shop/web``."""
    label: str | None = document.memo.get("label")
    if label is None:
        key = key_of(document)
        kind = "Pod" if key.kind == POD_LABELS else key.kind
        label = "/".join(part for part in (kind.lower(), key.namespace, key.name) if part)
        document.memo["label"] = label
    return label


_LEFT_OUT = (IGNORED_KIND, WORKLOAD_PODS, STOPPED_NODE)


def compare(old: Sequence[Document], new: Sequence[Document]) -> tuple[tuple[str, Verb], ...]:
    """Return the verb of every object between two inputs, in the order of the new input.

    A changed label of a workload's pod is a change of that pod, and a node that stopped or started is a change of that
    node. Documents of netlab's own that are about no single object are left out.
    """
    before = {label_of(d): d for d in old if d.kind not in _LEFT_OUT}
    after = {label_of(d): d for d in new if d.kind not in _LEFT_OUT}
    verbs: list[tuple[str, Verb]] = []
    for label, document in after.items():
        if label in before:
            earlier = before[label]
            same = earlier is document or earlier.data == document.data
            verbs.append((label, "unchanged" if same else "configured"))
        else:
            verbs.append((label, "configured" if document.kind == POD_LABELS else "created"))
    for label, document in before.items():
        if label not in after:
            verbs.append((label, "configured" if document.kind == POD_LABELS else "deleted"))
    stopped, stops = ({key_of(d).name for d in some if d.kind == STOPPED_NODE} for some in (old, new))
    changed = {f"node/{name}" for name in stopped ^ stops}
    found = [(label, "configured" if label in changed else verb) for label, verb in verbs]
    return (*found, *((label, "configured") for label in sorted(changed - {label for label, _ in found})))
