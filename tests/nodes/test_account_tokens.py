"""The tokens of service accounts: for which pods they are asked, as whom, and how often."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes.account_tokens import AccountTokens
from netlab.control_plane.nodes.config_maps import ConfigMaps
from netlab.errors import HostError, UsageError


class Server(Client):
    """An API server that numbers its tokens; first it answers with failures."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: list[tuple[str, str, str, dict[str, Any]]] = []

    def post_as(self, user: str, group: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        self.asked.append((user, group, path, body["spec"]))
        return {"status": {"token": f"token-{len(self.asked)}"}}

    def get(self, path: str, **query: str) -> dict[str, Any]:
        raise ApiError(404, "NotFound", "not found")


def pod(uid: str = "u1", account: str = "reader") -> dict[str, Any]:
    return {
        "metadata": {"name": "a", "namespace": "shop", "uid": uid},
        "spec": {"nodeName": "n1", "serviceAccountName": account},
    }


def forbidden() -> ApiError:
    return ApiError(403, "Forbidden", "no relationship found between node 'n1' and this object")


def test_a_token_is_bound_to_its_pod_and_asked_for_as_the_pods_node():
    """So the API server gives none that the node may not have."""
    server = Server()

    assert "token-1" == AccountTokens(server).read(pod(), {"audience": "vault", "expirationSeconds": 600})
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u1"}
    spec = {"audiences": ["vault"], "expirationSeconds": 600, "boundObjectRef": bound}
    path = "/api/v1/namespaces/shop/serviceaccounts/reader/token"
    assert [("system:node:n1", "system:nodes", path, spec)] == server.asked


def test_a_name_is_one_part_of_the_path():
    """Whoever wrote it."""
    server = Server()
    AccountTokens(server).read(pod(account="../../x"), {})

    assert "/api/v1/namespaces/shop/serviceaccounts/..%2F..%2Fx/token" == server.asked[0][2]


def test_programs_of_one_pod_get_the_same_token_until_most_of_its_time_is_over():
    """Another pod has another one, also with the same account."""
    time = [0.0]
    tokens = AccountTokens(Server(), lambda: time[0])
    source = {"expirationSeconds": 1000}
    found = [tokens.read(pod(), source), tokens.read(pod(), source), tokens.read(pod("u2"), source)]
    time[0] = 799.0
    found.append(tokens.read(pod(), source))
    time[0] = 801.0
    found.append(tokens.read(pod(), source))

    assert ["token-1", "token-1", "token-2", "token-1", "token-3"] == found


def test_a_node_whose_pod_the_authorizer_does_not_know_yet_asks_again():
    """It hears of a new pod a moment later. A connection that was idle may have been closed."""
    waited: list[float] = []
    tokens = AccountTokens(Server(HostError("closed"), forbidden(), forbidden()), pause=waited.append)

    assert "token-1" == tokens.read(pod(), {})
    assert 3 == len(waited)


@pytest.mark.parametrize(
    "failures",
    [[forbidden()] * 100, [ApiError(404, "NotFound", 'serviceaccounts "reader" not found')], [HostError("away")] * 2],
    ids=["forbidden", "gone", "away"],
)
def test_a_token_that_the_api_server_does_not_give_is_an_error(failures):
    """With its words, after a bounded number of tries."""
    waited: list[float] = []
    last = failures[-1]
    with pytest.raises(UsageError) as caught:
        AccountTokens(Server(*failures), pause=waited.append).read(pod(), {})

    assert f"no token of the service account reader: {last}" == str(caught.value)
    assert len(waited) < 20


def test_few_refusals_are_enough_for_some_seconds_after_many():
    """So the pods of an account that are gone delay no other work; other nodes and accounts ask as often as before."""
    time, waited = [0.0], list[float]()
    server = Server()
    tokens = AccountTokens(server, lambda: time[0], waited.append)

    def asked(uid: str, *, account: str = "reader", refusals: int = 100) -> int:
        """Return how often a token is asked for again."""
        waited.clear()
        server.failures = [forbidden()] * refusals
        with contextlib.suppress(UsageError):
            tokens.read(pod(uid, account), {})
        return len(waited)

    found = [asked("u1"), asked("u2"), asked("u3", account="other")]
    time[0] = 6.0
    found += [asked("u4"), asked("u5", refusals=1), asked("u5", refusals=0), asked("u6", refusals=1)]

    assert [19, 2, 19, 19, 1, 0, 1] == found


def test_the_authority_is_there_before_the_controllers_have_written_it():
    """A pod may come before the ConfigMap of its namespace does; no other ConfigMap is made up."""
    maps = ConfigMaps(Server(), "authority")

    assert {"data": {"ca.crt": "authority"}} == maps.read("shop", "kube-root-ca.crt")
    assert None is maps.read("shop", "other")
