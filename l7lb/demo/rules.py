"""The demo's origins and its rules file, as text that a reader can learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l7lb.demo import film_rules, mail_rules
from l7lb.demo.film_rules import FilmSpec
from l7lb.demo.mail_rules import MailSpec

PORTS = 21
"""Of the director for HTTP, IMAP, POP3, SMTP, RTSP and metrics; one for each origin and media
server, three for each mail server."""


@dataclass(frozen=True, slots=True)
class OriginSpec:
    name: str
    pool: str
    engine: str
    """`nginx` or `python`."""
    port: int


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """Everything that the rules file of one demo hangs on."""

    directory: Path
    port: int
    metrics_port: int
    origins: tuple[OriginSpec, ...]
    mail: MailSpec | None
    """None: without."""
    film: FilmSpec

    @property
    def rules_file(self) -> Path:
        return self.directory / "cluster.yaml"

    @property
    def control(self) -> Path:
        return self.directory / "control.sock"


RULES = """\
# The demo's rules file. Change it and run `l7lb reload`: no connection is cut.
# Every key is explained in docs/reference/configuration.md.

pools:
  web:                                  # the shop's pages
    servers:
{web}
    scheduler: wlc                      # weighted least connections
    persistence: {{cookie: L7LB}}         # a browser stays with its server
    check: {check}
    outlier: {{ejection: 2s}}             # out at once when connects fail, tried again soon
  api:                                  # the current release
    servers:
{api}
    scheduler: rr
    check: {check}
  canary:                               # the next release, on trial
    servers:
{canary}
    check: {check}
  static:                               # images and style sheets
    servers:
{static}
    scheduler: {{hash: path}}             # one path, one server: its cache stays warm
    check: {check}
{film_pool}{mail_pool}
services:
  shop:
    protocol: http
    listen: "127.0.0.1:{port}"
    access_log: {{format: json, path: {log}}}
    routes:                             # the most specific rule wins, not the first
      - {{host: static.demo.test, pool: static}}
      - {{path: /api/*, pool: {{api: 90, canary: 10}}}}     # one request in ten to the canary
      - {{path: /api/*, cookie: {{beta: "1"}}, pool: canary}} # but testers always
      - {{path: /echo, pool: api}}                        # a WebSocket
      - {{path: /old/*, redirect: {{to: "/{{1}}", status: 308}}}}
      - {{pool: web}}
{film_service}{mail_services}
{mail_shared}director:
  workers: 2
  control: {control}
  state: {state}
  metrics: "127.0.0.1:{metrics_port}"     # Prometheus
"""

CHECK = "{http: /healthz, every: 500ms, rise: 2, fall: 2}"


def rules_text(spec: DemoSpec) -> str:
    """The rules file of this demo."""
    mail = spec.mail
    servers = {
        pool: "\n".join(
            f'      - {{name: {origin.name}, address: "127.0.0.1:{origin.port}"}}'
            for origin in spec.origins
            if origin.pool == pool
        )
        for pool in ("web", "api", "canary", "static")
    }
    return RULES.format(
        **servers,
        film_pool=film_rules.pool_text(spec.film),
        film_service=film_rules.service_text(spec.film),
        mail_pool=mail_rules.pool_text(mail) if mail else "",
        mail_services=mail_rules.services_text(mail) if mail else "",
        mail_shared=mail_rules.shared_text(mail) if mail else "",
        check=CHECK,
        port=spec.port,
        metrics_port=spec.metrics_port,
        log=spec.directory / "access.log",
        control=spec.control,
        state=spec.directory / "state",
    )


NGINX = """\
# A demo origin. One process, no privileges, everything below its own directory.
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        add_header X-Origin {name} always;
        default_type application/json;
        location = /healthz {{ return 200 "ok\\n"; }}
        location / {{
            return 200 '{{"origin": "{name}", "request": "$request_method $request_uri"}}\\n';
        }}
    }}
}}
"""


def nginx_text(origin: OriginSpec) -> str:
    return NGINX.format(name=origin.name, port=origin.port)


def plan(ports: Sequence[int], directory: Path, *, nginx: bool, mail: bool) -> DemoSpec:
    """Lays the demo out on `PORTS` free ports."""
    engine = "nginx" if nginx else "python"
    layout = (
        ("web-1", "web", engine),
        ("web-2", "web", engine),
        ("web-3", "web", "python"),
        ("api-1", "api", "python"),
        ("api-2", "api", "python"),
        ("canary-1", "canary", "python"),
        ("static-1", "static", engine),
    )
    entry, imap, pop3, smtp, rtsp, metrics, *rest = ports
    origins = tuple(
        OriginSpec(*line, port=port) for line, port in zip(layout, rest[: len(layout)], strict=True)
    )
    del rest[: len(layout)]
    films = len(film_rules.PERIODS)
    film = film_rules.plan_film(rtsp, rest[:films], directory)
    servers = mail_rules.plan_mail((imap, pop3, smtp), rest[films:], directory)
    return DemoSpec(directory, entry, metrics, origins, servers if mail else None, film)
