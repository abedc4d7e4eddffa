"""The first scenario of a repository: its own manifests, and what their policies allow today."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from netlab.cluster import Cluster, try_resolve
from netlab.cluster.flows import Flow, declared_ports
from netlab.cluster.types import Pod, address_of
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects import read_input
from netlab.objects.kind import get
from netlab.objects.profiles import Profile
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate

# A scenario is for people to read: the most expectations of each verdict, and the most pods that are asked about.
_MOST_OF_VERDICT = 6
_MOST_ASKED = 30
# The most pods for which every pair is measured.
_MOST_FOR_ORACLE = 60


@frozen
class Manifests:
    """The manifests below a folder.

    ``paths`` are files and folders that netlab reads without an error; they begin with the folder. ``cluster`` is what
    they describe, None if there are none. ``left_out`` has an error of each file that is not among them.
    """

    paths: Sequence[str] = ()
    cluster: Cluster | None = None
    left_out: Sequence[Problem] = ()


def manifests(folder: str) -> Manifests:
    """Return the manifests below a folder: the files with objects, without those that have an error."""
    found = read_input([folder])
    files = list(dict.fromkeys(d.source.file for d in found.objects.documents if _is_of_a_lab(d)))
    left = {one.file: one for one in reversed(found.problems) if one.severity == "error"}
    files = [file for file in files if file not in left]
    while files:
        found = read_input(files)
        cluster, more = try_resolve(found.objects, unknown=found.unknown)
        wrong = {one.file: one for one in (*found.problems, *more) if one.severity == "error"}
        left |= wrong
        kept = [file for file in files if file not in wrong]
        if not wrong:
            return Manifests(_joined(folder, files, left), cluster, list(left.values()))
        # An error that belongs to no file does not go away with a file.
        files = kept if len(kept) < len(files) else []
    left.pop(folder, None)
    return Manifests(left_out=list(left.values()))


def _is_of_a_lab(document: Document) -> bool:
    kind = get(document.kind)
    # A policy that netlab does not read may change verdicts. A profile changes what a lab is, and not what is in it.
    return kind.of_lab and kind.type is not Profile if kind is not None else "Policy" in document.kind


def _joined(folder: str, files: Sequence[str], left: Iterable[str]) -> list[str]:
    """Return files, or in place of several files the folder that they are in.

    A folder with a file that is left out is not named. Nor is ``folder`` itself, as it has the scenario.
    """
    tops: dict[str, list[str]] = {}
    for file in files:
        tops.setdefault(os.path.relpath(file, folder).split(os.sep)[0], []).append(file)
    paths: list[str] = []
    for some in tops.values():
        common = os.path.commonpath([os.path.dirname(file) for file in some])
        whole = common != os.path.normpath(folder) and not any(f"{file}/".startswith(f"{common}/") for file in left)
        paths += [common] if common and whole else some
    return paths


def expectations(cluster: Cluster) -> list[dict[str, object]]:
    """Return expectations that hold today: some pairs of each verdict, and every pair if there are few pods."""
    found: dict[str, list[dict[str, object]]] = {"allow": [], "deny": []}
    for source, destination, protocol, port, verdict in _verdicts(cluster):
        if len(some := found.get(verdict, [])) < _MOST_OF_VERDICT:
            number = {} if port is None else {"port": port}
            some.append({"from": source, "to": destination, **number, "protocol": protocol, "verdict": verdict})
    chosen = found["allow"] + found["deny"]
    if len(cluster.asked_pods()) <= _MOST_FOR_ORACLE:
        chosen.append({"oracle": True})
    return chosen


def _verdicts(cluster: Cluster) -> Iterator[tuple[str, str, str, int | None, str]]:
    """Yield source, destination, protocol, port and verdict of pairs of which all families have the same verdict."""
    asked = dict(islice(_names(cluster), _MOST_ASKED))
    for name, source in asked.items():
        for other, destination in asked.items():
            if source is destination:
                continue
            for protocol, port in declared_ports(destination):
                flows = (
                    Flow(source, destination, family, protocol, port, address_of(destination, family))
                    for family in cluster.families
                )
                verdicts = {evaluate(cluster, flow).verdict for flow in flows}
                if len(verdicts) == 1:
                    yield name, other, protocol, port, verdicts.pop()


def _names(cluster: Cluster) -> Iterator[tuple[str, Pod]]:
    """Yield the first pod of each workload by the workload's name, and every other pod by its own."""
    workloads = {pod.ref: name for name, pod in cluster.by_workload.items() if name not in cluster.by_ref}
    for pod in cluster.asked_pods():
        if pod.ref in workloads:
            yield workloads[pod.ref], pod
        elif not pod.workload:
            yield pod.ref, pod
