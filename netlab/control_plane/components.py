"""The programs of a control plane as values: arguments, and the files that each reads.

Each sees its own folder only, with the keys that are its own. All listen on the host's loopback address alone.

Source: Kubernetes, the references of kube-apiserver, kube-controller-manager and kube-scheduler; etcd 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from netlab.cluster import Cluster
from netlab.control_plane import kubeconfig
from netlab.control_plane.certificates import FRONT_PROXY_CLIENT
from netlab.control_plane.nodes import egress
from netlab.control_plane.settings import Settings
from netlab.frozen import frozen
from netlab.kernel.loopback import ADDRESS
from netlab.kernel.program import OWN_FOLDER, Program

ETCD, API_SERVER, CONTROLLERS, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
_LARGEST_FILE = 4 << 30
# The client's own limits are for clusters of many machines: 20 requests a second make 500 pods in half a minute.
_FAST = ("--kube-api-qps=400", "--kube-api-burst=800")
# The address that the API server would announce. Pods do not reach it, so netlab announces a node.
_NOBODY = "192.0.2.1"
_POLICY_FILE = "abac.jsonl"
# Seconds between two looks of the controller at the nodes, by default.
_LOOK_AT_NODES = 5.0
# Seconds between two heartbeats of a node, as kubelets have it.
_BEAT = 10.0


@frozen
class Component:
    """A program of the control plane.

    ``public`` and ``secret`` are the files of its folder. ``port`` is where its health is asked, by HTTPS.
    """

    kind: str
    program: Program
    port: int
    public: Mapping[str, bytes] = field(default_factory=dict)
    secret: Mapping[str, bytes] = field(default_factory=dict)


def components(lab: str, cluster: Cluster, settings: Settings, files: Mapping[str, bytes]) -> tuple[Component, ...]:
    """Return the programs in the order in which they start; ``files`` are those of ``certificates``."""
    made = _Components(lab, cluster, settings, files)
    return made.etcd(), made.api_server(), made.controllers(), made.scheduler()


class _Components:
    def __init__(self, lab: str, cluster: Cluster, settings: Settings, files: Mapping[str, bytes]) -> None:
        self._lab, self._cluster, self._settings, self._files = lab, cluster, settings, files
        self._ports = settings.ports

    def etcd(self) -> Component:
        clients, peers = f"https://{ADDRESS}:{self._ports.etcd}", f"https://{ADDRESS}:{self._ports.peer}"
        arguments = [
            "--name=netlab",
            f"--data-dir={OWN_FOLDER}/data",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=netlab={peers}",
            *self._tls("etcd", "--cert-file", "--key-file"),
            f"--trusted-ca-file={OWN_FOLDER}/etcd-ca.crt",
            "--client-cert-auth",
            *self._tls("etcd", "--peer-cert-file", "--peer-key-file"),
            f"--peer-trusted-ca-file={OWN_FOLDER}/etcd-ca.crt",
            "--peer-client-cert-auth",
            # The data ends with the lab, and with the host's next boot.
            "--unsafe-no-fsync",
            "--logger=zap",
            "--log-level=warn",
        ]
        return self._component(
            ETCD, arguments, self._ports.etcd, ["etcd.crt", "etcd-ca.crt"], ["etcd.key"], folders=("data",)
        )

    def api_server(self) -> Component:
        plugins = ("NodeRestriction", *self._settings.plugins)
        modes = ("Node", "RBAC", *(("ABAC",) if self._settings.abac else ()))
        ranges = ",".join(map(str, self._cluster.service_cidrs))
        low, high = self._cluster.node_ports
        arguments = [
            f"--etcd-servers=https://{ADDRESS}:{self._ports.etcd}",
            f"--etcd-cafile={OWN_FOLDER}/etcd-ca.crt",
            *self._tls("etcd-client", "--etcd-certfile", "--etcd-keyfile"),
            f"--bind-address={ADDRESS}",
            f"--secure-port={self._ports.apiserver}",
            f"--advertise-address={_NOBODY}",
            "--endpoint-reconciler-type=none",
            *self._tls("apiserver", "--tls-cert-file", "--tls-private-key-file"),
            f"--client-ca-file={OWN_FOLDER}/ca.crt",
            f"--service-account-key-file={OWN_FOLDER}/accounts.pub",
            f"--service-account-signing-key-file={OWN_FOLDER}/accounts.key",
            f"--service-account-issuer=https://kubernetes.default.svc.{self._cluster.cluster_domain}",
            *([f"--service-cluster-ip-range={ranges}"] if ranges else []),
            f"--service-node-port-range={low}-{high}",
            f"--authorization-mode={','.join(modes)}",
            *_option("--default-not-ready-toleration-seconds", self._settings.not_ready),
            *_option("--default-unreachable-toleration-seconds", self._settings.unreachable),
            *([f"--authorization-policy-file={OWN_FOLDER}/{_POLICY_FILE}"] if self._settings.abac else []),
            f"--enable-admission-plugins={','.join(dict.fromkeys(plugins))}",
            "--allow-privileged",
            f"--kubelet-certificate-authority={OWN_FOLDER}/ca.crt",
            *self._tls("kubelet-client", "--kubelet-client-certificate", "--kubelet-client-key"),
            "--kubelet-preferred-address-types=InternalIP",
            # The host does not reach the lab, so nodes, pods and Services are asked by netlab.
            f"--egress-selector-config-file={OWN_FOLDER}/{egress.CONFIG}",
            # As kubeadm has them.
            f"--requestheader-client-ca-file={OWN_FOLDER}/front-proxy-ca.crt",
            f"--requestheader-allowed-names={FRONT_PROXY_CLIENT}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            *self._tls("front-proxy", "--proxy-client-cert-file", "--proxy-client-key-file"),
            "--profiling=false",
        ]
        authorities = ["ca.crt", "etcd-ca.crt", "front-proxy-ca.crt"]
        own = ["etcd-client", "apiserver", "kubelet-client", "front-proxy"]
        public = [*authorities, *(f"{name}.crt" for name in own), "accounts.pub"]
        secret = [*(f"{name}.key" for name in own), "accounts.key"]
        more = {egress.CONFIG: egress.config()}
        if self._settings.abac:
            more[_POLICY_FILE] = self._settings.abac.encode()
        return self._component(API_SERVER, arguments, self._ports.apiserver, public, secret, more=more)

    def controllers(self) -> Component:
        ranges = ",".join(map(str, self._cluster.service_cidrs))
        arguments = [
            *self._client("controller-manager", self._ports.controller_manager),
            f"--root-ca-file={OWN_FOLDER}/ca.crt",
            f"--client-ca-file={OWN_FOLDER}/ca.crt",
            f"--service-account-private-key-file={OWN_FOLDER}/accounts.key",
            "--use-service-account-credentials",
            # The Topology says which range a node has.
            "--allocate-node-cidrs=false",
            *([f"--service-cluster-ip-range={ranges}"] if ranges else []),
            *_node_grace(self._settings.node_grace),
            f"--cluster-signing-cert-file={OWN_FOLDER}/ca.crt",
            f"--cluster-signing-key-file={OWN_FOLDER}/ca.key",
        ]
        public, secret = ["ca.crt", "controller-manager.crt"], ["accounts.key", "controller-manager.key", "ca.key"]
        return self._user(CONTROLLERS, "controller-manager", arguments, self._ports.controller_manager, public, secret)

    def scheduler(self) -> Component:
        arguments = [
            *self._client("scheduler", self._ports.scheduler),
            f"--client-ca-file={OWN_FOLDER}/ca.crt",
        ]
        public, secret = ["ca.crt", "scheduler.crt"], ["scheduler.key"]
        return self._user(SCHEDULER, "scheduler", arguments, self._ports.scheduler, public, secret)

    # --- parts ----------------------------------------------------------------------------------------------------

    def _tls(self, name: str, certificate: str, key: str) -> Iterator[str]:
        yield f"{certificate}={OWN_FOLDER}/{name}.crt"
        yield f"{key}={OWN_FOLDER}/{name}.key"

    def _client(self, name: str, port: int) -> Iterator[str]:
        for option in ("--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"):
            yield f"{option}={OWN_FOLDER}/kubeconfig"
        yield "--leader-elect=false"
        yield f"--bind-address={ADDRESS}"
        yield f"--secure-port={port}"
        yield "--profiling=false"
        yield from self._tls(name, "--tls-cert-file", "--tls-private-key-file")
        yield from _FAST

    def _user(
        self, kind: str, name: str, arguments: list[str], port: int, public: list[str], secret: list[str]
    ) -> Component:
        config = kubeconfig.text(self._files, name, self._lab, self._ports.apiserver).encode()
        return self._component(kind, arguments, port, public, secret, private={"kubeconfig": config}, wait=False)

    def _component(
        self,
        kind: str,
        arguments: list[str],
        port: int,
        public: list[str],
        secret: list[str],
        *,
        more: Mapping[str, bytes] | None = None,
        private: Mapping[str, bytes] | None = None,
        folders: tuple[str, ...] = (),
        wait: bool = True,
    ) -> Component:
        program = Program(
            "",
            (self._settings.programs[kind], *arguments),
            listens=(("tcp", port),) if wait else (),
            folders=folders,
            largest_file=_LARGEST_FILE,
        )
        return Component(
            kind,
            program,
            port,
            {name: self._files[name] for name in public} | dict(more or {}),
            {name: self._files[name] for name in secret} | dict(private or {}),
        )


def _option(name: str, value: int | None) -> list[str]:
    return [] if value is None else [f"{name}={value}"]


def _node_grace(seconds: int | None) -> list[str]:
    """Return after which time without a heartbeat a node is not ready, and how often the controller looks."""
    if seconds is None:
        return []
    period = min(_LOOK_AT_NODES, seconds / 4)
    return [f"--node-monitor-grace-period={seconds}s", f"--node-monitor-period={period:g}s"]


def agent(lab: str, settings: Settings) -> Program:
    """Return the program that is the nodes of a lab; it changes the lab, so it keeps privilege."""
    # Several heartbeats must fit into the time that the controller waits.
    beat = _BEAT if settings.node_grace is None else min(_BEAT, settings.node_grace / 4)
    return Program(
        "",
        (lab, f"{beat:g}", settings.host_programs),
        "netlab.control_plane.nodes.program",
        listens=(("tcp", settings.ports.kubelet),),
        needs=("yaml", "networkx"),
        privileged=True,
    )
