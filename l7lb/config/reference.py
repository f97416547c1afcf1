"""The reference manual of the rules file, written from its schema.

`python -m l7lb.config.reference docs/reference` writes the page and the JSON Schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l7lb.config.schema import json_schema

PAGE = "configuration.md"
SCHEMA = "cluster.schema.json"
Json = dict[str, Any]

INTRODUCTION = """\
# The rules file

One YAML 1.2 file describes the cluster. This page is generated from its schema
(`python -m l7lb.config.reference docs/reference`); editors can use `cluster.schema.json`, which
`l7lb schema` prints.

`l7lb check FILE` reads a file as the director does and shows everything that is wrong, each with
file, line and column. `l7lb show --effective FILE` shows it with all defaults filled in.

## Values

- *duration*: a number and `us`, `ms`, `s`, `m`, `h` or `d`: `250ms`, `2s`, `1.5h`.
  Only `0` needs no unit.
- *size*: a number and `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`: `64KiB`.
  Only `0` needs no unit.
- *share*: `20%`, or `0.2`.
- *address*: `IP:PORT`, `[IPv6]:PORT`, `NAME:PORT` or `unix:PATH`.
  To listen on, also `"*:PORT"`, but no name.
- *network*: `10.0.0.0/8`, `2001:db8::/32`; a lone address is a network of one.
- *host*: `www.example.org`, or `*.example.org` for one or more labels before.
- *file*: a path, relative to the file in which it stands.
- *regular expression*: Python's syntax, over bytes.
- *template*: text with `{1}`, `{2}` … for captures of the path match, `{host}`, `{path}`,
  `{query}`; `{{` is a brace.

A key that takes its value in several forms takes any of them: one address or a list,
`check: tcp` or `check: {tcp: true, every: 1s}`.
A key without a value is an error: leave the key out.

## YAML

Every scalar is read by the core schema of YAML 1.2: `yes`, `no`, `on`, `off` are text.
Text that begins with `*` needs quotes.
Anchors, aliases and `<<` merges work, for at most 100 000 values in a file; tags do not.
A key that stands twice is an error. A file has at most 1 MiB, all together 16 MiB.

## Several files

`include` names files, or globs, whose pools and services are added by name; a name that stands
twice is an error, as is a file that includes itself. Each file may have an `include` of its own.
Relative paths are relative to the file in which they stand.

## Secrets

A secret never stands in the file: it is read from a file or an environment variable.
`show --effective` does not show it, only that it is set.
"""


def markdown() -> str:
    """The page, as it must stand in docs/reference/configuration.md."""
    schema = json_schema()
    parts = [INTRODUCTION, _section("The whole file", schema, schema)]
    parts += [_section(path, _definition(schema, name), schema) for path, name in _paths(schema)]
    return "\n".join(parts)


def schema_text() -> str:
    """The JSON Schema, as it must stand in docs/reference/cluster.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


# --------------------------------------------------------------------------- sections


def _definition(schema: Json, name: str) -> Json:
    found: Json = schema["$defs"][name]
    return found


def _paths(schema: Json) -> list[tuple[str, str]]:
    """Each definition once, under the first path at which it stands."""
    found: dict[str, str] = {}
    _collect(schema, "", schema, found)
    return [(path, name) for name, path in found.items()]


def _collect(section: Json, prefix: str, schema: Json, found: dict[str, str]) -> None:
    new: dict[str, str] = {}
    for key, given in section.get("properties", {}).items():
        for steps, name in _references(given):
            if name not in found:
                new.setdefault(name, f"{prefix}{key}{steps}")
    found |= new
    for name, path in new.items():
        _collect(_definition(schema, name), f"{path}.", schema, found)


def _references(given: Json) -> Iterator[tuple[str, str]]:
    if "$ref" in given:
        yield "", given["$ref"].rsplit("/", 1)[1]
    for choice in given.get("anyOf", []):
        yield from _references(choice)
    if isinstance(given.get("items"), dict):
        yield from (("[]" + steps, name) for steps, name in _references(given["items"]))
    if isinstance(given.get("additionalProperties"), dict):
        inner = _references(given["additionalProperties"])
        yield from ((".NAME" + steps, name) for steps, name in inner)


def _section(title: str, section: Json, schema: Json) -> str:
    heading = title if section is schema else f"`{title}`"
    lines = [f"## {heading}", "", *_paragraphs(section.get("description", "")), ""]
    lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", [])
    names = {name: path for path, name in _paths(schema)}
    for key, given in section["properties"].items():
        value = _joined(_words(given, names))
        default = "required" if key in required else _default(given)
        meaning = " ".join(_description(given, schema).split())
        lines.append(f"| `{key}` | {_cell(value)} | {_cell(default)} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def _description(given: Json, schema: Json) -> str:
    """Of the key, or of the section where the key says no more than that."""
    if "description" in given or "$ref" not in given:
        return str(given.get("description", ""))
    return str(_definition(schema, given["$ref"].rsplit("/", 1)[1])["description"])


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(given: Json) -> str:
    if "default" not in given:
        return ""
    value = given["default"]
    if value in ([], {}):
        return "none"
    text = value if isinstance(value, str) else json.dumps(value).replace('"', "")
    return f"`{text}`"


# --------------------------------------------------------------------------- values in words

WORDS = {"string": "text", "boolean": "`true` or `false`", "number": "number", "array": "list"}


def _joined(words: list[str]) -> str:
    kept = list(dict.fromkeys(words))
    return " or ".join(kept)


def _words(given: Json, names: dict[str, str]) -> list[str]:
    if "x-unit" in given:
        return [_unit(given)]
    if "$ref" in given:
        path = names[given["$ref"].rsplit("/", 1)[1]]
        return [f"[`{path}`](#{_anchor(path)})"]
    if "anyOf" in given:
        words = [word for choice in given["anyOf"] for word in _words(choice, names)]
        alone = _joined(words[:-1])
        return [alone, "a list of these"] if words[-1] == f"list of {alone}" else words
    if "enum" in given:
        return [", ".join(f"`{_scalar(value)}`" for value in given["enum"])]
    if "const" in given:
        return [f"`{_scalar(given['const'])}`"]
    if isinstance(given.get("items"), dict):
        return [f"list of {_joined(_words(given['items'], names))}"]
    if given.get("type") == "object":
        return [f"mapping of names to {_joined(_words(given['additionalProperties'], names))}"]
    return [_plain(given)]


def _unit(given: Json) -> str:
    if "enum" in given:
        return ", ".join(dict.fromkeys(f"`{_scalar(value)}`" for value in given["enum"]))
    return str(given["x-unit"]).replace("true", "`true`")


def _plain(given: Json) -> str:
    kind = given.get("type")
    if isinstance(kind, list):
        return "status or range"
    if kind not in {"integer", "number"}:
        return WORDS.get(str(kind), "")
    word = "whole number" if kind == "integer" else "number"
    low = given.get("minimum", given.get("exclusiveMinimum"))
    high = given.get("maximum", given.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in given else ""
    if low is None or high is None:
        return word
    return f"{word}, {above}{int(low)} to {int(high)}"


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _anchor(path: str) -> str:
    return "".join(c for c in path.lower() if c.isalnum() or c in "_-")


def write(folder: Path) -> None:
    """Write both files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(markdown(), encoding="utf-8")
    (folder / SCHEMA).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
