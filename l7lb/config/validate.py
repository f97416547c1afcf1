"""Plain values through the schema: pydantic's errors become problems with a place and plain words.

What is wrong is left out and the rest is tried again, so that later checks find their problems too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from l7lb.config.fields import REFUSED, Section
from l7lb.config.hints import LATER_KEYS, nearest
from l7lb.config.nodes import Plain
from l7lb.config.scope import Scope
from l7lb.config.units import shown

ROUNDS = 4
ITEM_LISTS = frozenset({"servers", "routes", "listen"})
"""Lists whose broken items are left out one by one."""

S = TypeVar("S", bound=Section)


@dataclass(slots=True)
class Valid(Generic[S]):
    """A section as far as it is right, and what had to be left out."""

    section: S
    broken: set[str]
    """Keys of which something was left out."""
    positions: dict[str, list[int]]
    """Where the items of a list that lost some stand in the file."""

    def position(self, key: str, index: int) -> int:
        return self.positions[key][index] if key in self.positions else index


def validated(section: type[S], plain: Mapping[str, Plain], scope: Scope) -> Valid[S] | None:
    """None when nothing can be made of it. Every error is noted once, at its place."""
    rest = _Rest(dict(plain))
    for attempt in range(ROUNDS):
        try:
            return Valid(section.model_validate(rest.plain), rest.broken, rest.positions)
        except ValidationError as error:
            details = error.errors(include_url=False)
            if attempt == 0:
                for detail in details:
                    _note(section, detail, scope)
            rest.leave_out(details)
    return None


class _Rest:
    """What is left of a section's values when the broken ones are taken out."""

    def __init__(self, plain: dict[str, Plain]) -> None:
        self.plain = plain
        self.broken: set[str] = set()
        self.positions: dict[str, list[int]] = {}

    def leave_out(self, details: list[ErrorDetails]) -> None:
        """Items of the lists that matter, else whole keys."""
        bad_items: dict[str, set[int]] = {}
        for detail in details:
            if not detail["loc"]:
                continue
            key, item = str(detail["loc"][0]), (*detail["loc"], None)[1]
            self.broken.add(key)
            if (
                key in ITEM_LISTS
                and isinstance(item, int)
                and isinstance(self.plain.get(key), list)
            ):
                bad_items.setdefault(key, set()).add(item)
            else:
                self.plain.pop(key, None)
        for key, bad in bad_items.items():
            self._leave_out_items(key, bad)

    def _leave_out_items(self, key: str, bad: set[int]) -> None:
        items = self.plain.get(key)
        if isinstance(items, list):
            good = [i for i in range(len(items)) if i not in bad]
            standing = self.positions.get(key, range(len(items)))
            self.positions[key] = [standing[i] for i in good]
            self.plain[key] = [items[i] for i in good]


def _note(section: type[Section], detail: ErrorDetails, scope: Scope) -> None:
    loc, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        _unknown_key(section, loc, scope)
    elif kind == "missing":
        scope.at(*loc[:-1]).key_problem(f"key '{loc[-1]}' is missing")
    elif kind == REFUSED:
        context = detail.get("ctx", {})
        scope.at(*loc).problem(context.get("message", ""), context.get("hint", ""))
    else:
        message, hint = _WORDS[kind](detail) if kind in _WORDS else (detail["msg"], "")
        owner = _section_at(section, loc) if kind == "model_type" else None
        keys = f"its keys: {', '.join(known_keys(owner))}" if owner else hint
        scope.at(*loc).problem(message, keys)


def _unknown_key(section: type[Section], loc: tuple[int | str, ...], scope: Scope) -> None:
    key = str(loc[-1])
    owner = _section_at(section, loc[:-1])
    known = known_keys(owner) if owner else []
    if owner and key in LATER_KEYS.get(owner.__name__, ()):
        scope.at(*loc).key_problem(f"key {shown(key)} is not supported by this version")
        return
    scope.at(*loc).key_problem(f"unknown key {shown(key)}", nearest(key, known, "known keys"))


def known_keys(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_at(section: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The section that a path of keys leads to."""
    found: object = section
    for step in loc:
        if isinstance(found, type) and issubclass(found, BaseModel):
            fields = found.model_fields
            field = next((f for n, f in fields.items() if step == (f.alias or n)), None)
            if field is None:
                return None
            found = _inner(field.annotation)
        elif get_origin(found) is list:
            found = _inner(get_args(found)[0])
        elif get_origin(found) is dict:
            found = _inner(get_args(found)[1])
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _inner(annotation: Any) -> object:
    """Without Annotated and `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return _inner(next(a for a in get_args(annotation) if a is not type(None)))
    return annotation


# --------------------------------------------------------------------------- pydantic's error types

Words = Callable[[ErrorDetails], tuple[str, str]]


def _wrong_type(wanted: str, hint: str = "") -> Words:
    def words(detail: ErrorDetails) -> tuple[str, str]:
        value = detail["input"]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        quoted = f'in quotes it is: "{value}"' if wanted == "text" and is_number else hint
        return f"{shown(value)} is not {wanted}", quoted

    return words


def _bound(relation: str, key: str) -> Words:
    def words(detail: ErrorDetails) -> tuple[str, str]:
        limit = detail.get("ctx", {}).get(key)
        return f"{shown(detail['input'])} is out of range", f"{relation} {limit}"

    return words


def _literal(detail: ErrorDetails) -> tuple[str, str]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    known = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    return f"{shown(detail['input'])} is not allowed here", nearest(
        str(detail["input"]), known, "allowed"
    )


_WORDS: dict[str, Words] = {
    "string_type": _wrong_type("text"),
    "int_type": _wrong_type("a whole number"),
    "int_from_float": _wrong_type("a whole number"),
    "float_type": _wrong_type("a number"),
    "finite_number": _wrong_type("a number"),
    "bool_type": _wrong_type("true or false"),
    "list_type": _wrong_type("a list"),
    "dict_type": _wrong_type("a mapping"),
    "model_type": _wrong_type("a mapping"),
    "model_attributes_type": _wrong_type("a mapping"),
    "literal_error": _literal,
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": lambda _: ("the list is empty", "at least one is needed"),
}
