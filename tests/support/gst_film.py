"""gst-rtsp-server with one film, `/film`: two streams, motion pictures and sound.

Run by the system's Python, which has GStreamer: gst_film.py HOST. Prints its port when it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

FILM = (
    "( videotestsrc is-live=true "
    "! video/x-raw,format=I420,width=160,height=120,framerate=25/1 ! jpegenc ! rtpjpegpay "
    "name=pay0 pt=26 audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! alawenc "
    "! rtppcmapay name=pay1 pt=8 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address(sys.argv[1])
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(FILM)
server.get_mount_points().add_factory("/film", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
