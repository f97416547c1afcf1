"""Debian's Postfix: the test programs smtp-sink and smtp-source, and a private instance for root.

All on loopback, ended by pid.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
WAIT_S = 15.0


def program(name: str) -> str:
    found = shutil.which(name, path=SEARCH_PATH)
    assert found, f"{name} is missing: apt-get install postfix swaks curl"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody greets there."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
            if sock.recv(3) == b"220":
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody greets at port {port}")


class Sink:
    """smtp-sink: takes everything, or speaks LMTP (`-L`); `folder` gets each message as a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._options = options

    def __enter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        user = ("-u", "root") if os.geteuid() == 0 else ()
        command = [program("smtp-sink"), *user, *self._options, "-d", f"{self.folder}/m."]
        self._process = subprocess.Popen([*command, f"127.0.0.1:{self.port}", "512"])
        wait_for(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)

    @property
    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]


MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = back.example.org
mydestination =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:all/Maildir/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
mynetworks = 127.0.0.0/8
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
maillog_file = {root}/log
maillog_file_prefixes = {root}
smtputf8_enable = yes
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A whole instance; only root can start it. Mail for example.org lands in `maildir`. `more`:
    lines of main.cf."""

    def __init__(self, more: str = "") -> None:
        self._more = more

    def __enter__(self) -> Self:
        import pwd

        self.root = Path(tempfile.mkdtemp(prefix="l7lb-postfix-"))
        self.root.chmod(0o755)
        self.port = free_port()
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail"):
            (self.root / name).mkdir(mode=0o755)
        for name in ("data", "mail"):
            os.chown(self.root / name, owner.pw_uid, owner.pw_gid)
        main = MAIN.format(root=self.root, uid=owner.pw_uid, gid=owner.pw_gid)
        (self.root / "etc/main.cf").write_text(main + self._more)
        (self.root / "etc/master.cf").write_text(MASTER.format(port=self.port))
        command = [program("postfix"), "-c", str(self.root / "etc"), "start-fg"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(self.port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        master = self.root / "queue/pid/master.pid"  # it has a session of its own
        if master.exists():
            os.kill(int(master.read_text()), signal.SIGTERM)
        self._process.wait(WAIT_S)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.root.glob("mail/all/Maildir/new/*"))]
