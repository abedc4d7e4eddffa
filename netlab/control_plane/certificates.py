"""The keys and certificates of a control plane: which there are, who has which, and their making.

Source: Kubernetes, PKI certificates and requirements. etcd has an authority of its own, as whoever has a certificate of
the cluster's authority is a user of the API, and none of them may read etcd. The front proxy too: whoever has a
certificate of its authority may be any user at an aggregated API server.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel import openssl
from netlab.kernel.files import make_private

CLUSTER, ETCD, FRONT_PROXY = "ca", "etcd-ca", "front-proxy-ca"
ACCOUNTS = "accounts"
_LOCAL = ("DNS:localhost", "IP:127.0.0.1")
_SERVER = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
NODES_USER = "netlab:nodes"
"""The user that netlab is, as the nodes."""
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
"""The user that the API server is, when it asks a node."""
FRONT_PROXY_CLIENT = "front-proxy-client"
"""The user that the API server is, when it asks an aggregated API server in place of a user."""


@frozen
class Certificate:
    """A certificate: the name of its files, the authority, the user and the group, and whether it is a server's."""

    name: str
    authority: str
    user: str
    group: str = ""
    server: bool = False


CERTIFICATES = (
    Certificate("etcd", ETCD, "etcd", server=True),
    Certificate("etcd-client", ETCD, "kube-apiserver-etcd-client"),
    Certificate("apiserver", CLUSTER, "kube-apiserver", server=True),
    Certificate("kubelet-client", CLUSTER, KUBELET_CLIENT),
    Certificate("front-proxy", FRONT_PROXY, FRONT_PROXY_CLIENT),
    Certificate("kubelet", CLUSTER, "netlab-kubelet", server=True),
    Certificate("admin", CLUSTER, "netlab-admin", "system:masters"),
    Certificate("controller-manager", CLUSTER, "system:kube-controller-manager", server=True),
    Certificate("scheduler", CLUSTER, "system:kube-scheduler", server=True),
    Certificate("nodes", CLUSTER, NODES_USER),
)


def make(folder: Path, lab: str, addresses: Sequence[str], nodes: Sequence[str]) -> None:
    """Make all keys and certificates in a private folder, unless it has them.

    ``addresses`` are further addresses of the API server, and ``nodes`` those of the nodes. A folder that a killed
    command left half done is made anew.

    Raises:
      HostError: when openssl is missing or fails, or the folder cannot be written.
    """
    done = folder / "done"
    if done.exists():
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
        make_private(folder)
        for authority in (CLUSTER, ETCD, FRONT_PROXY):
            openssl.make_authority(folder, authority, f"netlab {lab} {authority}"[:64])
        openssl.make_key_pair(folder, ACCOUNTS)
        more = {
            "apiserver": (*(f"DNS:{name}" for name in _SERVER), *(f"IP:{address}" for address in addresses)),
            "kubelet": tuple(f"IP:{address}" for address in nodes),
        }
        for one in CERTIFICATES:
            names = (*_LOCAL, *more.get(one.name, ())) if one.server else ()
            openssl.make_certificate(folder, one.name, one.authority, one.user, one.group, names)
        done.touch(mode=0o600)
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}") from error


def read(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder that ``make`` made, by their names; raises HostError."""
    try:
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _ENDS}
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error


_ENDS = (".crt", ".key", ".pub")
