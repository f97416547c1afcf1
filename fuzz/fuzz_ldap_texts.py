"""Whatever comes as filter, name, URL, LDIF or StartTLS answer: only documented errors; and no
value changes the shape of a filter or a name.

Run: `python fuzz/fuzz_ldap_texts.py -max_total_time=60 CORPUS`.
"""

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports():
    from l7lb_protocols.ldap import ldif, start_tls
    from l7lb_protocols.ldap.filters import VALUE_LIMIT, FilterError, template
    from l7lb_protocols.ldap.names import child, is_dn
    from l7lb_protocols.ldap.urls import parse_url

ONE = template("(&(mail={account})(!(uid={account})))", frozenset({"account"}))
SHAPE = "(&()(!()))"


def fuzz_one_input(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with suppress(FilterError):
        template(text, frozenset({"account"})).filled({"account": "x"})
    if len(text.encode()) <= VALUE_LIMIT:
        filled = ONE.filled({"account": text})
        assert "".join(sign for sign in filled if sign in "()&!|*") == SHAPE
    if 0 < len(text) < 500:
        assert is_dn(child("mail", text, "dc=x"))
    with suppress(ValueError):
        url = parse_url(text)
        assert parse_url(str(url)) == url
    with suppress(ldif.LdifError):
        for record in ldif.parse(text):
            [again] = ldif.parse(ldif.written(record.dn, record.attributes))
            assert (again.dn, again.attributes) == (record.dn, record.attributes)
    with suppress(start_tls.BerError):
        start_tls.answer_length(data)
    with suppress(start_tls.BerError):
        assert 0 <= start_tls.result_code(data) <= 255


def main() -> None:
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
