"""What a lab stores about the pods of one workload, read and changed when pods ended in a rolling update."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from netlab.objects.types import Workload
from netlab.objects.workload_pods import WorkloadPods


def read(workload: Workload, fields: Mapping[str, Any]) -> WorkloadPods:
    """Return the value of what is stored about a workload."""
    previous = fields.get("previous") or {}
    return WorkloadPods(
        workload.meta,
        int(fields.get("start", 0)),
        frozenset(int(one) for one in fields.get("replaced", ())),
        frozenset(fields.get("missing", ())),
        frozenset(fields.get("unready", ())),
        tuple(fields["pods"]) if fields.get("pods") is not None else None,
        None,
        tuple(previous.get("pods", ())),
    )


def with_new_template(workload: Workload, fields: dict[str, Any], ends: Collection[str]) -> dict[str, Any]:
    """Return the fields in a rolling update, after pods ended that keep their names: they get the new template.

    Pods of a StatefulSet below the partition get the one from before.
    """
    rollout = workload.rollout
    new = [end for end in ends if not end.isdecimal() or rollout is None or int(end) >= rollout.partition]
    previous = fields["previous"]
    left = [end for end in previous["pods"] if end not in new]
    pods = [*dict.fromkeys((*(fields.get("pods") or ()), *new))]
    if not left:
        return {name: value for name, value in fields.items() if name not in ("pods", "previous")}
    return {**fields, "pods": pods, "previous": {**previous, "pods": left}}


def with_new_numbers(workload: Workload, fields: dict[str, Any], ends: Collection[str]) -> dict[str, Any]:
    """Return the fields in a rolling update, after pods ended: each gets another number, and keeps its template."""
    pods, previous = [*(fields.get("pods") or ())], [*fields["previous"]["pods"]]
    own = read(workload, fields)
    free = (end for end in own.numbers(len(pods) + len(previous) + len(ends)) if end not in (*pods, *previous))
    instead = {end: next(free) for end in ends}
    return {
        **fields,
        "pods": [instead.get(end, end) for end in pods],
        "previous": {**fields["previous"], "pods": [instead.get(end, end) for end in previous]},
    }
