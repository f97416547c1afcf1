"""Hot files: a trace of viewings against servers with small disks, by the code that runs them."""
