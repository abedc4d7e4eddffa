"""rtnetlink messages for the queueing disciplines of links: a prio with a netem in some of its bands.

The structures are those of linux/pkt_sched.h and linux/pkt_cls.h. A test compares them with those of pyroute2.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from netlab.errors import HostError
from netlab.kernel import libc, netns
from netlab.kernel.netlink import Message, Netlink, attribute, attributes
from netlab.kernel.rtnl_numbers import NLM_F_CREATE, NLM_F_EXCL
from netlab.kernel.state import Queue
from netlab.objects.links import WHOLE, Netem

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC, RTM_NEWTFILTER, RTM_GETTFILTER = 36, 37, 38, 44, 46
_TCMSG = struct.Struct("=BxxxiIII")
_ROOT = 0xFFFFFFFF
_KIND, _OPTIONS = 1, 2
_PRIO = 1 << 16
"""The handle of the prio: ``1:``."""
_FIRST_NETEM = 16 << 16
"""The handle of the netem in the first band: ``10:``, in hexadecimal as tc writes it."""
_PRIO_OPTIONS = struct.Struct("=i16s")
_NETEM_OPTIONS = struct.Struct("=6I")
_NETEM_REORDER, _NETEM_CORRUPT, _NETEM_RATE, _NETEM_RATE64, _NETEM_LATENCY64, _NETEM_JITTER64 = 3, 4, 6, 8, 10, 11
_NETEM_RATE_OPTIONS = struct.Struct("=IiIi")
_PAIR = struct.Struct("=II")
_S64, _U64 = struct.Struct("=q"), struct.Struct("=Q")
_U32_CLASSID, _U32_SEL, _U32_INDEV = 1, 5, 8
# One key that every packet has: no bit of its first word is compared. The flag says that the filter ends the search.
_EVERY_PACKET = struct.pack("=BBBx2xHhhI", 1, 0, 1, 0, 0, 0, 0) + struct.pack("=IIii", 0, 0, 0, 0)
_ETH_P_ALL = 3
# A tick of the kernel's scheduler, which older fields count, in nanoseconds (PSCHED_SHIFT).
_TICK = 64
_MOST_U32 = 0xFFFFFFFF


def delete(dev: str, index: int) -> Message:
    """Return the request that deletes the queueing disciplines of a link; ENOENT is that there are none."""
    return Message(RTM_DELQDISC, 0, _TCMSG.pack(0, index, 0, _ROOT, 0), f"qdisc delete dev {dev} root")


def requests(queue: Queue, indexes: Mapping[str, int]) -> Iterator[Message]:
    """Yield the requests that make the queueing disciplines of a link that has none."""
    index, label = indexes[queue.dev], str(queue)
    bands = 1 + len(queue.sources)
    # A prio has two bands at least.
    options = _PRIO_OPTIONS.pack(max(2, bands), bytes(16))
    yield _qdisc(index, _PRIO, _ROOT, b"prio", options, label)
    netems = [queue.netem, *(netem for _, netem in queue.sources)]
    for band, netem in enumerate(netems):
        if netem is not None:
            place = _FIRST_NETEM + (band << 16), _PRIO | (band + 1)
            yield _qdisc(index, *place, b"netem", netem_options(netem), label)
    for band, (link, _) in enumerate(queue.sources, start=1):
        options = attribute(_U32_CLASSID, struct.pack("=I", _PRIO | (band + 1)))
        options += attribute(_U32_SEL, _EVERY_PACKET) + attribute(_U32_INDEV, link.encode() + b"\0")
        # Filters of one priority share a table, in which the order is that of the requests.
        info = 1 << 16 | socket.htons(_ETH_P_ALL)
        body = _TCMSG.pack(0, index, 0, _PRIO, info) + attribute(_KIND, b"u32\0") + attribute(_OPTIONS, options)
        yield Message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, body, label)


def _qdisc(index: int, handle: int, parent: int, kind: bytes, options: bytes, label: str) -> Message:
    body = _TCMSG.pack(0, index, handle, parent, 0) + attribute(_KIND, kind + b"\0") + attribute(_OPTIONS, options)
    return Message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, body, label)


def netem_options(netem: Netem) -> bytes:
    """Return the options of a netem. Times are in nanoseconds; a share is of 2 to the power of 32, less one."""
    loss, duplicate, corrupt, reorder = (
        round(share * _MOST_U32 / WHOLE) for share in (netem.loss, netem.duplicate, netem.corrupt, netem.reorder)
    )
    # Without a gap of one, netem reorders nothing (netem_enqueue).
    options = _NETEM_OPTIONS.pack(0, netem.limit, loss, int(bool(reorder)), duplicate, 0)
    options += attribute(_NETEM_LATENCY64, _S64.pack(netem.delay * 1000))
    options += attribute(_NETEM_JITTER64, _S64.pack(netem.jitter * 1000))
    if reorder:
        options += attribute(_NETEM_REORDER, _PAIR.pack(reorder, 0))
    if corrupt:
        options += attribute(_NETEM_CORRUPT, _PAIR.pack(corrupt, 0))
    if netem.rate:
        bytes_a_second = netem.rate // 8
        options += attribute(_NETEM_RATE, _NETEM_RATE_OPTIONS.pack(min(bytes_a_second, _MOST_U32), 0, 0, 0))
        options += attribute(_NETEM_RATE64, _U64.pack(bytes_a_second))
    return options


def read_netem(options: bytes) -> Netem:
    """Return the values of a netem from its options."""
    latency, _, loss, _, duplicate, jitter = _NETEM_OPTIONS.unpack_from(options)
    found = dict(attributes(options, _NETEM_OPTIONS.size))
    delay_ns = _S64.unpack(found[_NETEM_LATENCY64])[0] if _NETEM_LATENCY64 in found else latency * _TICK
    jitter_ns = _S64.unpack(found[_NETEM_JITTER64])[0] if _NETEM_JITTER64 in found else jitter * _TICK
    corrupt, reorder = (
        _PAIR.unpack_from(found.get(kind, bytes(_PAIR.size)))[0] for kind in (_NETEM_CORRUPT, _NETEM_REORDER)
    )
    rate = _NETEM_RATE_OPTIONS.unpack_from(found.get(_NETEM_RATE, bytes(_NETEM_RATE_OPTIONS.size)))[0]
    if _NETEM_RATE64 in found:
        rate = _U64.unpack(found[_NETEM_RATE64])[0]
    return Netem(
        delay=round(delay_ns / 1000),
        jitter=round(jitter_ns / 1000),
        loss=_parts(loss),
        duplicate=_parts(duplicate),
        corrupt=_parts(corrupt),
        reorder=_parts(reorder),
        rate=rate * 8,
    )


def _parts(share: int) -> int:
    return round(share * WHOLE / _MOST_U32)


def read_queues(netlink: Netlink, names: Mapping[int, str]) -> list[Queue]:
    """Return the queueing disciplines of a namespace that are as netlab makes them; others are left out."""
    prios: dict[int, int] = {}
    netems: dict[tuple[int, int], Netem] = {}
    for _, body in netlink.dump(RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0)):
        _, index, handle, parent, _ = _TCMSG.unpack_from(body)
        found = dict(attributes(body, _TCMSG.size))
        kind, options = found.get(_KIND, b"").rstrip(b"\0"), found.get(_OPTIONS, b"")
        if kind == b"prio" and (handle, parent) == (_PRIO, _ROOT):
            prios[index] = _PRIO_OPTIONS.unpack_from(options)[0]
        elif kind == b"netem" and parent >> 16 == 1:
            netems[index, (parent & 0xFFFF) - 1] = read_netem(options)
    queues = []
    for index, bands in prios.items():
        sources: list[tuple[str, Netem]] = []
        whole = True
        for classid, indev in _filters(netlink, index):
            netem = netems.pop((index, (classid & 0xFFFF) - 1), None)
            whole = whole and bool(indev) and netem is not None
            sources += [(indev, netem)] if netem is not None else []
        netem = netems.pop((index, 0), None)
        left = any(at == index for at, _ in netems)
        if whole and not left and bands == max(2, 1 + len(sources)):
            queues.append(Queue(names[index], netem, tuple(sorted(sources, key=lambda one: one[0]))))
    return queues


def _filters(netlink: Netlink, index: int) -> Iterator[tuple[int, str]]:
    """Yield the class of each filter of a link's prio, and the name of the link by which its packets came."""
    for _, body in netlink.dump(RTM_GETTFILTER, _TCMSG.pack(0, index, 0, _PRIO, 0)):
        found = dict(attributes(body, _TCMSG.size))
        options = dict(attributes(found.get(_OPTIONS, b"")))
        if _U32_SEL in options:
            classid = struct.unpack("=I", options.get(_U32_CLASSID, bytes(4)))[0]
            yield classid, options.get(_U32_INDEV, b"").rstrip(b"\0").decode()


