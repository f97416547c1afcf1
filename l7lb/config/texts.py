"""Texts with a grammar: header fields, methods, paths, regular expressions, names, templates."""

from __future__ import annotations

import re
import warnings

from l7lb.config.addresses import is_one_word
from l7lb.config.refusal import Refusal
from l7lb.config.units import shown
from l7lb.model import PathKind, PathMatch
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.path import normalise

REGEX_LIMIT = 4096
NAME_LIMIT = 255
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()+,;=:@/-]|%[0-9A-Fa-f]{2})*")


def name(value: object) -> str:
    """A pool, service or server name: it stands in commands, metrics and URLs."""
    text = text_of(value)
    if not _NAME.fullmatch(text):
        raise Refusal(f"{shown(text)} is not a name", "letters, digits, _ . - and at most 63")
    return text


def server_name(value: object) -> str:
    text = text_of(value)
    if not is_one_word(text) or len(text) > NAME_LIMIT:
        raise Refusal(f"{shown(text)} is not a server name", "no spaces, at most 255 characters")
    return text


def route_name(value: object) -> str:
    text = text_of(value)
    if not text.isprintable() or not 1 <= len(text) <= NAME_LIMIT:
        raise Refusal(f"{shown(text)} is not a route name", f"1 to {NAME_LIMIT} characters")
    return text


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        raise Refusal(f"{shown(value)} is not text", f'in quotes it is: "{shown(value)}"')
    raise Refusal(f"{shown(value)} is not text")


def file_name(value: object) -> str:
    text = text_of(value)
    if not text or len(text) > 4096:
        raise Refusal(f"{shown(text)} is not a file name")
    return text


def token(value: object) -> bytes:
    """RFC 9110 §5.6.2: header, cookie and method names."""
    text = text_of(value)
    if not _TOKEN.fullmatch(text):
        raise Refusal(f"{shown(text)} is not a name that HTTP allows", "letters, digits, - and _")
    return text.encode("ascii")


def method(value: object) -> bytes:
    text = token(value)
    if text != text.upper():
        raise Refusal(
            f"methods are case-sensitive: {text.decode()}", f"write {text.upper().decode()}"
        )
    return text


def field_value(value: object) -> bytes:
    """RFC 9110 §5.5, other than obs-fold."""
    text = text_of(value)
    if not _FIELD_VALUE.fullmatch(text) or text != text.strip(" \t"):
        raise Refusal(
            f"{shown(text)} is not a header value", "no control characters, no space at its ends"
        )
    return text.encode()


def wire_text(value: object) -> bytes:
    return text_of(value).encode()


def argument_name(value: object) -> bytes:
    text = text_of(value)
    if not text or len(text) > 256:
        raise Refusal(f"{shown(text)} is not the name of a query argument")
    return text.encode()


def glob_name(value: object) -> bytes:
    """A name, in which `*` stands for any text."""
    text = text_of(value)
    if not text or _FIELD_VALUE.fullmatch(text) is None:
        raise Refusal(f"{shown(text)} is not a name")
    return text.encode()


def template(value: object) -> bytes:
    text = text_of(value)
    if not text or len(text) > 8192:
        raise Refusal(f"{shown(text)} cannot be a target")
    return text.encode()


def regex(value: object) -> re.Pattern[bytes]:
    """A Python regular expression over bytes."""
    text = text_of(value)
    if len(text) > REGEX_LIMIT:
        raise Refusal(f"the expression is longer than {REGEX_LIMIT} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(text.encode())
    except re.error as error:
        where = "" if error.pos is None else f" at offset {error.pos}"
        raise Refusal(f"{shown(text)} is no regular expression: {error.msg}{where}") from None
    except (Warning, OverflowError, RecursionError, MemoryError) as error:
        raise Refusal(f"{shown(text)} is no regular expression: {_reason(error)}") from None


def path_match(value: object) -> PathMatch:
    """`/x` exact, `/x/*` all below a segment, `~ EXPRESSION`."""
    text = text_of(value)
    if text.startswith("~"):
        pattern = regex(text.removeprefix("~").strip(" "))
        return PathMatch(PathKind.REGEX, b"", pattern)
    prefix = text.endswith("/*")
    plain = text.removesuffix("*")[:-1] if prefix else text
    literal = canonical_path(plain or "/")
    if not prefix:
        return PathMatch(PathKind.EXACT, literal)
    return PathMatch(PathKind.PREFIX, b"" if not plain else literal)


def canonical_path(text: str) -> bytes:
    """The form in which a request's path meets the rule: as a request's is made."""
    encoded = "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in text)
    if not _PATH.fullmatch(encoded):
        raise Refusal(f"{shown(text)} is not a path", _path_hint(text))
    try:
        return normalise(encoded.encode("ascii"), encoded_slash=True)
    except HttpRefusal as refusal:
        raise Refusal(
            f"{shown(text)} never matches: requests are refused", refusal.reason
        ) from None


def _path_hint(text: str) -> str:
    if not text.startswith("/"):
        return "it begins with /, or with ~ for a regular expression"
    if "?" in text or "#" in text:
        return "the query is matched by the key query"
    if "*" in text:
        return "* stands only at the end, after a /; else use ~ and a regular expression"
    return "percent-encode what a URL does not allow"


def _reason(error: BaseException) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


def method_text(value: object) -> str:
    return method(value).decode("ascii")


def cookie_attribute(value: object) -> str:
    """RFC 6265 §4.1.1, av-octets."""
    text = text_of(value)
    if not re.fullmatch(r"[\x21-\x3a\x3c-\x7e]{1,1024}", text):
        raise Refusal(f"{shown(text)} cannot stand in a cookie", "no spaces, no semicolon")
    return text


def request_target(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"/[\x21\x22\x24-\x7e]{0,8191}", text):
        raise Refusal(
            f"{shown(text)} is not a path to ask for", "it begins with / and has no space"
        )
    return text


def rtsp_target(value: object) -> str:
    """`*`, or a path."""
    return "*" if value == "*" else request_target(value)


def authority(value: object) -> str:
    """RFC 9110 §7.2: host and perhaps a port."""
    text = text_of(value)
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,260}", text):
        raise Refusal(f"{shown(text)} is not a host", "such as www.example.org or host:8080")
    return text


def status_range(value: object) -> tuple[int, int]:
    """`200` or `200-299`, both ends included."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?", text):
        raise Refusal(f"{shown(value)} is no status or range", "such as 200 or 200-299")
    first, _, last = text.partition("-")
    if last and last < first:
        raise Refusal(f"{text} is empty", f"write {last}-{first}")
    return int(first), int(last or first)


def variable(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,255}", text):
        raise Refusal(f"{shown(text)} is not the name of a variable", "such as L7LB_COOKIE_SECRET")
    return text


def store_url(value: object) -> str:
    """Of a member of etcd: scheme, host and port, nothing else."""
    text = text_of(value)
    if not re.fullmatch(
        r"https?://([A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?", text
    ):
        raise Refusal(f"{shown(text)} is no URL of a member", "such as http://10.0.6.1:2379")
    return text


def store_prefix(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,64}", text):
        raise Refusal(f"{shown(text)} cannot begin a key", "such as l7lb/")
    return text


def separator(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[\x21-\x7e]", text):
        raise Refusal(f"{shown(text)} is no separator", "one printable character, such as *")
    return text


def plain_word(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[\x21-\x7e]{1,128}", text):
        raise Refusal(f"{shown(text)} is no name", "printable ASCII without spaces")
    return text
