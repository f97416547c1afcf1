"""A small RTSP server: sound clips of a folder, by RTP over UDP or interleaved (RFC 2326).

`clip` and `rtp` know files and packets, `way` how packets leave, `session` what is played,
`dialogue` one control connection's requests, `process` sockets and signals.
"""
