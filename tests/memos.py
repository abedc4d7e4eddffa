"""The caches and variables of netlab's modules, and how to clear them after a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

from netlab.cli import failures
from netlab.conformance import base_cluster
from netlab.conformance.cluster_policies import clusters, houses, nodes
from netlab.kernel import nft
from netlab.lab import notices
from netlab.machines import labs


class Memo(NamedTuple):
    """Functions that fill a memo, say whether it is filled, and clear it."""

    leave: Callable[[], object]
    left: Callable[[], object]
    clear: Callable[[], object]


def _of_cache(function: Any, *arguments: object) -> Memo:
    return Memo(lambda: function(*arguments), lambda: function.cache_info().currsize, function.cache_clear)


def _find_nft() -> None:
    # A host without nft finds one too.
    with patch.object(shutil, "which", return_value="/usr/sbin/nft"):
        nft.program()


CLEARED: dict[tuple[str, str], Memo] = {
    ("cli/failures.py", "_verbose"): Memo(
        lambda: failures.be_verbose(True), failures.verbose, lambda: failures.be_verbose(False)
    ),
    # Documents keep what was read out of them, and a test may change what reading means.
    ("conformance/base_cluster.py", "_namespace"): _of_cache(base_cluster._namespace, "x", ""),
    ("conformance/base_cluster.py", "_pod"): _of_cache(base_cluster._pod, "x/a", "", (), ""),
    ("conformance/base_cluster.py", "topology"): _of_cache(base_cluster.topology),
    ("conformance/cluster_policies/clusters.py", "_host_pod"): _of_cache(
        clusters._host_pod, next(iter(clusters.HOST_PODS)), ""
    ),
    ("conformance/cluster_policies/houses.py", "_namespace"): _of_cache(houses._namespace, "x", ""),
    ("conformance/cluster_policies/houses.py", "_pod"): _of_cache(houses._pod, "G0", ""),
    ("conformance/cluster_policies/nodes.py", "topology"): _of_cache(nodes.topology, "overlay"),
    # Where nft was found: tests change PATH, and pretend to be another user.
    ("kernel/nft.py", "program"): Memo(_find_nft, lambda: nft.program.cache_info().currsize, nft.program.cache_clear),
    ("machines/labs.py", "_choose"): Memo(
        lambda: labs.use(labs.LocalLabs), lambda: labs._choose is not labs.LocalLabs, labs.use
    ),
    ("lab/notices.py", "_print"): Memo(
        lambda: notices.print_with(print), lambda: notices._print, lambda: setattr(notices, "_print", None)
    ),
}


def clear() -> None:
    """Clear all of them."""
    for memo in CLEARED.values():
        memo.clear()
