"""Labs on many machines: the agent of each machine, and the commands that change and ask such labs through etcd."""
