"""Changes of a running lab's links: what the kernel does to packets between two machines, or to those of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.cluster.links import refs_of
from netlab.errors import UsageError
from netlab.objects.document_changes import impair as impair_documents

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.lab.outcome import Changes


def impair(lab: Lab, between: Sequence[str], values: Mapping[str, str]) -> Changes:
    """Do as ``Lab.impair``."""
    with lab.held():
        cluster = lab.cluster
    refs = refs_of(cluster, between)
    if not values and not any(link.ends == refs for link in cluster.links):
        raise UsageError(f"nothing is done to the link {' '.join(between)} of lab {lab.name}")
    return lab.edit(
        lambda now: impair_documents(now, refs, values, lambda link: refs_of(cluster, link["between"]) == refs)
    )


def clear(lab: Lab) -> Changes:
    """Do as ``Lab.clear_links``."""
    return lab.edit(lambda now: impair_documents(now, (), {}, lambda link: True))
