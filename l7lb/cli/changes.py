"""Changes between two rules files, as lines for people."""

from __future__ import annotations

MARKS = {"added": "+", "removed": "-", "changed": "~"}


def change_lines(changes: object) -> list[str]:
    """From the JSON of the control API."""
    if not isinstance(changes, list) or not changes:
        return ["no change"]
    lines: list[str] = []
    for change in changes:
        lines.append(f"{MARKS.get(change['kind'], '?')} {change['what']} {change['name']}".rstrip())
        lines.extend(f"    {detail}" for detail in change["details"])
    return lines
