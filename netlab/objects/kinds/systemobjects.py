"""SystemObjects: netlab's own kind, which commands add if they need DNS or other system objects."""

from __future__ import annotations

from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.system_objects import SYSTEM_OBJECTS, SystemObjects, system_objects

KIND = Kind(SYSTEM_OBJECTS, NETLAB_VERSION, SystemObjects, system_objects, namespaced=False, written=False)
