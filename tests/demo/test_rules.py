from pathlib import Path

from l7lb.demo.rules import nginx_text, plan, rules_text

PORTS = list(range(9001, 9010))


def test_plan_without_nginx_is_all_python() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=False)
    assert {origin.engine for origin in spec.origins} == {"python"}
    ports = [spec.port, spec.metrics_port, *(origin.port for origin in spec.origins)]
    assert sorted(ports) == PORTS


def test_plan_with_nginx_mixes() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=True)
    assert {origin.engine for origin in spec.origins} == {"python", "nginx"}


def test_every_origin_stands_in_the_rules_file() -> None:
    spec = plan(PORTS, Path("/demo"), nginx=True)
    text = rules_text(spec)
    for origin in spec.origins:
        assert f'{{name: {origin.name}, address: "127.0.0.1:{origin.port}"}}' in text
    assert 'listen: "127.0.0.1:9001"' in text
    assert "control: /demo/control.sock" in text


def test_nginx_listens_on_its_port_only() -> None:
    origin = plan(PORTS, Path("/demo"), nginx=True).origins[0]
    text = nginx_text(origin)
    assert f"listen 127.0.0.1:{origin.port};" in text
    assert text.count("listen") == 1
    assert text.count("{") == text.count("}")
