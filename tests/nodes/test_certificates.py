"""The certificates of a control plane: whom they name, and when they are made anew."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from netlab.control_plane import certificates

pytestmark = pytest.mark.kernel(needs=["openssl"])


def names(folder: Path, name: str) -> set[str]:
    """Return the names and addresses of a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / f"{name}.crt")
    decoded = ssl._ssl._test_decode_cert(str(folder / f"{name}.crt"))  # type: ignore[attr-defined]
    return {value for _, value in decoded["subjectAltName"]}


def test_the_api_server_has_the_names_by_which_pods_know_it(tmp_path):
    """Its Service, with the domain of the cluster, and the nodes at which pods reach it."""
    certificates.make(tmp_path / "pki", "lab", ["10.96.0.1"], ["100.64.0.1"], "example.org")
    services = {"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.example.org"}

    assert services | {"10.96.0.1", "100.64.0.1", "localhost", "127.0.0.1"} == names(tmp_path / "pki", "apiserver")
    assert {"100.64.0.1", "localhost", "127.0.0.1"} == names(tmp_path / "pki", "kubelet")


def test_keys_stay_while_the_names_do(tmp_path):
    """Those for other names, as of an older netlab, are made anew."""
    folder = tmp_path / "pki"
    made = []
    for domain in ("cluster.local", "cluster.local", "example.org"):
        certificates.make(folder, "lab", ["10.96.0.1"], ["100.64.0.1"], domain)
        made.append((folder / "ca.crt").read_bytes())

    assert made[0] == made[1]
    assert made[1] != made[2]
