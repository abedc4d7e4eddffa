"""The records of this host's labs, and of those that a test keeps in a folder of its own."""

from __future__ import annotations

from netlab.kernel.machine import this_host
from netlab.lab.record import Records

record = Records(this_host())
