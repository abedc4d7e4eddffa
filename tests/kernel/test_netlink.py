"""Every answer of the kernel is read, for any number of refused requests, and a socket's failure is a KernelError."""

from __future__ import annotations

import errno
import socket

import pytest

from netlab.errors import KernelError
from netlab.kernel import netns, rtnl
from netlab.kernel.netlink import Message, Netlink


@pytest.fixture
def netlink(spaces):
    """A socket in a namespace of the test's own, which has no link but lo."""
    (name,) = spaces("a")
    with netns.inside(name):
        opened = Netlink()
    yield opened
    opened.close()


def _refused(count: int) -> list[Message]:
    """Requests about links that are not there."""
    return [rtnl.group_link(f"link{i}", 1000 + i, 1) for i in range(count)]


def test_thousands_of_refused_requests_are_all_returned(netlink):
    """Their errors are more than the socket holds at a time; each has its request."""
    requests = _refused(3000)
    failed = netlink.transact(requests)

    assert requests == [message for message, _ in failed]
    assert {errno.ENODEV} == {error.errno for _, error in failed}


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_requests_of_one_kind_are_all_tried(netlink, count):
    """Each refusal comes back, for any number of requests; the socket can be used again afterwards."""
    bodies = [message.body for message in _refused(count)]
    kinds = {(message.type, message.flags) for message in _refused(1)}
    failed = netlink.transact_alike(*kinds.pop(), bodies, "a link")

    assert [errno.ENODEV] * count == [error.errno for error in failed]
    assert all("a link" in str(error) for error in failed)
    assert 1 == len(netlink.transact(_refused(1)))


def test_answers_that_the_kernel_dropped_are_a_kernel_error(netlink):
    """A socket with a small buffer loses some; it can be used again afterwards."""
    netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    with pytest.raises(KernelError, match="No buffer space") as caught:
        netlink.transact(_refused(100))

    assert errno.ENOBUFS == caught.value.errno
    assert 1 == len(netlink.transact(_refused(1)))


def test_a_request_that_cannot_be_sent_is_a_kernel_error(netlink):
    """Code that undoes a change handles one kind of error only."""
    netlink.close()
    with pytest.raises(KernelError, match="Bad file descriptor"):
        netlink.transact(_refused(1))
