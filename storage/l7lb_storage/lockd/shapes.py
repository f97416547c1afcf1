"""Frozen classes to JSON and back, strictly, from their own annotations.

A class becomes a list: its name, then its fields in order. What comes in is checked to the last
bit: name, number of fields, types, ranges; anything else is ProtocolViolation. It must not know
frames or sockets.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from l7lb_storage import model, operations
from l7lb_storage.errors import ProtocolViolation
from l7lb_storage.modes import Mode

Json = None | bool | int | float | str | list["Json"]
Decoder = Callable[[Json], Any]
INTEGER_MAX = (1 << 63) - 1
TEXT_CHARACTERS = 4096
LIST_ITEMS = 250_000
CLASSES = (
    model.Item,
    model.Check,
    model.Put,
    model.Delete,
    model.Transaction,
    model.Outcome,
    model.Page,
    model.Changed,
    model.Reset,
    model.Lease,
    model.Claim,
    model.Grant,
    model.Notice,
    model.LockView,
    *get_args(operations.Operation),
    *get_args(operations.Told),
)


def encode(value: object) -> Json:
    """Of these classes, and of what they are made of."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case Mode():
            return value.value
        case tuple() | list():
            return [encode(each) for each in value]
        case _:
            name, names = ENCODERS[type(value)]
            return [name, *(encode(getattr(value, each)) for each in names)]


def decode(kind: Any, found: Json) -> Any:
    """A value of the annotation `kind`. Raises ProtocolViolation."""
    decoder = DECODERS.get(kind)
    if decoder is None:
        decoder = DECODERS[kind] = _decoder(kind)
    return decoder(found)


def _refuse(what: str) -> ProtocolViolation:
    return ProtocolViolation(f"expected {what}")


def _integer(found: Json) -> int:
    if type(found) is not int or not 0 <= found <= INTEGER_MAX:
        raise _refuse("a non-negative integer of 63 bits")
    return found


def _number(found: Json) -> float:
    if type(found) not in (int, float):
        raise _refuse("a number")
    assert isinstance(found, int | float)
    if not 0 <= found < INTEGER_MAX or not math.isfinite(found):
        raise _refuse("a finite, non-negative number")
    return float(found)


def _text(found: Json) -> str:
    if not isinstance(found, str) or len(found) > TEXT_CHARACTERS:
        raise _refuse(f"a text of at most {TEXT_CHARACTERS} characters")
    if any("\ud800" <= sign <= "\udfff" for sign in found):
        raise _refuse("a text without lone surrogates")
    return found


def _bytes(found: Json) -> bytes:
    if not isinstance(found, str):
        raise _refuse("base64")
    try:
        value = base64.b64decode(found, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refuse("base64") from error
    if base64.b64encode(value).decode() != found:
        raise _refuse("base64 with nothing left over")
    return value


def _flag(found: Json) -> bool:
    if not isinstance(found, bool):
        raise _refuse("true or false")
    return found


def _mode(found: Json) -> Mode:
    try:
        return Mode(found)
    except ValueError as error:
        raise _refuse("a lock mode") from error


def _nothing(found: Json) -> None:
    if found is not None:
        raise _refuse("null")


def _decoder(kind: Any) -> Decoder:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (tuple, list):
        return _sequence(arguments[0], origin)
    if origin is UnionType or isinstance(kind, UnionType):
        return _union(arguments)
    return _instance((kind,))


def _sequence(kind: Any, make: Callable[[list[Any]], Any]) -> Decoder:
    def decoder(found: Json) -> Any:
        if not isinstance(found, list) or len(found) > LIST_ITEMS:
            raise _refuse("a list")
        return make([decode(kind, each) for each in found])

    return decoder


def _union(arguments: tuple[Any, ...]) -> Decoder:
    """Classes are told apart by their names, the rest by JSON's own types."""
    classes = tuple(each for each in arguments if each in FIELDS)
    plain = [each for each in arguments if each not in FIELDS]
    instance = _instance(classes)

    def decoder(found: Json) -> Any:
        if isinstance(found, list) and found and isinstance(found[0], str) and classes:
            return instance(found)
        for each in plain:
            try:
                return decode(each, found)
            except ProtocolViolation:
                continue
        raise _refuse(f"one of {arguments}")

    return decoder


def _instance(classes: tuple[type[Any], ...]) -> Decoder:
    named = {each.__name__: each for each in classes}

    def decoder(found: Json) -> Any:
        if not isinstance(found, list) or not found or not isinstance(found[0], str):
            raise _refuse(f"one of {sorted(named)}")
        cls = named.get(found[0])
        if cls is None or len(found) != len(FIELDS[cls]) + 1:
            raise _refuse(f"one of {sorted(named)}, with all its fields")
        return cls(*map(decode, FIELDS[cls], found[1:]))

    return decoder


FIELDS: dict[Any, list[Any]] = {cls: list(get_type_hints(cls).values()) for cls in CLASSES}
ENCODERS = {cls: (cls.__name__, [each.name for each in fields(cls)]) for cls in CLASSES}
DECODERS: dict[Any, Decoder] = {
    int: _integer,
    float: _number,
    str: _text,
    bytes: _bytes,
    bool: _flag,
    Mode: _mode,
    NoneType: _nothing,
}
