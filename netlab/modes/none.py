"""None mode: the pod has a loopback interface only, as in Docker's none mode."""

from __future__ import annotations

from netlab.modes.attachments import LOOPBACK
from netlab.modes.traits import Mode
from netlab.modes.transports import NONE

MODE = Mode("none", LOOPBACK, NONE)
