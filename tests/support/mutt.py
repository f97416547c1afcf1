"""Debian's mutt, told what to do by keys: a person's mail program, on a terminal of its own."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from support.mail_cluster import WAIT_S, Endpoint

RC = """\
set imap_user="{user}"
set imap_pass="{password}"
set pop_user="{user}"
set pop_pass="{password}"
set smtp_url="smtp://{host}:{smtp}/"
set from="{user}"
set use_from=yes
set ssl_starttls=no
set ssl_force_tls=no
set folder="{home}"
set record=""
set copy=no
set postponed="{home}/postponed"
set wait_key=no
set confirmappend=no
set confirmcreate=no
set delete=yes
set quit=yes
set pop_delete=yes
set timeout=1
set mail_check=1
"""


class Mutt:
    """`reads` presses keys in a mailbox, `sends` writes a message."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> Self:
        program = shutil.which("mutt")
        assert program, "mutt is missing: apt-get install mutt"
        self._program = program
        self.home = Path(tempfile.mkdtemp(prefix="mutt-"))
        at = self._endpoint
        text = RC.format(user=at.user, password=at.password, host=at.host, home=self.home,
                         smtp=at.ports["smtp"])  # fmt: skip
        (self.home / "muttrc").write_text(text)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def _command(self) -> list[str]:
        return [self._program, "-n", "-F", str(self.home / "muttrc")]

    def sends(self, subject: str, body: str, *recipients: str) -> None:
        command = [*self._command, "-s", subject, "--", *recipients]
        done = subprocess.run(command, input=body.encode(), env=self._environment,
                              capture_output=True, timeout=WAIT_S, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def reads(self, protocol: str, keys: str) -> None:
        """`protocol`: imap or pop. It ends with the keys' last, which must quit."""
        at = self._endpoint
        port = at.ports["imap" if protocol == "imap" else "pop3"]
        url = f"{protocol}://{at.host}:{port}/{'INBOX' if protocol == 'imap' else ''}"
        self._on_a_terminal([*self._command, "-e", f"push '{keys}'", "-f", url])

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home), "TERM": "vt100", "LC_ALL": "C.UTF-8"}

    def _on_a_terminal(self, command: list[str]) -> None:
        ours, its = pty.openpty()
        screen: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(ours, screen))
        try:
            process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its,
                                       env=self._environment, start_new_session=True)  # fmt: skip
        finally:
            os.close(its)
        reader.start()
        try:
            code = process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"mutt does not end:\n{_text(screen)}") from None
        finally:
            reader.join()
            os.close(ours)
        assert code == 0, _text(screen)


def _drain(terminal: int, screen: list[bytes]) -> None:
    """Whatever it paints, until it has gone."""
    with suppress(OSError):
        while data := os.read(terminal, 65536):
            screen.append(data)


def _text(screen: list[bytes]) -> str:
    return b"".join(screen[-20:]).decode("utf-8", "replace")
