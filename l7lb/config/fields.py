"""What ties the readers of values and the short forms to pydantic and to the JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from l7lb.config import shorthand, units
from l7lb.config.refusal import Refusal

REFUSED = "refused"
"""The pydantic error type under which a Refusal travels."""


class Section(BaseModel):
    """One mapping of the file. The docstrings of the attributes are the reference manual."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
    )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Nothing in a section changes; pydantic would copy each default for each item."""
        return self


def _guarded(read: Callable[[Any], object]) -> Callable[[Any], object]:
    def guarded(value: Any) -> object:
        try:
            return read(value)
        except Refusal as refusal:
            context = {"message": refusal.message, "hint": refusal.hint}
            raise PydanticCustomError(REFUSED, "{message}", context) from None

    return guarded


@dataclass(frozen=True)
class Parsed:
    """Marks a type whose values a function reads; `schema` is what an editor is told."""

    read: Callable[[Any], object]
    schema: JsonSchemaValue

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_guarded(self.read))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.schema)

    def __hash__(self) -> int:
        return hash(self.read)


@dataclass(frozen=True)
class Short:
    """Marks a type that may also be written in short; `expand` gives the long form.

    `also` is what an editor is told of the short forms; empty: one item of the list; None: there
    is none.
    """

    expand: Callable[[Any], object]
    also: tuple[JsonSchemaValue, ...] | None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_guarded(self.expand), handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        long = handler(schema)
        if self.also is None:
            return long
        return {"anyOf": [*(self.also or [long["items"]]), long]}

    def __hash__(self) -> int:
        return hash(self.expand)


# --------------------------------------------------------------------------- types for all

T = TypeVar("T")

TEXT: JsonSchemaValue = {"type": "string"}
WHOLE: JsonSchemaValue = {"type": "integer"}

OneOrMany = Annotated[list[T], Short(shorthand.listed, ())]
"""A list, or its only item."""

Duration = Annotated[
    float,
    Parsed(
        units.parse_duration,
        {
            "anyOf": [{"type": "string", "pattern": units.DURATION_PATTERN}, {"const": 0}],
            "x-unit": "duration",
        },
    ),
]
Period = Annotated[
    float,
    Parsed(
        shorthand.period,
        {"type": "string", "pattern": units.DURATION_PATTERN, "x-unit": "duration, not 0"},
    ),
]
Size = Annotated[
    int,
    Parsed(
        units.parse_size,
        {
            "anyOf": [{"type": "string", "pattern": units.SIZE_PATTERN}, {"const": 0}],
            "x-unit": "size",
        },
    ),
]
Share = Annotated[
    float,
    Parsed(
        units.parse_share,
        {
            "anyOf": [
                {"type": "string", "pattern": units.SHARE_PATTERN},
                {"type": "number", "minimum": 0, "maximum": 1},
            ],
            "x-unit": "share",
        },
    ),
]
Chosen = Annotated[
    Literal[True] | None, Parsed(shorthand.chosen, {"const": True, "x-unit": "true"})
]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]
