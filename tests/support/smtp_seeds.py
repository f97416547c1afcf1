"""Lawful and nearly lawful SMTP to start from, for the fuzz targets and for Hypothesis."""

from __future__ import annotations


def wire(*texts: bytes) -> tuple[bytes, ...]:
    """`|` stands for CRLF."""
    return tuple(text.replace(b"|", b"\r\n") for text in texts)


COMMANDS = wire(
    b"EHLO host.example|MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME|RCPT TO:<c@d.example>|",
    b"MAIL FROM:<> RET=HDRS ENVID=a+2Bb|RCPT TO:<x@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+40y|",
    b'RCPT TO:<@a.example,@b.example:"j \\" d"@[IPv6:2001:db8::1]>|RCPT TO: c@d|',
    b"MAIL FROM:<j\xc3\xb6@b\xc3\xa4r.example> SMTPUTF8 AUTH=<>|VRFY x|HELP|BDAT 3 LAST|",
    b"XCLIENT ADDR=IPV6:::1 PORT=25 NAME=[UNAVAILABLE] PROTO=ESMTP LOGIN=a+3Db TTL=2|",
    b"AUTH PLAIN AGEAYg==|AUTH TWO|*|STARTTLS|RSET|NOOP x|QUIT|",
)
REPLIES = wire(
    b"220 mx.example ESMTP|250-mx.example|250-PIPELINING|250-SIZE 1000|250 8BITMIME|",
    b"250 2.1.0 ok|550-5.1.1 no|550 5.1.1 such|354 go|421|",
    b"250-mx|250-STARTTLS|250-XCLIENT ADDR TTL|250-AUTH=PLAIN|250 DSN|220 go|",
)
MESSAGES = wire(
    b"Received: x|Subject: y||body|..dot|.|QUIT|",
    b".|NOOP|",
    b"a\n.\nb|.|",
    b"received: 1|RECEIVED: 2|received: 3||.|",
    b".x|.\r.|\0|.|",
)
DIALOGUES = wire(
    b"EHLO c|MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA|",
    b"LHLO c|MAIL FROM:<a@b>|RCPT TO:<c@d>|RCPT TO:<e@f>|DATA|hello|.|QUIT|",
    b"EHLO c|AUTH TWO|c2VzYW1l|STARTTLS|EHLO c|XCLIENT ADDR=1.2.3.4|HELO c|",
)
ANSWERS = wire(
    b"220 s|250-s|250-PIPELINING|250 SIZE|250 ok|250 ok|550 no|354 go|250 ok|",
    b"220 s|250-s|250-XCLIENT ADDR TTL|250 AUTH PLAIN|220 s|250 s|",
    b"220 s|500 what|250 s|250 a|250 b|250 c|354 d|250 e|421 f|",
)
RECORDS = (
    b"I 1 0 0 3 -\nM FROM:<> SIZE=3\nR waiting 0 000 - - TO:<a@b>\n",
    b"I 9 2 9 3 -\nX ADDR=::1 HELO=a+20b\nM FROM:<a@b>\nR failed 1 550 5.1.1 =n=m TO:<c@d>\n",
)
FRAGMENTS = (
    *COMMANDS,
    *wire(*b". .. .| |.| QUIT| DATA| RSET| a received: ||".split(b" ")),
    *wire(*b"250-|250 ok||354 go||421 bye||550 5.1.1 no||220 x|".split(b"||")),
    *(b"\r", b"\n", b"\n.\n", b"\r.\r", b"\0", b"\xff", b" "),
)