_MODULES: Mapping[bytes, str] = MappingProxyType({b"netem": "sch_netem", b"prio": "sch_prio", b"u32": "cls_u32"})


def missing_modules() -> list[str]:
    """Return the kernel modules of queueing disciplines that this host lacks, tried in a namespace of its own.

    Raises:
      HostError, KernelError: when no namespace can be made.
    """
    lo, some = 1, Netem(delay=1)
    queue = Queue("lo", some, (("lo", some),))
    with netns.returning():
        libc.unshare(libc.CLONE_NEWNET)
        netlink = Netlink()
    try:
        failed = netlink.transact(list(requests(queue, {"lo": lo})))
    finally:
        netlink.close()
    lacking: list[str] = []
    for message, error in failed:
        name = dict(attributes(message.body, _TCMSG.size))[_KIND].rstrip(b"\0")
        # A request that needs another one which was refused fails with another error.
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            lacking.append(_MODULES[name])
    return [module for module in _MODULES.values() if module in lacking]


def check() -> None:
    """Raise HostError where this host has no netem."""
    if lacking := missing_modules():
        raise HostError(
            f"this kernel cannot delay or lose packets: it lacks {', '.join(lacking)}",
            f"sudo modprobe -a {' '.join(lacking)}; where there is no such module, remove spec.links",
        )
