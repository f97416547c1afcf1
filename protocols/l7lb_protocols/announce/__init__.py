"""What a media server's agent announces: load and contents, signed, in datagrams and in lists."""
