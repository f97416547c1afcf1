"""Whatever stands in the file, only ConfigError comes out."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l7lb.config.effective import to_yaml
from l7lb.config.fields import Section
from l7lb.config.load import load_cluster
from l7lb.config.validate import known_keys
from l7lb.errors import ConfigError

Json = dict[str, object]
Mutation = tuple[float, int, bytes]

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
SEEDS = [path.read_bytes() for path in sorted(GOLDEN.rglob("*.yaml")) if "." not in path.stem]
SMALL = b"""\
pools: {web: {servers: [10.0.0.1:80], scheduler: {hash: path}, check: {http: /, every: 1s}}}
services: {www: {protocol: http, listen: '*:80', routes: [{path: '/x/*', redirect: '/{1}'}]}}
director: {workers: 1}
"""
SIGNS = b"[ ] { } ' \" % ? | > & * ! @ ` {} [] {1} {{ - : , # --- ..."
WORDS = b"null true .nan -.inf 1e999 -1 0 0x 10 *:80 [::1]:80 unix: /* ~(?i) servers pool name web"
ODD = (b"\n", b"\n  ", b"\t", b": ", b"- ", b"&a ", b"<<: *a", b"!!x ", b"include: ", b"9" * 30)
BYTES = (b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b'"\\ud800"', b'"\\0"', b"\r", b"\x85", b"\x7f")
PIECES = [*SIGNS.split(), *WORDS.split(), *ODD, *BYTES]

mutation = st.tuples(
    st.floats(0, 1), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=8)
)
words = st.sampled_from(
    [
        "10.0.0.1:80",
        "2s",
        "20%",
        "web",
        "/x/*",
        "~(a)",
        "none",
        "64KiB",
        "http",
        "imap",
        "smtp",
        "source",
        "a.pem",
        "9/1s",
    ]
)
leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
value = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({name for section in Section.__subclasses__() for name in known_keys(section)})
settings_of = st.dictionaries(st.sampled_from(KEYS), value, max_size=4)
each = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mutated(data: bytes, mutations: list[Mutation]) -> bytes:
    for where, cut, piece in mutations:
        start = int(where * len(data))
        data = data[:start] + piece + data[start + cut :]
    return data


def check(path: Path, data: bytes) -> None:
    """Load it; what can be loaded can be shown and loaded again."""
    path.write_bytes(data)
    try:
        spec = load_cluster(path)
    except ConfigError as error:
        problems = error.problems
    else:
        path.write_text(to_yaml(spec))
        again = load_cluster(path)
        assert (again.pools, again.services) == (spec.pools, spec.services)
        return
    assert problems
    assert all(p.message and p.place.line >= 1 and p.place.column >= 1 for p in problems)


@settings(each, max_examples=200)
@given(seed=st.sampled_from(SEEDS), mutations=st.lists(mutation, max_size=6))
def test_mutated_files(tmp_path: Path, seed: bytes, mutations: list[Mutation]) -> None:
    check(tmp_path / "rules.yaml", mutated(seed, mutations))


@settings(each, max_examples=500)
@given(mutations=st.lists(mutation, min_size=1, max_size=3))
def test_a_small_file_mutated(tmp_path: Path, mutations: list[Mutation]) -> None:
    check(tmp_path / "rules.yaml", mutated(SMALL, mutations))


@settings(each, max_examples=200)
@given(data=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_anything(tmp_path: Path, data: bytes) -> None:
    check(tmp_path / "rules.yaml", data)


@settings(each, max_examples=400)
@given(pool=settings_of, route=settings_of, service=settings_of, director=settings_of | value)
def test_any_value_at_any_key(
    tmp_path: Path, pool: Json, route: Json, service: Json, director: object
) -> None:
    """JSON is YAML, so the text needs no YAML writer."""
    www = {"protocol": "http", "listen": "*:80", "routes": [route, {"pool": "web"}], **service}
    tree = {
        "pools": {"web": {"servers": "10.0.0.1:80", **pool}},
        "services": {"www": www},
        "director": director,
    }
    check(tmp_path / "rules.yaml", json.dumps(tree).encode())
