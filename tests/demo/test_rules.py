from pathlib import Path

import pytest

from l7lb.config.load import load_cluster
from l7lb.demo import mail_rules, rules
from l7lb.demo.rules import nginx_text, plan, rules_text

PORTS = list(range(9001, 9001 + rules.PORTS))


def test_plan_without_nginx_is_all_python() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=False, mail=True)
    assert {origin.engine for origin in spec.origins} == {"python"}
    assert spec.mail is not None
    ports = [spec.port, spec.metrics_port, *(origin.port for origin in spec.origins)]
    ports += [spec.mail.imap, spec.mail.pop3, spec.mail.smtp, spec.film.port]
    ports += [server.port for server in spec.film.servers]
    for server in spec.mail.servers:
        ports += [server.imap, server.pop3, server.lmtp]
    assert sorted(ports) == PORTS


def test_plan_with_nginx_mixes() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=True, mail=True)
    assert {origin.engine for origin in spec.origins} == {"python", "nginx"}


def test_every_origin_stands_in_the_rules_file() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=True, mail=True)
    text = rules_text(spec)
    for origin in spec.origins:
        assert f'{{name: {origin.name}, address: "127.0.0.1:{origin.port}"}}' in text
    assert 'listen: "127.0.0.1:9001"' in text
    assert "control: /demo/control.sock" in text


def test_nginx_listens_on_its_port_only() -> None:
    origin = plan(PORTS, Path("/demo"), nginx=True, mail=True).origins[0]
    text = nginx_text(origin)
    assert f"listen 127.0.0.1:{origin.port};" in text
    assert text.count("listen") == 1
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("mail", [False, True], ids=["without mail", "with mail"])
def test_the_rules_file_has_no_problem(tmp_path: Path, mail: bool) -> None:
    spec = plan(PORTS, tmp_path, nginx=True, mail=mail)
    mail_rules.write(mail_rules.plan_mail((1, 2, 3), range(4, 10), tmp_path))
    spec.rules_file.write_text(rules_text(spec))
    loaded = load_cluster(spec.rules_file)
    services = {"shop", "film", *(("imap", "pop3", "smtp") if mail else ())}
    assert set(loaded.services) == services
    assert [server.name for server in loaded.pools["films"].servers] == ["v1", "v2"]
