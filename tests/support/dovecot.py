"""Debian's Dovecot on loopback, in a folder of its own, ended by pid: the real mail server."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.slapd import free_ports, program

MASTER = ("director", "master-secret")
START_S = 30.0
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap pop3 lmtp{submission}
ssl = {ssl}
{certificates}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_master_user_separator = *
login_trusted_networks = 127.0.0.0/8
mail_location = maildir:{mail}/%u/Maildir
mail_fsync = optimized
first_valid_uid = 1
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
mail_max_userip_connections = 1000
maildir_stat_dirs = yes
lmtp_rcpt_check_quota = no
pop3_lock_session = yes
passdb {{
  driver = passwd-file
  master = yes
  args = scheme=plain {folder}/masters
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%u allow_all_users=yes
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  process_limit = 20
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {submission_port}
  }}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


RELAY = """
hostname = submission.example.org
submission_relay_host = 127.0.0.1
submission_relay_port = {port}
"""


class Dovecot:
    """One server. Several may share one `mail` folder. `relay`: the port of whoever takes what its
    submission service takes, at `submission`; `auth_socket` is for a Postfix."""

    def __init__(
        self,
        users: dict[str, str],
        mail: Path | None = None,
        tls: tuple[Path, Path] | None = None,
        relay: int = 0,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        self.mail = mail or self.folder / "mail"
        self.mail.mkdir(exist_ok=True)
        is_root = os.getuid() == 0
        me = pwd.getpwuid(os.getuid()).pw_name
        owner = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
        if is_root:
            os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        self.imap, self.imaps, self.pop3, self.lmtp, self.submission = free_ports(5)
        self.auth_socket = self.folder / "run/auth-client"
        chain, key = tls or ("", "")
        text = CONFIG.format(
            folder=self.folder,
            mail=self.mail,
            ssl="yes" if tls else "no",
            certificates=f"ssl_cert = <{chain}\nssl_key = <{key}" if tls else "",
            internal="dovecot" if is_root else me,
            login="dovenull" if is_root else me,
            group="dovecot" if is_root else pwd.getpwnam(me).pw_name,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            imap=self.imap,
            imaps=self.imaps if tls else 0,
            pop3=self.pop3,
            lmtp=self.lmtp,
            submission=" submission" if relay else "",
            submission_port=self.submission if relay else 0,
        )
        text += RELAY.format(port=relay) if relay else ""
        (self.folder / "dovecot.conf").write_text(text)
        (self.folder / "masters").write_text(f"{MASTER[0]}:{MASTER[1]}\n")
        lines = "".join(f"{name}:{password}\n" for name, password in users.items())
        (self.folder / "users").write_text(lines)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Dovecot:
        command = [program("dovecot"), "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command)
        until = time.monotonic() + START_S
        for port in (self.imap, self.pop3, self.lmtp):
            self._reached(port, until)
        return self

    def _reached(self, port: int, until: float) -> None:
        assert self._process is not None
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5.0).close()
            except OSError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < until, self.log()
                time.sleep(0.02)
            else:
                return

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else "no log"

    def kill(self) -> None:
        """The whole server, without a farewell: its children go with it."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        self._process.send_signal(signal.SIGKILL)
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]


@contextmanager
def standing_still(server: Dovecot) -> Iterator[None]:
    """Stopped, the master first, since it makes no others then; it goes on afterwards."""
    assert server._process is not None
    stopped: list[int] = []
    try:
        _signal(server._process.pid, signal.SIGSTOP, stopped)
        for pid in _children(server._process.pid):
            _signal(pid, signal.SIGSTOP, stopped)
        yield
    finally:
        for pid in stopped:
            _signal(pid, signal.SIGCONT, [])


def _signal(pid: int, number: int, done: list[int]) -> None:
    """A child may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        done.append(pid)
