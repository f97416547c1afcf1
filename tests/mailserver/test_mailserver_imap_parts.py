"""What FETCH and SEARCH see of a message: envelope, parts, sections, keys."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from l7lb.mailserver import maildir
from l7lb.mailserver.folder import Folder
from l7lb.mailserver.imap_envelope import envelope, string
from l7lb.mailserver.imap_fetch import Sheet, parse_items, sets_seen
from l7lb.mailserver.imap_search import BadCharset, Numbers, parse
from l7lb.mailserver.imap_structure import part, structure
from l7lb.mailserver.imap_syntax import ArgumentTree, Node
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word

INNER = b"Subject: inner\r\n\r\ninner text\r\n"
DATA = (
    b"Subject: outer\r\nDate: Fri, 1 Mar 2019 10:00:00 +0000\r\nFrom: A <a@x>, b@y\r\n"
    b'Content-Type: multipart/mixed;\r\n boundary="b 1"\r\n\r\npreamble\r\n'
    b"--b 1\r\n\r\nfirst\r\n"
    b"--b 1\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n"
    b"--b 1\r\n--b 1--\r\nepilogue\r\n"
)


def nodes(line: str) -> list[Node]:
    tree = ArgumentTree()
    assert tree.feed(b" " + line.encode()) is None
    return tree.arguments


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ((1,), b"first"),
        ((1, 1), b"first"),
        ((2,), INNER),
        ((2, 1), b"inner text\r\n"),
        ((3,), b""),
        ((4,), b""),
        ((1, 2), b""),
    ],
)
def test_parts_are_cut_from_the_bytes(numbers: tuple[int, ...], found: bytes) -> None:
    assert part(DATA, numbers, is_mime=False) == found


def test_a_part_has_a_head_of_its_own() -> None:
    assert part(DATA, (2,), is_mime=True) == b"Content-Type: message/rfc822\r\n\r\n"


def test_the_standard_library_cuts_alike() -> None:
    made = EmailMessage()
    made.set_content("text\n")
    made.add_alternative("<p>html</p>\n", subtype="html")
    made.add_attachment(b"\0\1", maintype="image", subtype="png", filename="a.png")
    data = made.as_bytes().replace(b"\n", b"\r\n")
    assert part(data, (1, 2), is_mime=False) == b"<p>html</p>\r\n"
    assert part(data, (2,), is_mime=False).strip() == b"AAE="
    shown = structure(data, is_extended=True)
    assert shown.startswith(b'((("TEXT" "PLAIN" ("charset" "utf-8") NIL NIL "7bit" 6 1 ')
    assert b'"IMAGE" "PNG" NIL' in shown


@given(st.one_of(st.binary(), st.binary().map(lambda tail: DATA[:150] + tail)))
def test_whatever_came_has_a_structure(data: bytes) -> None:
    wire = data.replace(b"\0", b"")
    answer = b"1 (ENVELOPE " + envelope(wire) + b" BODYSTRUCTURE "
    whole = answer + structure(wire, is_extended=True) + b")"
    if b"{" not in whole:  # a literal is handed to this parser in pieces
        assert 1 in parse_fetch_response([whole])


def test_addresses_become_four_fields() -> None:
    assert envelope(DATA.split(b"\r\n\r\n")[0] + b"\r\n\r\n") == (
        b'("Fri, 1 Mar 2019 10:00:00 +0000" "outer" '
        + b'(("A" NIL "a" "x")(NIL NIL "b" "y")) ' * 3
        + b"NIL NIL NIL NIL NIL)"
    )
    assert string(b'a"b') == b'"a\\"b"'
    assert string(b"\xff") == b"{1}\r\n\xff"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    maildir.make(tmp_path / "m")
    made = Folder(tmp_path / "m")
    made.load()
    made.append(DATA, "S", 1_600_000_000.0)
    return made


def sheet(folder: Folder) -> Sheet:
    return Sheet(folder, folder.messages[1], is_recent=True)


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ("FLAGS", rb"FLAGS (\Recent \Seen)"),
        ("UID", b"UID 1"),
        ("RFC822.SIZE", b"RFC822.SIZE %d" % len(DATA)),
        ("INTERNALDATE", b'INTERNALDATE "13-Sep-2020 12:26:40 +0000"'),
        ("body[]<3.4>", b"BODY[]<3> {4}\r\nject"),
        ("BODY[]<99999.4>", b"BODY[]<99999> {0}\r\n"),
        ("BODY.PEEK[1]", b"BODY[1] {5}\r\nfirst"),
        ("BODY.PEEK[2.HEADER]", b"BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n"),
        ("BODY.PEEK[2.TEXT]", b"BODY[2.TEXT] {12}\r\ninner text\r\n"),
        ("RFC822.HEADER", b"RFC822.HEADER {"),
    ],
)
def test_items_are_answered(folder: Folder, item: str, answer: bytes) -> None:
    items = parse_items(nodes(item)[0])
    assert sheet(folder).answer(items).startswith(answer)
    assert sets_seen(items) == (item.startswith(("body[", "BODY[")))


@pytest.mark.parametrize(
    "item",
    ["X", "BODY[", "BODY[X]", "BODY[MIME]", "BODY[0]", "BODY[HEADER.FIELDS]", "BODY[TEXT (A)]",
     "BODY[]<1>", "BODY[]<1.0>", "(FLAGS X)"],
)  # fmt: skip
def test_unknown_items_are_refused(item: str) -> None:
    with pytest.raises(ImapRefusal):
        parse_items(Word(item.encode()) if item == "BODY[" else nodes(item)[0])


def test_macros_stand_alone() -> None:
    assert parse_items(Word(b"fast")) == ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
    with pytest.raises(ImapRefusal):
        parse_items([Word(b"FAST"), Word(b"UID")])


@pytest.mark.parametrize(
    ("keys", "matches"),
    [
        ("ALL", True),
        ("SEEN", True),
        ("UNSEEN", False),
        ("NEW", False),
        ("RECENT", True),
        ("OLD", False),
        ("1", True),
        ("2:*", True),
        ("UID 2", False),
        ("NOT (SEEN UNSEEN)", True),
        ("OR UNSEEN (ALL ALL)", True),
        ("SENTON 1-Mar-2019", True),
        ("SENTBEFORE 1-Mar-2019", False),
        ("SENTSINCE 1-mar-2019", True),
        ("ON 13-Sep-2020", True),
        ("SINCE 14-Sep-2020", False),
        ("SUBJECT OUT", True),
        ('SUBJECT ""', True),
        ('CC ""', False),
        ("HEADER subject inner", False),
        ("TEXT INNER", True),
        ("BODY outer", False),
        ("TEXT boundary", True),
        ("LARGER 10 SMALLER 100000", True),
        ("KEYWORD x", False),
        ("UNKEYWORD x", True),
        ("CHARSET utf-8 ALL", True),
    ],
)
def test_keys_match(folder: Folder, keys: str, *, matches: bool) -> None:
    test = parse(nodes(keys), Numbers([1], [1]))
    assert test(1, sheet(folder)) == matches


@pytest.mark.parametrize(
    "keys",
    ["NOT", "OR ALL", "SUBJECT", "HEADER a", "SINCE x", "SINCE 31-Feb-2020", "SINCE 1-Foo-2020",
     "LARGER x", "UID x", "WHAT ever", "CHARSET UTF-8", "(SUBJECT)", "NOT " * 30 + "ALL"],
)  # fmt: skip
def test_broken_keys_are_refused(keys: str) -> None:
    with pytest.raises(ImapRefusal):
        parse(nodes(keys), Numbers([1], [1]))


def test_other_charsets_are_refused() -> None:
    with pytest.raises(BadCharset):
        parse(nodes("CHARSET KOI8-R ALL"), Numbers([], []))
