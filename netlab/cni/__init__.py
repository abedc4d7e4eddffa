"""What the Container Network Interface specification says, as values: configurations, results, errors, versions.

It runs nothing, so a runtime and a plugin can both use it. The source is SPEC.md of
https://github.com/containernetworking/cni, versions 0.1.0 to 1.1.0.
"""
