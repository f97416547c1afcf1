"""What a media server's own kernel does for mode `direct`. Run by the agent beside the server."""
