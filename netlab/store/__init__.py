"""Where the record of a lab is kept: in the files of this machine, or in etcd for labs on many machines."""
