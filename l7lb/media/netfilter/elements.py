"""Elements of an nft table's sets and maps: as text, as they are found, and the way between. Pure.

An element is the text of its key, with ` : value` in a map; so equal texts are equal elements.
Only sets that are named here are looked at: what the kernel itself adds to others stays its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Elements = Mapping[str, frozenset[str]]
"""Set or map, to its elements."""


def found(objects: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """From a table's listing in JSON. A set that is not there is empty."""
    wanted = dict.fromkeys(names, frozenset[str]())
    for each in objects:
        body = each.get("set") or each.get("map")
        if isinstance(body, dict) and body.get("name") in wanted:
            wanted[body["name"]] = frozenset(map(text, body.get("elem", ())))
    return wanted


def text(element: Any) -> str:
    """Of one element in JSON: a value, a concatenation, or a pair of key and value."""
    if isinstance(element, list):
        return f"{text(element[0])} : {text(element[1])}"
    if not isinstance(element, dict):
        return str(element)
    if "elem" in element:
        return text(element["elem"]["val"])
    if "concat" in element:
        return " . ".join(map(text, element["concat"]))
    if "range" in element:
        first, last = element["range"]
        return f"{first}-{last}"
    if "prefix" in element:
        return f"{element['prefix']['addr']}/{element['prefix']['len']}"
    raise ValueError(f"an element that is none of ours: {element!r}")


def changes(table: str, before: Elements, after: Elements) -> str:
    """Commands that make one of the other, in one transaction; empty where nothing is to do."""
    lines = []
    for name, wanted in after.items():
        gone = before.get(name, frozenset()) - wanted
        new = wanted - before.get(name, frozenset())
        if gone:
            keys = sorted(each.partition(" : ")[0] for each in gone)
            lines.append(f"delete element {table} {name} {{ {', '.join(keys)} }}")
        if new:
            lines.append(f"add element {table} {name} {{ {', '.join(sorted(new))} }}")
    return "".join(line + "\n" for line in lines)
