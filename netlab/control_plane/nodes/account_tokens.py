"""The tokens of service accounts in the volumes of pods.

netlab asks for a token as the pod's node, by impersonation. The API server gives a node only tokens of accounts whose
pods are on that node. A token is bound to its pod.

Source: Kubernetes, TokenRequest (authentication.k8s.io/v1); the Node authorizer; NodeRestriction; kubelet,
token manager.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.certificates import NODES_GROUP
from netlab.errors import HostError, NetlabError, UsageError

_DEFAULT_SECONDS = 3600
# Further programs get a token again for this part of its time, and for a day at most, as from a kubelet.
_PART, _LONGEST = 0.8, 86_400.0
_MOST = 10_000
# The Node authorizer knows of a new pod a moment after the API server has bound it.
_TRIES, _PAUSE = 20, 0.1
# After so many refusals the pod is probably gone. Other pods of this account and node have a few tries only, for
# some seconds: hundreds may be gone at once.
_FEW_TRIES, _REFUSES = 3, 5.0
_FORBIDDEN = 403
_Key = tuple[str, str, str, int]


class AccountTokens:
    """The tokens of pods; several threads may ask.

    Args:
      client: a client of the API server that may be the nodes.
      clock: the time in seconds.
      pause: waits for some seconds.
    """

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client, self._clock, self._pause = client, clock, pause
        self._known: dict[_Key, tuple[float, str]] = {}
        # By node, namespace and account: until when a few refusals are enough.
        self._refused: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def read(self, pod: Mapping[str, Any], source: Mapping[str, Any]) -> str:
        """Return a token for a pod; ``source`` is the ``serviceAccountToken`` of a volume. Raises UsageError."""
        audience, seconds = str(source.get("audience") or ""), int(source.get("expirationSeconds") or _DEFAULT_SECONDS)
        account = pod["spec"].get("serviceAccountName") or "default"
        key, now = (pod["metadata"]["uid"], account, audience, seconds), self._clock()
        with self._lock:
            known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        try:
            status = self._asked(pod, account, audience, seconds)
        except NetlabError as error:
            raise UsageError(f"no token of the service account {account}: {error}") from error
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = now + min(seconds * _PART, _LONGEST), status
        return status

    def _asked(self, pod: Mapping[str, Any], account: str, audience: str, seconds: int) -> str:
        metadata = pod["metadata"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec: dict[str, Any] = {"expirationSeconds": seconds, "boundObjectRef": bound}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {**spec, **({"audiences": [audience]} if audience else {})},
        }
        namespace, name = (quote(one, safe="") for one in (metadata["namespace"], account))
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        node = pod["spec"].get("nodeName", "")
        user, of = f"system:node:{node}", (node, metadata["namespace"], account)
        with self._lock:
            refuses = self._clock() < self._refused.get(of, 0.0)
        tries = _FEW_TRIES if refuses else _TRIES
        for left in reversed(range(tries)):
            try:
                answer = self._client.post_as(user, NODES_GROUP, path, body)
                with self._lock:
                    self._refused.pop(of, None)
                return str(answer["status"]["token"])
            except ApiError as error:
                forbidden = error.status == _FORBIDDEN
                if forbidden and not left:
                    self._remember_refusal(of)
                if not left or not (forbidden or error.temporary):
                    raise
            except HostError:
                # The API server closes a connection that was idle for long.
                if left < tries - 1:
                    raise
            self._pause(_PAUSE)
        raise AssertionError

    def _remember_refusal(self, of: tuple[str, str, str]) -> None:
        with self._lock:
            if len(self._refused) >= _MOST:
                self._refused.clear()
            self._refused[of] = self._clock() + _REFUSES
