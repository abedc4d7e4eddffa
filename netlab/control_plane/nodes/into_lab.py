"""Connections into a lab, from the API server and from ``kubectl port-forward``."""

from __future__ import annotations

import socket

from netlab.control_plane.components import API_SERVER
from netlab.control_plane.nodes import reachable
from netlab.control_plane.nodes.connecting import connect
from netlab.control_plane.nodes.egress import Egress
from netlab.control_plane.nodes.reachable import Place
from netlab.lab import programs
from netlab.lab.lab import Lab


class IntoLab:
    """The ways into a lab; ``kubelet_port`` is where netlab answers as the kubelets of its nodes."""

    def __init__(self, lab: Lab, kubelet_port: int) -> None:
        self._lab, self._kubelet_port = lab, kubelet_port
        self._inside = lab.machine.inside

    def start(self) -> None:
        """Begin to answer the API server, in a thread of its own; raises OSError."""
        folder = programs.folder(self._lab.machine, self._lab.name, API_SERVER, "")
        Egress(self._place_of, self._inside).start(folder)

    async def connect(self, ref: str, port: int) -> socket.socket:
        """Return a connection to a port of a pod's loopback address, of IPv4 or else of IPv6.

        Raises:
          NetlabError, OSError.
        """
        namespace = self._lab.locate(ref).namespace
        try:
            return await connect(self._inside, Place(namespace, "127.0.0.1", port))
        except ConnectionRefusedError as refused:
            try:
                return await connect(self._inside, Place(namespace, "::1", port))
            except OSError:
                # A pod without IPv6 has no such address.
                raise refused from None

    def _place_of(self, host: str, port: int) -> Place:
        return reachable.place_of(self._lab.cluster, host, port, self._kubelet_port)
