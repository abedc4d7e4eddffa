"""The attachments of pods. ``netlab.dataplane.wanted.ATTACHMENTS`` has the wiring of each."""

from __future__ import annotations

from dataclasses import replace

from netlab.modes.traits import Attachment

# A veth pair whose other end is a port of a bridge, as with Docker's bridge driver and the CNI ``bridge`` plugin.
BRIDGE = Attachment(
    "bridge",
    on_network=True,
    bridged=True,
    node_link=True,
    node_gateway=True,
    enforced=True,
    published=True,
    guarded=True,
)

# A veth pair whose other end is in the node, a route for each pod and a link-local gateway, as with Calico.
VETH = Attachment("routed veth", on_network=True, node_link=True, enforced=True, published=True, guarded=True)

# A macvlan child of the node's interface, as with the CNI and Docker plugins. Packets pass no hook of the node.
MACVLAN = Attachment("macvlan", on_network=True, on_underlay=True)

# ``spec.hostNetwork: true``: the node's own network namespace.
HOST = Attachment("host", host_network=True)

# Docker's none mode.
LOOPBACK = Attachment("loopback")

# Links that plugins of the Container Network Interface make: on a bridge, to the node itself, or on the underlay. The
# names, MACs and neighbours are the plugins', so netlab cannot guard them. ``PLUGINS`` is all that is known without a
# configuration.
PLUGINS = Attachment("plugins", on_network=True, by_plugins=True, reaches="network")
PLUGIN_BRIDGE = replace(PLUGINS, name="plugins bridge", bridged=True, node_link=True, enforced=True)
PLUGIN_VETH = replace(PLUGINS, name="plugins veth", node_link=True, enforced=True)
PLUGIN_UNDERLAY = replace(PLUGINS, name="plugins underlay", on_underlay=True)
OF_PLUGINS = (PLUGINS, PLUGIN_BRIDGE, PLUGIN_VETH, PLUGIN_UNDERLAY)
