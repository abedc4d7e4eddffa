"""Rolling updates: the states of a lab's documents while controllers replace the pods of changed workloads.

A pod is ready as soon as it runs. So each step is in force before the next one begins, and nothing else has to be
waited for. Workloads are updated one after the other.

Source: Kubernetes, Deployments (strategy), StatefulSets (update strategies), "Perform a Rolling Update on a DaemonSet";
the controllers' ``reconcileNewReplicaSet``, ``reconcileOldReplicaSets`` and ``ResolveFenceposts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from netlab.cluster.nodes import node_drafts
from netlab.cluster.pods import nodes_of
from netlab.cluster.replacement import LabState
from netlab.cluster.stored_pods import read
from netlab.objects.decoders import decoded
from netlab.objects.document_changes import apply
from netlab.objects.meta import Key, key_of
from netlab.objects.pod_names import Owners, ends_of, ends_of_previous, keeps_names
from netlab.objects.rollouts import ON_DELETE, RECREATE, count
from netlab.objects.types import Document, RolloutStrategy, Workload
from netlab.objects.workload_pods import fields_about, with_ended, with_fields

_Fields = dict[str, Any]


def rollout(state: LabState, changes: Sequence[Document]) -> Iterator[list[Document]]:
    """Yield the documents after each step in which objects are added or replaced.

    First all changes are made but those of pod templates. Then the pods of workloads with another template are replaced
    step by step. A rolling update that broke off goes on where it was.

    Raises:
      InputError: if a change of an object changes a field that may not change.
    """
    documents = apply(state.documents, changes)
    rolling: list[tuple[Workload, _Fields]] = []
    before = {key_of(one): one for one in state.documents}
    makers = Owners(state.objects)
    old_workloads = {(one.kind, one.meta.key): one for one in state.objects.workloads if makers.makes_pods(one)}
    for document in changes:
        new = decoded(document)[1]
        if not isinstance(new, Workload) or new.rollout is None:
            continue
        old = old_workloads.get((new.kind, new.meta.key))
        written = before.get(key_of(document))
        if old is None or written is None:
            continue
        fields = _begun(state, old, new, written)
        if fields is not None:
            documents = with_fields(documents, _key(new), fields)
            rolling.append((new, fields))
    yield documents
    for workload, fields in rolling:
        for after in _steps(state, workload, fields):
            if after.get("unready") and not state.objects.services:
                # Only Services ask whether a pod is ready.
                continue
            documents = with_fields(documents, _key(workload), after)
            yield documents


def _begun(state: LabState, old: Workload, new: Workload, written: Document) -> _Fields | None:
    """Return what is stored about a workload at the begin of its rolling update, None if there is none."""
    fields: _Fields = fields_about(state.documents, _key(old))
    same = (old.template, old.template_meta) == (new.template, new.template_meta)
    if same:
        return fields if "previous" in fields else None
    own, on = read(old, fields), partial(nodes_of, node_drafts(state.objects))
    # The controller of a Deployment keeps several old ReplicaSets. Here pods of an earlier one get the last template.
    pods = [*ends_of(old, own, on), *ends_of_previous(old, own, on)]
    return {
        **fields,
        "pods": [],
        "missing": [],
        "unready": [],
        "previous": {"object": dict(written.data), "pods": pods},
    }


def _steps(state: LabState, workload: Workload, fields: _Fields) -> Iterator[_Fields]:
    strategy = workload.rollout or RolloutStrategy()
    if not keeps_names(workload):
        return _of_deployment(workload, strategy, fields)
    on = partial(nodes_of, node_drafts(state.objects))
    names = ends_of(workload, read(workload, {}), on)
    return _of_stable_names(workload, strategy, fields, names)


def _of_deployment(workload: Workload, strategy: RolloutStrategy, fields: _Fields) -> Iterator[_Fields]:
    """Yield what is stored about a Deployment after each step."""
    wanted = workload.replicas or 0
    surge, unavailable = count(strategy.surge, wanted, up=True), count(strategy.unavailable, wanted, up=False)
    if not surge and not unavailable:
        unavailable = 1
    pods, previous = list(fields["pods"]), list(fields["previous"]["pods"])
    if strategy.type == RECREATE:
        if previous:
            fields, previous = with_ended(fields, [*map(int, previous)]), []
            yield {**_without_previous(fields), "pods": pods}
            yield {**_without_previous(fields), "unready": read(workload, fields).numbers(wanted)}
        yield _without_previous(fields)
        return

    def after(unready: Iterable[str] = ()) -> _Fields:
        stored = {**fields, "pods": [*pods], "previous": {**fields["previous"], "pods": [*previous]}}
        done = not previous and len(pods) == wanted
        return {**(_without_previous(fields) if done else stored), "unready": sorted(unready)}

    while previous or len(pods) != wanted:
        grow = min(wanted + surge - len(pods) - len(previous), wanted - len(pods))
        if grow > 0:
            taken = {*pods, *previous}
            numbers = read(workload, fields).numbers(len(taken) + grow)
            new = [end for end in numbers if end not in taken][:grow]
            pods += new
            yield after(new)
            yield after()
        shrink = min(len(previous), len(pods) + len(previous) - wanted + unavailable)
        if shrink > 0:
            # The controller of a ReplicaSet ends its youngest pods first.
            previous.sort(key=int)
            yield after(previous[-shrink:])
            fields, previous = with_ended(fields, [*map(int, previous[-shrink:])]), previous[:-shrink]
            yield after()
        if grow <= 0 and shrink <= 0:
            # There are more new pods than wanted: an update that broke off had more.
            pods.sort(key=int)
            fields, pods = with_ended(fields, [*map(int, pods[wanted:])]), pods[:wanted]
            yield after()


def _of_stable_names(
    workload: Workload, strategy: RolloutStrategy, fields: _Fields, names: Sequence[str]
) -> Iterator[_Fields]:
    """Yield what is stored about a StatefulSet or a DaemonSet after each step; ``names`` are the ends of all names.

    Pods of a StatefulSet are replaced from the highest number to the lowest. A DaemonSet with a surge replaces each pod
    without a time between, as both pods would have the same name here.
    """
    previous = [end for end in fields["previous"]["pods"] if end in names]
    pods = [*dict.fromkeys((*fields["pods"], *(end for end in names if end not in previous)))]

    def after(missing: Iterable[str] = (), unready: Iterable[str] = ()) -> _Fields:
        stored = {**fields, "pods": [*pods], "previous": {**fields["previous"], "pods": [*previous]}}
        said = stored if previous else _without_previous(fields)
        return {**said, "missing": sorted(missing), "unready": sorted(unready)}

    if strategy.type == ON_DELETE:
        yield after()
        return
    at_once = max(1, count(strategy.surge or strategy.unavailable, len(names), up=True))
    stable = workload.replicas is not None
    left = [end for end in (reversed(names) if stable else names) if end in previous]
    left = [end for end in left if not stable or int(end) >= strategy.partition]
    if not left:
        yield after()
    for start in range(0, len(left), at_once):
        batch = left[start : start + at_once]
        if not strategy.surge:
            yield after(unready=batch)
        previous = [end for end in previous if end not in batch]
        pods += batch
        if not strategy.surge:
            yield after(missing=batch)
            yield after(unready=batch)
        yield after()


def _without_previous(fields: Mapping[str, Any]) -> _Fields:
    return {name: value for name, value in fields.items() if name not in ("pods", "previous", "missing", "unready")}


def _key(workload: Workload) -> Key:
    return Key("", workload.kind, workload.meta.namespace, workload.meta.name)
