"""Work that is shared out by pods."""

from __future__ import annotations

import threading
from functools import partial

from netlab.control_plane.nodes.per_pod import PerPod


def test_work_is_done_where_no_thread_can_start(monkeypatch):
    """A host has a limit of threads. The work of the next pod is done as well."""

    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    done: list[str] = []
    work = PerPod()
    for number in range(6):
        work.later("a", partial(done.append, f"a{number}"))
    work.later("b", partial(done.append, "b"))

    assert [*(f"a{number}" for number in range(6)), "b"] == done
