"""What a media service needs beyond its protocol: control sessions, and ways for RTP and RTCP."""
