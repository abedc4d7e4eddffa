"""The keys and certificates of a control plane: which there are, and how they are made.

Source: Kubernetes, PKI certificates and requirements. etcd has an authority of its own, as whoever has a certificate of
the cluster's authority is a user of the API, and none of them may read etcd. The front proxy too: whoever has a
certificate of its authority may be any user at an aggregated API server.
"""

from __future__ import annotations

import json
import shutil
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel import openssl
from netlab.kernel.files import make_private

CLUSTER, ETCD, FRONT_PROXY = "ca", "etcd-ca", "front-proxy-ca"
AUTHORITIES = (CLUSTER, ETCD, FRONT_PROXY)
ACCOUNTS = "accounts"
_DONE = "done"
_LOCAL = ("DNS:localhost", "IP:127.0.0.1")
_SERVER = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
NODES_USER = "netlab:nodes"
"""The user that netlab is, as the nodes."""
NODES_GROUP = "system:nodes"
"""The group of each node; netlab asks for tokens as one of them."""
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


def make(folder: Path, lab: str, addresses: Sequence[str], nodes: Sequence[str], domain: str) -> None:
    """Make all keys and certificates in a private folder, unless it has them and they are valid.

    ``addresses`` are those of the API server's Service, and ``nodes`` those of the nodes, where pods reach it too;
    ``domain`` is the cluster's. A folder that a killed command left half done, that lacks a file, or that was made for
    other names, is made anew.

    Raises:
      HostError: when openssl is missing or fails, or the folder cannot be written.
    """
    done = folder / _DONE
    of_server = (*(f"DNS:{name}" for name in (*_SERVER, f"{_SERVER[-1]}.{domain}")),)
    of_server += tuple(f"IP:{address}" for address in (*addresses, *nodes))
    names_of = {"apiserver": of_server, "kubelet": tuple(f"IP:{address}" for address in nodes)}
    mark = json.dumps(names_of)
    if _is_whole(folder, mark):
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
        make_private(folder)
        for authority in AUTHORITIES:
            openssl.make_authority(folder, authority, f"netlab {lab} {authority}"[:64])
        openssl.make_key_pair(folder, ACCOUNTS)
        for one in CERTIFICATES:
            names = (*_LOCAL, *names_of.get(one.name, ())) if one.server else ()
            openssl.make_certificate(folder, one.name, one.authority, one.user, one.group, names)
        done.touch(mode=0o600)
        done.write_text(mark)
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}") from error


def _is_whole(folder: Path, mark: str) -> bool:
    """Return whether a folder has all files, and its certificates are valid and have the names that the mark says.

    All have the time of the authority.
    """
    names = [f"{one.name}.{end}" for one in CERTIFICATES for end in ("crt", "key")]
    names += [f"{one}.{end}" for one in AUTHORITIES for end in ("crt", "key")]
    if not all((folder / name).is_file() for name in (_DONE, f"{ACCOUNTS}.key", f"{ACCOUNTS}.pub", *names)):
        return False
    try:
        if (folder / _DONE).read_text() != mark:
            return False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(folder / f"{CLUSTER}.crt")
        one = context.get_ca_certs()[0]
        begin, end = (ssl.cert_time_to_seconds(str(one[name])) for name in ("notBefore", "notAfter"))
    except (OSError, IndexError, ValueError):
        return False
    return begin <= time.time() < end


def read(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder that ``make`` made, by their names; raises HostError."""
    try:
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _ENDS}
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error


_ENDS = (".crt", ".key", ".pub")
