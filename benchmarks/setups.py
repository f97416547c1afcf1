"""The task that every proxy of a case gets, and its configuration made from the files in http/.

A line of those files that ends in `#@tag` stands only where the tag holds, `#@!tag` only where it
does not; `@NAME@` is replaced.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(__file__).parent / "http"
FILES = {
    "origin": "origin.conf",
    "haproxy": "haproxy.cfg",
    "nginx": "nginx.conf",
    "l7lb": "cluster.yaml",
    "bare splice": "bare_splice.c",
}
"""Kind of process → its template."""
FIXED_RULES = 2
"""/api/* and the default route, in every configuration."""
BULK_MIB = 16
TAGGED = re.compile(r"\s*#@(!?)(\w+)$")


@dataclass(frozen=True, slots=True)
class Setup:
    """`rules` counts all rules; all but two are a path together with a cookie."""

    rules: int = 3
    log: bool = True
    tls: bool = False
    workers: int = 1
    body_mib: int = 0
    """Size of response bodies, for peers that want other buffers for large ones."""
    always_splice: bool = True
    """HAProxy's splice-response beside splice-auto, which alone seldom splices."""

    @property
    def app_rules(self) -> int:
        return self.rules - FIXED_RULES

    @property
    def app(self) -> str:
        """Path below the rule in the middle."""
        return f"/app{self.app_rules // 2:05}/list/42"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a configuration is put to work."""

    folder: Path
    port: int
    origin: int
    certificate: Path


def render(kind: str, setup: Setup, site: Site) -> Path:
    """Write the configuration for one process into its folder; returns the main file."""
    site.folder.mkdir(parents=True, exist_ok=True)
    apps = [f"/app{n:05}/" for n in range(setup.app_rules)]
    if kind == "haproxy":
        (site.folder / "rules.map").write_text("".join(f"{app} beta\n" for app in apps))
    if kind == "nginx":
        (site.folder / "rules.conf").write_text("".join(map(nginx_rule, apps)))
    values = {
        "FOLDER": str(site.folder),
        "PORT": str(site.port),
        "ORIGIN": str(site.origin),
        "CERTIFICATE": str(site.certificate),
        "WORKERS": str(setup.workers),
        "USER": owner(),
        "APP_ROUTES": "".join(map(l7lb_rule, apps)),
    }
    tags = {
        "log": setup.log,
        "tls": setup.tls,
        "many": setup.app_rules > 1,
        "body": setup.body_mib > 0,
        "bulk": setup.body_mib > BULK_MIB,
        "splice": setup.always_splice,
    }
    text = filled((TEMPLATES / FILES[kind]).read_text(), tags, values)
    path = site.folder / FILES[kind]
    path.write_text(text)
    return path


def nginx_rule(app: str) -> str:
    return f"location ^~ {app} {{ proxy_pass http://$app_pool; }}\n"


def l7lb_rule(app: str) -> str:
    return f'      - {{path: {app}*, cookie: {{beta: "1"}}, pool: beta}}\n'


def filled(template: str, tags: dict[str, bool], values: dict[str, str]) -> str:
    lines = []
    for line in template.splitlines():
        tagged = TAGGED.search(line)
        if tagged is None:
            lines.append(line)
        elif tags[tagged[2]] != (tagged[1] == "!"):
            lines.append(line[: tagged.start()])
    return re.sub("@([A-Z_]+)@", lambda found: values[found[1]], "\n".join(lines) + "\n")


def owner() -> str:
    """User and group of this process; nginx would leave root for one that may not see our files."""
    return f"{pwd.getpwuid(os.getuid()).pw_name} {grp.getgrgid(os.getgid()).gr_name}"
