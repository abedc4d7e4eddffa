"""Host mode: the pod is in its node's network namespace (``spec.hostNetwork: true``) and is on no pod network."""

from __future__ import annotations

from netlab.modes.attachments import HOST
from netlab.modes.traits import Mode
from netlab.modes.transports import UNDERLAY

MODE = Mode("host", HOST, UNDERLAY)
