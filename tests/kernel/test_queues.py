"""Messages of queueing disciplines, compared with pyroute2's reading of them."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from netlab.errors import HostError, KernelError
from netlab.kernel import queues
from netlab.kernel.linux import Linux
from netlab.kernel.netlink import Message
from netlab.kernel.state import Change, Queue
from netlab.objects.links import Netem

SHARE = st.integers(0, 1_000_000)
NETEMS = st.builds(
    Netem,
    delay=st.integers(0, 60_000_000),
    jitter=st.integers(0, 60_000_000),
    loss=SHARE,
    duplicate=SHARE,
    corrupt=SHARE,
    reorder=SHARE,
    rate=st.integers(0, 10**12 // 8).map(lambda number: 8 * number),
)


def decoded(message: Message) -> tcmsg:
    """Return a request as pyroute2 reads it."""
    found = tcmsg(struct.pack("=IHHII", 16 + len(message.body), message.type, message.flags, 0, 0) + message.body)
    found.decode()
    return found


@given(NETEMS)
def test_a_netem_is_read_as_it_was_written(netem: Netem) -> None:
    """The kernel returns the options that it was given."""
    assert netem == queues.read_netem(queues.netem_options(netem))


def test_ticks_of_other_programs_are_read_too() -> None:
    """tc of old systems writes no times in nanoseconds: 20 ms are 312,500 ticks."""
    assert Netem(delay=20_000) == queues.read_netem(struct.pack("=6I", 312_500, 1000, 0, 0, 0, 0))


def test_a_queue_is_a_prio_with_a_netem_and_a_filter_for_each_source() -> None:
    """pyroute2 reads the same kinds, handles, parents and values."""
    queue = Queue("port1", Netem(delay=1), (("port2", Netem(loss=500_000)), ("port3", Netem(corrupt=10_000))))
    found = [decoded(message) for message in queues.requests(queue, {"port1": 7, "port2": 8, "port3": 9})]

    assert ["prio", "netem", "netem", "netem", "u32", "u32"] == [one.get_attr("TCA_KIND") for one in found]
    assert {7} == {one["index"] for one in found}
    assert (0x10000, 0xFFFFFFFF) == (found[0]["handle"], found[0]["parent"])
    places = [(one["handle"], one["parent"]) for one in found[1:4]]
    assert [(0x100000, 0x10001), (0x110000, 0x10002), (0x120000, 0x10003)] == places
    assert 0x7FFFFFFF == pytest.approx(found[2].get_attr("TCA_OPTIONS")["loss"], abs=1)
    options = [one.get_attr("TCA_OPTIONS") for one in found[4:]]
    assert [0x10002, 0x10003] == [one.get_attr("TCA_U32_CLASSID") for one in options]
    assert ["70:6f:72:74:32:00", "70:6f:72:74:33:00"] == [one.get_attr("TCA_U32_INDEV") for one in options]
    assert [(1, 1)] * 2 == [
        (one.get_attr("TCA_U32_SEL")["flags"], one.get_attr("TCA_U32_SEL")["nkeys"]) for one in options
    ]


def test_a_kernel_without_netem_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module, and how to load it."""
    monkeypatch.setattr(queues, "missing_modules", lambda: ["sch_netem"])

    with pytest.raises(HostError) as raised:
        queues.check()

    assert "lacks sch_netem" in str(raised.value)
    assert "sudo modprobe -a sch_netem" in str(raised.value)


def test_queues_are_made_and_read_or_the_missing_module_is_named(
    spaces: Callable[..., list[str]], kernel: Linux
) -> None:
    """What this kernel has decides which."""
    (space,) = spaces("queues")
    queue = Queue("lo", Netem(delay=20_000), (("lo", Netem(loss=1_000)),))
    if missing := queues.missing_modules():
        assert set(missing) <= {"sch_netem", "sch_prio", "cls_u32"}
        with pytest.raises(KernelError, match="qdisc"):
            kernel.apply([Change("add", space, queue)])
        return
    kernel.apply([Change("add", space, queue)])
    assert queue in kernel.read(space, with_queues=True).items
    assert queue not in kernel.read(space).items
    kernel.apply([Change("delete", space, queue)])
    assert queue not in kernel.read(space, with_queues=True).items
