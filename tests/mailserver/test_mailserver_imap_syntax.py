"""Arguments of commands: trees, literals, sections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.mailserver.imap_syntax import DEPTH, WORDS, ArgumentTree, Node, text, texts
from l7lb_protocols.imap.arguments import Literal
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word


def plain(node: Node) -> object:
    return node.value if isinstance(node, Word) else [plain(each) for each in node]


def read(line: bytes) -> list[object]:
    tree = ArgumentTree()
    assert tree.feed(line) is None
    return [plain(node) for node in tree.arguments]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"", []),
        (b" a", [b"a"]),
        (b' "a \\"b\\" \\\\" (c (d) ()) e', [b'a "b" \\', [b"c", [b"d"], []], b"e"]),
        (b" 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (A B)]<0.10>)",
         [b"1:*", [b"FLAGS", b"BODY.PEEK[HEADER.FIELDS (A B)]<0.10>"]]),
        (b" +FLAGS (\\Seen \\Deleted)", [b"+FLAGS", [b"\\Seen", b"\\Deleted"]]),
        (b' "" %', [b"", b"%"]),
        (b" foo[bar", [b"foo[bar"]),
    ],
)  # fmt: skip
def test_a_line_is_read(line: bytes, found: list[object]) -> None:
    assert read(line) == found


@pytest.mark.parametrize(
    "line",
    [b"a", b" ", b"  a", b" a  b", b" (a", b" a)", b" (a))", b' "a', b' "a\\b"', b" a(b)", b' "a"b',
     b" (a)(b)", b" (", b" ( a)", b" (a )", b" a\0", b" " + b"(" * (DEPTH + 1)],
)  # fmt: skip
def test_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(ImapRefusal):
        ArgumentTree().feed(line)


def test_a_literal_interrupts() -> None:
    tree = ArgumentTree()
    assert tree.feed(b" a (b {3}") == Literal(3, True)
    tree.put(b"c\r\n")
    assert tree.feed(b" {1+}") == Literal(1, False)
    tree.put(b"d")
    assert tree.feed(b") e") is None
    assert list(map(plain, tree.arguments)) == [b"a", [b"b", b"c\r\n", b"d"], b"e"]


def test_words_are_bounded() -> None:
    with pytest.raises(ImapRefusal, match="too many"):
        ArgumentTree().feed(b" a" * (WORDS + 1))


@given(st.lists(st.binary(), max_size=3))
def test_nothing_but_refusals(lines: list[bytes]) -> None:
    tree = ArgumentTree()
    try:
        for line in lines:
            if tree.feed(line) is not None:
                tree.put(b"x")
    except ImapRefusal:
        return


def test_words_become_text() -> None:
    assert text(Word(b"a")) == "a"
    assert texts([Word(b"a"), Word(b"b")]) == ["a", "b"]
    assert texts(Word(b"a")) == ["a"]
    with pytest.raises(ImapRefusal):
        text([])
    with pytest.raises(ImapRefusal):
        text(Word(b"\xff"))
