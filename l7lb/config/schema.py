"""The JSON Schema (2020-12) of the rules file for editors, from the same models that check it."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from l7lb.config.schema_cluster import Cluster
from l7lb.config.units import format_duration, format_share, format_size

TITLE = "l7lb rules file"


def json_schema() -> JsonSchemaValue:
    """The schema as a plain dict, ready for `json.dumps`."""
    schema = Cluster.model_json_schema(schema_generator=_Generator)
    _settle(schema)
    return {"$schema": _Generator.schema_dialect, **schema, "title": TITLE}


class _Generator(GenerateJsonSchema):
    """As pydantic's, but with defaults as the file writes them, without null and without titles."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = _written(schema.get("default"), str(inner.get("x-unit", "")))
        return inner if default is None else {**inner, "default": default}

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False


def _written(default: object, unit: str) -> object:
    """A default as the file writes it; None when there is none to show."""
    if isinstance(default, BaseModel):
        chosen = [name for name in default.model_fields_set if getattr(default, name) is True]
        return chosen[0] if len(chosen) == 1 else None
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return _written_number(default, unit)
    if isinstance(default, bytes):
        return default.decode() or None
    if isinstance(default, list):
        return [f"{item[0]}-{item[1]}" if isinstance(item, tuple) else item for item in default]
    if isinstance(default, tuple) and len(default) == 2:
        return f"{default[0]}-{default[1]}"
    return default if isinstance(default, (str, bool)) else None


def _written_number(default: float, unit: str) -> object:
    if unit.startswith("duration"):
        return format_duration(default) if default else 0
    if unit == "size":
        return format_size(int(default)) if default else 0
    if unit == "share":
        return format_share(default)
    words = {"PROXY version": "none", "auto or number": "auto"}
    return words.get(unit, default)


def _settle(schema: object) -> None:
    """Keys that the compiler asks for (`x-required`) are required for an editor too.

    The same for every version of pydantic.
    """
    if isinstance(schema, list):
        for item in schema:
            _settle(item)
    if not isinstance(schema, dict):
        return
    if len(schema.get("allOf", ())) == 1:  # how pydantic before 2.9 writes a reference
        [reference] = schema.pop("allOf")
        rest = dict(schema)
        schema.clear()
        schema |= reference | rest
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, given in properties.items():
            if isinstance(given, dict) and given.pop("x-required", False):
                schema.setdefault("required", []).append(name)
                given.pop("default", None)
    for value in schema.values():
        _settle(value)
