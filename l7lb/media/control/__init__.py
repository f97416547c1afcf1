"""RTSP on the driver: sessions, their tags, and what each SETUP may use."""
