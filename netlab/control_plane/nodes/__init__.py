"""netlab as the nodes of a control plane: Node objects, heartbeats, pods of the lab with their status, and kubelets."""
