"""Labels of workload objects that policies look for on pods. Pods get only the labels of the workload's template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Workload
from netlab.policy.matched_pods import namespaces_matched, pods_by_namespace
from netlab.policy.meaning import policies_meant
from netlab.policy.problems import warning

_Label = tuple[str, str]


def misplaced(cluster: Cluster, workloads: Iterable[Workload]) -> list[Problem]:
    """Return a warning for every label that a selector requires, a workload object has, and no pod has."""
    known = _of_objects_only(cluster, workloads)
    if not known:
        return []
    here = pods_by_namespace(cluster)
    policies = [policy for policy in policies_meant(cluster) if policy.meta.namespace in here]
    return [problem for policy in policies for problem in _of_policy(cluster, policy, known)]


def _of_objects_only(cluster: Cluster, workloads: Iterable[Workload]) -> dict[_Label, dict[str, Workload]]:
    """Return the labels of workload objects that no pod of the namespace has: the object by label and namespace."""
    found: dict[_Label, dict[str, Workload]] = {}
    on_pods: dict[str, set[_Label]] = {}
    pods = pods_by_namespace(cluster)
    for one in workloads:
        missing = one.meta.labels.items() - one.template_meta.labels.items()
        if not missing:
            continue
        name = one.meta.namespace
        if name not in on_pods:
            on_pods[name] = {label for pod in pods.get(name, ()) for label in pod.labels.items()}
        for label in missing - on_pods[name]:
            found.setdefault(label, {}).setdefault(name, one)
    return found


def _of_policy(cluster: Cluster, policy: NetworkPolicy, known: dict[_Label, dict[str, Workload]]) -> Iterator[Problem]:
    own = (policy.meta.namespace,)
    yield from _of_selector(policy, "spec.podSelector", policy.pod_selector, own, known)
    for direction, field in (("ingress", "from"), ("egress", "to")):
        for rule in policy.rules(direction):  # type: ignore[arg-type]
            for number, peer in enumerate(rule.peers):
                if peer.pod_selector is not None:
                    path = f"{rule.path}.{field}[{number}].podSelector"
                    spaces = namespaces_matched(cluster, policy, peer)
                    yield from _of_selector(policy, path, peer.pod_selector, spaces, known)


def _of_selector(
    policy: NetworkPolicy,
    path: str,
    selector: LabelSelector,
    spaces: Sequence[str],
    known: dict[_Label, dict[str, Workload]],
) -> Iterator[Problem]:
    required = list(selector.match_labels)
    required += [(one.key, value) for one in selector.match_expressions if one.operator == "In" for value in one.values]
    for key, value in required:
        having = known.get((key, value), {})
        one = next((having[name] for name in spaces if name in having), None)
        if one is None:
            continue
        place = f"{one.template_path}.metadata.labels"
        message = f"{key}={value} is a label of {one.kind} {one.meta.key}, and no pod has it: pods get those of {place}"
        yield warning(policy, path, message, "label-on-workload")
