"""How the kubelets' server reads a request, and answers it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from netlab.control_plane.nodes import kubelet


def read(text: bytes) -> kubelet.Request | None:
    async def main() -> kubelet.Request | None:
        reader = asyncio.StreamReader()
        reader.feed_data(text)
        return await kubelet._read_head(reader)

    return asyncio.run(main())


def test_a_path_and_a_query_are_taken_apart():
    """A word of a command may hold any character."""
    found = read(b"POST /exec/shop/web/c?command=echo&command=a%26b%20c&output=1 HTTP/1.1\r\nHost: n1\r\n\r\n")

    assert found is not None
    assert ["exec", "shop", "web", "c"] == found.parts
    assert {"command": ["echo", "a&b c"], "output": ["1"]} == found.query


def test_a_header_that_comes_several_times_is_a_list():
    """A client of SPDY names each protocol in a header of its own."""
    found = read(
        b"POST /exec/a/b/c HTTP/1.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
        b"x-stream-protocol-version: channel.k8s.io\r\n\r\n"
    )

    assert found is not None
    assert {"x-stream-protocol-version": "v4.channel.k8s.io, channel.k8s.io"} == found.headers


def test_what_is_no_request_is_none():
    """It is refused."""
    assert read(b"hello\r\n\r\n") is None


class Written:
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass


class OfPods(kubelet.Kubelet):
    """A server without certificates."""

    def __init__(self, inside: kubelet.Inside) -> None:
        self._inside = inside


def test_a_node_that_stops_while_it_is_asked_says_so():
    """The API server has connected already."""
    inside = kubelet.Inside(
        find=lambda ref: {"metadata": {"uid": "u"}},
        exists=lambda ref: True,
        pods=list,
        metrics=dict,
        runs=lambda pod, name: True,
        stopped=lambda ref: "n1",
    )
    request = kubelet.Request(["containerLogs", "shop", "web", "c"], {}, {})
    writer = Written()
    asyncio.run(OfPods(inside)._route(request, cast(Any, None), cast(Any, writer)))
    head, _, body = writer.data.partition(b"\r\n\r\n")

    assert b"HTTP/1.1 503 Service Unavailable" == head.split(b"\r\n")[0]
    assert b"node n1 is stopped: its kubelet does not answer\n" == body
