"""The six lock modes and which of them may be held together: the table of the classic DLM.

It knows no resource, queue or holder; those ask `compatible`.

| mode | its holder      | others at the same time |
|------|-----------------|-------------------------|
| NL   | nothing         | everything              |
| CR   | reads           | read and write          |
| CW   | reads, writes   | read and write          |
| PR   | reads           | read                    |
| PW   | reads, writes   | read, as CR             |
| EX   | reads, writes   | nothing                 |
"""

from enum import Enum


class Mode(Enum):
    NL = "NL"
    """Null: keeps a place in the resource, grants nothing."""
    CR = "CR"
    """Concurrent read."""
    CW = "CW"
    """Concurrent write."""
    PR = "PR"
    """Protected read: a shared lock."""
    PW = "PW"
    """Protected write: an update lock."""
    EX = "EX"
    """Exclusive."""


_NL, _CR, _CW, _PR, _PW, _EX = Mode

# fmt: off
MATRIX: dict[Mode, dict[Mode, bool]] = {
    _NL: {_NL: True, _CR: True,  _CW: True,  _PR: True,  _PW: True,  _EX: True},
    _CR: {_NL: True, _CR: True,  _CW: True,  _PR: True,  _PW: True,  _EX: False},
    _CW: {_NL: True, _CR: True,  _CW: True,  _PR: False, _PW: False, _EX: False},
    _PR: {_NL: True, _CR: True,  _CW: False, _PR: True,  _PW: False, _EX: False},
    _PW: {_NL: True, _CR: True,  _CW: False, _PR: False, _PW: False, _EX: False},
    _EX: {_NL: True, _CR: False, _CW: False, _PR: False, _PW: False, _EX: False},
}
# fmt: on


def compatible(asked: Mode, held: Mode) -> bool:
    """May `asked` be granted while another holder has `held`? Symmetric."""
    return MATRIX[asked][held]
