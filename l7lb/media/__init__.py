"""Media: RTSP with its RTP and RTCP on one server, and the files that many want.

Owns what the media service needs beyond its wire format.
"""
