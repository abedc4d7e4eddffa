"""What a program that netlab starts beside a lab keeps of the process that starts it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from netlab.lab.lab import Lab
from netlab.lab.listeners import Listening
from netlab.objects import read_input

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def test_a_listener_keeps_no_descriptor_of_its_caller(unique: Callable[..., str]) -> None:
    """Who reads a pipe, as the output of a program of another thread, would wait for the listener's end."""
    name = unique("keeps")
    lab = Lab.up(read_input([str(SHOP)]).objects, name=name)
    programs = Listening(lab)
    reads, writes = os.pipe()
    try:
        programs.also([(lab.cluster.by_ref["shop/api-0"], 8088)])
        (child,) = programs._children
        os.close(writes)
        writes = -1

        assert b"" == os.read(reads, 1)
        assert Path(f"/proc/{child._pid}").exists()
    finally:
        programs.end()
        for fd in (reads, writes):
            if fd >= 0:
                os.close(fd)
        lab.down()
