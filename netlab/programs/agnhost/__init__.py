"""A stand-in for the program of Kubernetes' test image agnhost, with the standard library alone.

It has the subcommands that tests of networks use: what each prints, answers and ends with is what upstream's does.
Other modules of netlab are not imported, so that a program in a pod can run it too.

Source: Kubernetes 1.37, test/images/agnhost.
"""
