"""Which tests have the marker ``kernel``: they make network namespaces, and so need Linux, root and ``nft``.

A test has it if it uses one of ``FIXTURES``, if it stands in one of ``PLACES``, or if it says so itself, with
the further programs that it needs: ``@pytest.mark.kernel(needs=["strace"])``.

A test has the marker ``vm`` if it stands in ``vm``, or says so itself: it needs link kinds, queueing disciplines or
protocols that not every kernel has. It runs in the virtual machine of ``make test-vm`` only. To try elsewhere what is
there loads modules, and some of them then put a link into each network namespace, the host's own too.

A test has the marker ``ingress`` if it stands in ``ingress``, or says so itself: it needs nginx. It runs by
``make test-ingress`` only.

A test has the marker ``action`` if it stands in ``action``: it needs shells, podman or what pip brings. It runs by
``make test-action`` only.

A test has the marker ``control_plane`` if it stands in ``control_plane``: it needs kube-apiserver and etcd. It runs by
``make test-control-plane`` only.

A test has the marker ``machines`` if it stands in ``machines``, or says so itself: it needs etcd. It runs by ``make
test-machines`` only.

Tests below ``machines/unit`` are of no kernel and no etcd, unless they say so.

A test has the marker ``docs`` if it stands in ``docs``: it types whole pages of the documentation. It runs by
``make test-docs`` only.

A test has the marker ``capture`` if it stands in ``capture``: it needs libpcap, tcpdump and tshark. It runs by
``make test-capture`` only.

A test has the marker ``crash`` if it stands in ``crash``: it needs strace, and two minutes. It runs by ``make
test-crash`` only.

A test has the marker ``faults`` if its file is one of ``FAULTS``: it puts a fault into netlab, and looks whether the
judges find it. It runs by ``make test-faults`` only.

A test has the marker ``learn`` if it stands in ``learn``: it builds labs for every lesson. It runs by ``make
test-lessons`` only.

A test has the marker ``plugins`` if it stands in ``plugins``: it needs the reference plugins of the Container Network
Interface. It runs by ``make test-cni`` only.

A test has the marker ``samples`` if hypothesis draws its input, or its module imports ``samples`` or ``some`` of
``sizes.py``. It runs by ``make test``, and by ``make test-samples`` with all samples.

A test has the marker ``browser`` if it stands in ``browser``: it needs Chromium. It runs by ``make test-browser`` only.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

TESTS = Path(__file__).parent

# ``unique`` names labs and namespaces, so what uses it makes some.
FIXTURES = frozenset(("kernel", "lab", "nft", "shared_lab", "spaces", "unique"))

# Folders and files with the further programs that their tests need. Those of kernel/ become other users.
PLACES: Mapping[str, tuple[str, ...]] = {
    "capture": ("tcpdump", "tshark", "capinfos"),
    "cli/test_doctor.py": (),
    "crash": ("strace",),
    "docs": ("curl", "ip"),
    "kernel/test_sudo_user.py": (),
    "kernel/test_files.py": (),
    "kernel/test_output.py": (),
    "kernel/test_privilege.py": (),
    "ingress": ("curl", "openssl"),
    "lab": (),
    "machines": ("unshare", "nsenter", "setpriv", "ip"),
    "learn": (),
    "plugins": ("iptables",),
    "vm": (),
}

# Folders within these whose tests need nothing of that.
UNITS = frozenset(("machines/unit",))

# Files whose tests put faults into netlab: what they prove is that the cases of the judges can fail.
FAULTS = frozenset(
    (
        "conformance/test_cluster_policy_faults.py",
        "conformance/test_cluster_policy_models.py",
        "conformance/test_mutations.py",
        "ruleset/test_faults.py",
        "services/test_mutations.py",
    )
)

# Markers whose tests run elsewhere than ``make test``: the variable that says so, and the reason.
ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "action": ("NETLAB_ACTION", "runs by make test-action only"),
    "control_plane": ("NETLAB_CONTROL_PLANE", "runs by make test-control-plane only"),
    "faults": ("NETLAB_FAULTS", "runs by make test-faults only"),
    "docs": ("NETLAB_DOCS", "runs by make test-docs only"),
    "browser": ("NETLAB_BROWSER", "runs by make test-browser only"),
    "capture": ("NETLAB_CAPTURE", "runs by make test-capture only"),
    "crash": ("NETLAB_CRASH", "runs by make test-crash only"),
    "ingress": ("NETLAB_INGRESS", "runs by make test-ingress only"),
    "learn": ("NETLAB_TEST_LESSONS", "runs by make test-lessons only"),
    "machines": ("NETLAB_MACHINES", "runs by make test-machines only"),
    "plugins": ("NETLAB_PLUGINS", "runs by make test-cni only"),
    "vm": ("NETLAB_VM", "runs in the virtual machine of make test-vm only"),
}


def mark(item: pytest.Item) -> None:
    """Give a test the markers that its place, its fixtures and its module say."""
    if TESTS not in item.path.parents:
        return
    places = () if UNITS.intersection(_places(item.path)) else _places(item.path)
    for place in places:
        if (needs := PLACES.get(place)) is not None:
            item.add_marker(pytest.mark.kernel(needs=needs))
        if place in ELSEWHERE:
            item.add_marker(getattr(pytest.mark, place))
    if FAULTS.intersection(places):
        item.add_marker(pytest.mark.faults)
    if FIXTURES.intersection(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.kernel)
    module = getattr(item, "module", None)
    if is_hypothesis_test(getattr(item, "obj", None)) or hasattr(module, "samples") or hasattr(module, "some"):
        item.add_marker(pytest.mark.samples)


@functools.cache
def _places(path: Path) -> tuple[str, ...]:
    """Return a file of the tests and the folders that it is in, relative to all tests."""
    within = path.relative_to(TESTS)
    return tuple(place.as_posix() for place in (within, *within.parents))


def elsewhere(item: pytest.Item) -> str:
    """Return why a test is not for this machine, whatever is installed; "" where it is."""
    for name in {one.name for one in item.iter_markers()} & ELSEWHERE.keys():
        variable, reason = ELSEWHERE[name]
        if not os.environ.get(variable):
            return reason
    return ""


def missing(item: pytest.Item) -> str:
    """Return why a test that needs the kernel cannot run here; "" where it can, or needs none."""
    marks = list(item.iter_markers("kernel"))
    if not marks:
        return ""
    if os.geteuid():
        return "needs root, to make network namespaces"
    wanted = {"nft", *(name for one in marks for name in one.kwargs.get("needs", ()))}
    lacking = sorted(name for name in wanted if not _have(name))
    return f"needs {', '.join(lacking)}" if lacking else ""


@functools.cache
def _have(program: str) -> bool:
    # nft and ip are in sbin, which an ordinary user's PATH on Debian leaves out.
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
