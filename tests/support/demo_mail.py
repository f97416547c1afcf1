"""The demo's mail servers without a director: clients come straight to m1."""

from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.demo import mail_rules
from l7lb.demo.cluster import Cluster
from l7lb.demo.mail_rules import MailServer, MailSpec


class OneServer(Cluster):
    """m1 speaks SMTP where it speaks LMTP in the demo."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, None, mail=True)
        first = self.mail.servers[0]
        straight = replace(self.mail, imap=first.imap, pop3=first.pop3, smtp=first.lmtp)
        self.spec = replace(self.spec, mail=straight)

    @property
    def mail(self) -> MailSpec:
        assert self.spec.mail is not None
        return self.spec.mail

    def start(self) -> None:
        self.start_mail(self.mail)

    def start_mail_server(self, server: MailServer) -> None:
        text = mail_rules.server_text(self.mail, server).replace('"lmtp"', '"smtp"')
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mail_rules, "server_text", lambda *_: text)
            super().start_mail_server(server)
