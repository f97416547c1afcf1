"""How media speaks to the Linux kernel: nftables by its library, policy routing by netlink."""
