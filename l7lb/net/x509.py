"""What we must know of our own certificates: their names and how long they are good.

Reads DER (X.690) that OpenSSL has accepted already. Checks no signature and trusts nobody.
"""

from __future__ import annotations

import calendar
import ipaddress
import ssl
import time
from collections.abc import Iterator
from typing import NamedTuple

SEQUENCE, SET, OBJECT_ID, OCTETS, BOOLEAN = 0x30, 0x31, 0x06, 0x04, 0x01
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION_TAG, EXTENSIONS_TAG = 0xA0, 0xA3
DNS_NAME, IP_ADDRESS = 0x82, 0x87
COMMON_NAME = bytes.fromhex("550403")
SUBJECT_ALT_NAME = bytes.fromhex("551d11")

BEGIN = "-----BEGIN CERTIFICATE-----"
END = "-----END CERTIFICATE-----"


class CertificateFacts(NamedTuple):
    names: tuple[str, ...]
    """DNS names and addresses it is for, lower case; the subject's CN when it names none."""
    not_before: float
    not_after: float
    """Seconds since 1970."""


def first_certificate(pem: str) -> bytes:
    """DER of the first certificate in a PEM file. Raises ValueError when there is none."""
    start = pem.find(BEGIN)
    end = pem.find(END, start)
    if start < 0 or end < 0:
        raise ValueError("no certificate in it")
    return ssl.PEM_cert_to_DER_cert(pem[start : end + len(END)])


def read_certificate(der: bytes) -> CertificateFacts:
    """RFC 5280 §4.1. Raises ValueError for what is no certificate."""
    try:
        return _read(der)
    except (IndexError, StopIteration, KeyError, UnicodeDecodeError) as error:
        raise ValueError("not an X.509 certificate") from error


def _read(der: bytes) -> CertificateFacts:
    _, certificate = next(elements(der))
    _, tbs = next(elements(certificate))
    parts = [part for part in elements(tbs) if part[0] != VERSION_TAG]
    validity, subject = parts[3][1], parts[4][1]
    begin, end = (_seconds(tag, value) for tag, value in elements(validity))
    extensions = next((value for tag, value in parts if tag == EXTENSIONS_TAG), b"")
    names = tuple(_alternative_names(extensions)) or tuple(_common_names(subject))
    return CertificateFacts(tuple(name.lower() for name in names), begin, end)


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in `data`. Raises IndexError where it is cut short."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        if position + length > len(data):
            raise IndexError("element is cut short")
        yield tag, data[position : position + length]
        position += length


def _common_names(subject: bytes) -> Iterator[str]:
    for _, relative_name in elements(subject):
        for _, attribute in elements(relative_name):
            (_, kind), (_, value) = elements(attribute)
            if kind == COMMON_NAME:
                yield value.decode()


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, listed in elements(extensions):
        for _, extension in elements(listed):
            fields = [value for _, value in elements(extension)]
            if fields[0] == SUBJECT_ALT_NAME:
                _, names = next(elements(fields[-1]))
                yield from _general_names(names)


def _general_names(names: bytes) -> Iterator[str]:
    for tag, value in elements(names):
        if tag == DNS_NAME:
            yield value.decode("ascii")
        elif tag == IP_ADDRESS:
            yield str(ipaddress.ip_address(value))


def _seconds(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == UTC_TIME:  # RFC 5280 §4.1.2.5.1: 50 to 99 are 1950 to 1999
        text = ("19" if text[:2] >= "50" else "20") + text
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))
