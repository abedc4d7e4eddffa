"""Classic BPF programs: assembled from instructions with labels, and attached to a socket.

Documentation/networking/filter.rst describes the instructions. A is the accumulator, X the index. A load beyond the end
of a packet ends the program with "drop".
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

from netlab.frozen import NamedTuple

# X = 4 * (byte k & 15), which is the length of an IPv4 header; X = k.
LDX_HEADER_LENGTH, LDX = 0xB1, 0x01
# A = the word, half word or byte at X + k.
LD_WORD, LD_HALF, LD_BYTE = 0x40, 0x48, 0x50
# A = A - k; A = A & k.
SUB, AND = 0x14, 0x54
# Jump if A == k; if A >= k; if A & k.
JEQ, JGE, JSET = 0x15, 0x35, 0x45
_RETURN = 0x06
# The labels at the end of every program.
KEEP, DROP = "keep", "drop"

_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")
_PROGRAM = struct.Struct("@HP")


class Instruction(NamedTuple):
    """One instruction; ``yes`` and ``no`` are the labels of a jump, "" is the next instruction."""

    code: int
    k: int
    yes: str = ""
    no: str = ""
    label: str = ""


def assemble(instructions: Sequence[Instruction], length: int) -> bytes:
    """Return a program as an array of ``struct sock_filter``. It keeps ``length`` bytes of a packet.

    A packet is kept after the last instruction.
    """
    whole = [*instructions, Instruction(_RETURN, length, label=KEEP), Instruction(_RETURN, 0, label=DROP)]
    places = {one.label: place for place, one in enumerate(whole) if one.label}

    def distance(label: str, place: int) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        _INSTRUCTION.pack(one.code, distance(one.yes, place), distance(one.no, place), one.k)
        for place, one in enumerate(whole)
    )


def attach(sock: socket.socket, program: bytes) -> None:
    """Attach the program to a socket, which then receives only the packets that it keeps; raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    packed = _PROGRAM.pack(len(program) // _INSTRUCTION.size, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, packed)
