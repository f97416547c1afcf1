"""What media needs beyond its protocol: kernel, relay, hot files, the dialogue on the driver."""
