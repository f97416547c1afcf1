"""YAML 1.2 text to a tree with places.

Owns: reading one text safely: no tags, few aliases, limited depth and size, duplicate keys refused,
every scalar by the core schema (YAML 1.2.2 §10.3). Works on the event stream, so that nesting
costs no recursion. Must not know: files, includes, what keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from l7lb.config.nodes import Entry, Listing, Mapping, Node, Scalar
from l7lb.config.refusal import Problems
from l7lb.config.units import shown
from l7lb.model import Place

DEPTH_LIMIT = 32
ALIASED_LIMIT = 100_000
"""Values that aliases may stand for in one file, all together."""
DIGITS_LIMIT = 18
MERGE_KEY = "<<"

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_ODD_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNWANTED = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """The rest of the text cannot be read; the problem has been noted."""


def parse(text: str, file: str, problems: Problems) -> Node | None:
    """The tree of one YAML document; None when there is none or it cannot be read.

    Everything found wrong goes to `problems`; nothing is raised.
    """
    try:
        return _Builder(file, problems).build(YAML(typ="safe", pure=True).parse(text))
    except Unreadable:
        return None
    except MarkedYAMLError as error:
        _syntax_problem(error, file, problems)
    except YAMLError as error:
        problems.add(Place(file, 1, 1), f"not YAML: {_first_line(error)}")
    except (ValueError, OverflowError) as error:  # the scanner's int() and chr() of odd escapes
        problems.add(Place(file, 1, 1), f"not YAML: {error}")
    return None


class _Open:
    """A collection whose end has not come yet."""

    def __init__(self, node: Listing | Mapping, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: tuple[str, Place] | None = None
        self.merges: list[tuple[Place, Node]] = []


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0
        self._root: Node | None = None
        self._documents = 0

    def build(self, events: Iterator[Event]) -> Node | None:
        for event in events:
            match event:
                case DocumentStartEvent():
                    self._document(event)
                case ScalarEvent():
                    self._scalar(event)
                case AliasEvent():
                    self._alias(event)
                case SequenceStartEvent():
                    self._open(event, Listing(self._place(event)))
                case MappingStartEvent():
                    self._open(event, Mapping(self._place(event)))
                case SequenceEndEvent() | MappingEndEvent():
                    self._close()
        if self._root is None:
            self._problems.add(Place(self._file, 1, 1), "the file is empty")
        return self._root

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, place: Place, message: str, hint: str = "") -> Unreadable:
        self._problems.add(place, message, hint)
        return Unreadable()

    def _document(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._stop(self._place(event), "a second YAML document begins here", "one a file")

    # ----------------------------------------------------------------- values

    def _scalar(self, event: ScalarEvent) -> None:
        place = self._place(event)
        self._refuse_tag(event, place)
        text = str(event.value)
        if _UNWANTED.search(text):
            self._problems.add(place, "the text holds a NUL or half of a surrogate pair")
            text = _UNWANTED.sub("?", text)
        if self._at_key():
            self._key(text, place)
            return
        node = Scalar(place, self._resolved(text, place) if event.implicit[0] else text)
        if event.anchor:
            self._anchors[str(event.anchor)] = node
        self._put(node, place)

    def _resolved(self, text: str, place: Place) -> bool | int | float | str | None:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if not text[0].isdigit() and text[0] not in "+-.":
            return text
        if (_INT.fullmatch(text) or _OTHER_INT.fullmatch(text)) and len(text) > DIGITS_LIMIT:
            self._problems.add(place, f"the number {shown(text)} is too long", "quote it if text")
            return 0
        if _INT.fullmatch(text):
            return int(text)
        if _OTHER_INT.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _ODD_FLOAT.fullmatch(text):
            return float(text.replace(".", ""))
        return text

    def _alias(self, event: AliasEvent) -> None:
        place, name = self._place(event), str(event.anchor)
        node = self._anchors.get(name)
        if node is None or self._at_key():
            what = f"*{name} stands for nothing" if node is None else "an alias cannot be a key"
            raise self._stop(place, what, f'text that begins with * needs quotes: "*{name}"')
        self._aliased += node.size
        if self._aliased > ALIASED_LIMIT:
            raise self._stop(place, f"aliases stand for more than {ALIASED_LIMIT} values")
        if len(self._stack) + node.depth > DEPTH_LIMIT:
            raise self._stop(place, f"nested more than {DEPTH_LIMIT} deep")
        self._put(node, place)

    def _refuse_tag(self, event: Event, place: Place) -> None:
        tag = getattr(event, "tag", None)
        if tag:
            self._problems.add(place, f"the tag {shown(str(tag))} is not allowed")

    # ----------------------------------------------------------------- collections

    def _open(self, event: Event, node: Listing | Mapping) -> None:
        self._refuse_tag(event, node.place)
        if self._at_key():
            raise self._stop(node.place, "a key must be text, not a list or mapping")
        if len(self._stack) >= DEPTH_LIMIT:
            raise self._stop(node.place, f"nested more than {DEPTH_LIMIT} deep")
        anchor = getattr(event, "anchor", None)
        self._stack.append(_Open(node, str(anchor) if anchor else None))

    def _close(self) -> None:
        opened = self._stack.pop()
        for place, given in opened.merges:
            self._merge(opened.node, given, place)
        if opened.anchor:
            self._anchors[opened.anchor] = opened.node
        self._put(opened.node, opened.node.place)

    def _at_key(self) -> bool:
        if not self._stack:
            return False
        top = self._stack[-1]
        return isinstance(top.node, Mapping) and top.key is None

    def _key(self, text: str, place: Place) -> None:
        top = self._stack[-1]
        if isinstance(top.node, Mapping) and text in top.node.entries:
            first = top.node.entries[text].key_place
            message = f"key {shown(text)} stands here and in line {first.line}"
            self._problems.add(place, message, "one of them must go")
        top.key = (text, place)

    def _put(self, node: Node, place: Place) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        top.node.depth = max(top.node.depth, node.depth + 1)
        if isinstance(top.node, Listing):
            top.node.items.append(node)
        elif top.key is not None:
            (key, key_place), top.key = top.key, None
            if key == MERGE_KEY:
                top.merges.append((place, node))
            else:
                top.node.entries.setdefault(key, Entry(key_place, node))

    def _merge(self, target: Listing | Mapping, given: Node, place: Place) -> None:
        """`<<: *name` puts in the keys of a mapping that are not given beside it."""
        sources = given.items if isinstance(given, Listing) else [given]
        for source in sources:
            if not isinstance(source, Mapping) or not isinstance(target, Mapping):
                self._problems.add(place, "<< takes a mapping or a list of mappings")
                continue
            target.depth = max(target.depth, source.depth)
            for key, entry in source.entries.items():
                target.entries.setdefault(key, entry)


# --------------------------------------------------------------------------- the reader's errors


def _syntax_problem(error: MarkedYAMLError, file: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    message = str(error.problem or error.context or "it cannot be read").replace("\x00", "\\0")
    problems.add(place, f"not YAML: {message}", _syntax_hint(message))


def _syntax_hint(message: str) -> str:
    if "cannot start any token" in message and "\\t" in message:
        return "indent with spaces, never with tabs"
    if "mapping values are not allowed" in message:
        return "quote text that holds a colon and a space; look at the indentation"
    if "alphabetic or numeric" in message or "cannot start any token" in message:
        return "text that begins with * & ! % @ or ` needs quotes"
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return shown(lines[0])[1:-1] if lines else "it cannot be read"
