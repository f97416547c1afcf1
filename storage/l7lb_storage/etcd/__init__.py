"""The engine for clusters: etcd version 3, through its JSON gateway."""
