"""Hot files: which are copied to a media server's own disk, and which server gets a client."""
