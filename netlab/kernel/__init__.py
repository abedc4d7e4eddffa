"""The only room that speaks to Linux: namespaces, netlink, nft, settings, user namespaces."""
