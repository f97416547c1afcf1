import io

from l7lb.demo.table import Table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_when_nobody_watches() -> None:
    out = io.StringIO()
    table = Table(out, ["web-1", "canary-1"])
    table.head()
    table.row("path /", {"web-1": 3}, 0, done=False)
    table.row("path /", {"web-1": 30}, 1, done=True)
    head, row = out.getvalue().splitlines()
    assert head.split() == ["web-1", "canary-1", "failed"]
    assert row.split() == ["path", "/", "30", "·", "1"]
    assert len(head) == len(row)


def test_a_row_counts_up_in_place_on_a_terminal() -> None:
    out = Terminal()
    table = Table(out, ["web-1"])
    table.row("path /", {"web-1": 3}, 0, done=False)
    table.row("path /", {"web-1": 30}, 0, done=True)
    text = out.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r\x1b[K") == 2
    assert "\x1b[32m" in text


def test_long_labels_keep_the_columns() -> None:
    out = io.StringIO()
    table = Table(out, ["a"])
    table.row("x" * 200, {}, 0, done=True)
    table.row("x", {}, 0, done=True)
    first, second = out.getvalue().splitlines()
    assert len(first) == len(second)
