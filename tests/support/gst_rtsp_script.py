"""gst-rtsp-server as a process: run by the system's python3, which alone has its bindings.

Argument: JSON of `GstOptions` in gst_server.py. Says `ready PORT` when it listens; ends when its
standard input does. Must not import anything of the project.
"""

import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = (
    "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=15/1"
    " ! jpegenc ! rtpjpegpay name=pay0 pt=26"
)
SOUND = "audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8"
TAKE = "rtpjpegdepay name=depay0 ! fakesink async=false"


def play_factory(ports):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {PICTURE} {SOUND} )")
    factory.set_shared(True)
    if ports:
        factory.set_address_pool(address_pool(ports))
    return factory


def address_pool(ports):
    """Media leaves from these ports only."""
    pool = GstRtspServer.RTSPAddressPool()
    for any_address in ("0.0.0.0", "::"):
        pool.add_range(any_address, any_address, ports[0], ports[1], 0)
    return pool


def record_factory():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {TAKE} )")
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_latency(0)
    return factory


def demand_digest(server, factories, user, secret):
    """Readers log in; what they may do, the factories say."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "reader")
    auth.add_digest(user, secret, token)
    server.set_auth(auth)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("reader", "media.factory.access", True)
        permissions.add_permission_for_role("reader", "media.factory.construct", True)
        factory.set_permissions(permissions)


def main():
    options = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(options["address"])
    server.set_service(str(options["port"]))
    mounts = server.get_mount_points()
    plays = {path: play_factory(options["media_ports"]) for path in options["plays"]}
    records = {path: record_factory() for path in options["records"]}
    for path, factory in (plays | records).items():
        mounts.add_factory(path, factory)
    if options["user"]:
        demand_digest(server, (plays | records).values(), options["user"], options["secret"])
    if not server.attach(None):
        sys.exit("cannot listen")
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    GLib.timeout_add_seconds(5, lambda: server.get_session_pool().cleanup() >= 0)
    print("ready", server.get_bound_port(), flush=True)
    loop.run()


main()
