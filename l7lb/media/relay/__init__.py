"""Mode `relay`: RTP and RTCP of a session pass through this process, without root.

Owns the relay process (sockets, ports, latching, counters), its verbs, and the client for those
who ask it. Must not know RTSP: it is told addresses and ports.
"""
