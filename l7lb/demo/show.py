"""The demo from start to end: what `make demo` and `l7lb demo` do."""

import asyncio
import sys
from pathlib import Path

from l7lb.demo import film_scenes, mail_scenes, scenes
from l7lb.demo.cluster import Cluster, DemoFailed, find_nginx, has_mail_server
from l7lb.demo.mail_rules import PASSWORD, USERS, MailSpec
from l7lb.demo.processes import Processes
from l7lb.demo.table import Table

DIRECTORY = Path("build/demo")


def stop(directory: Path) -> int:
    """Ends what an earlier demo left in this directory; returns how many processes that was."""
    return Processes.load(directory / "processes.json").stop_all()


def run(directory: Path, program: str, *, leave: bool) -> int:
    """Plays every scene. 0: no request failed and each went where the rules say; else 1.

    With `leave` a good cluster stays up in the background. `program` is how the user calls l7lb.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    stop(directory)
    cluster = Cluster(directory, find_nginx(), mail=has_mail_server())
    table = Table(sys.stdout, [origin.name for origin in cluster.spec.origins])
    try:
        introduce(cluster, table)
        cluster.start()
        stage = scenes.Stage(cluster, table)
        asyncio.run(play(stage))
    except (DemoFailed, scenes.Unexpected) as error:
        table.note(f"\nThe demo failed: {error}. Logs are in {directory}.")
        cluster.stop()
        return 1
    except KeyboardInterrupt:
        cluster.stop()
        return 130
    return close(cluster, stage, program, leave=leave)


async def play(stage: scenes.Stage) -> None:
    await scenes.rules(stage)
    await scenes.survive(stage)
    await play_film(stage)
    if stage.cluster.spec.mail is not None:
        table = Table(stage.table.out, mail_scenes.COLUMNS)
        mail = mail_scenes.MailStage(stage.cluster, table)
        try:
            await mail_scenes.play(mail)
        finally:
            stage.failures += mail.failures
            stage.visits += mail.visits


async def play_film(stage: scenes.Stage) -> None:
    table = Table(stage.table.out, film_scenes.COLUMNS)
    film = film_scenes.FilmStage(stage.cluster, table)
    try:
        await film_scenes.play(film, film_scenes.find_ffmpeg())
    finally:
        stage.failures += film.failures


def introduce(cluster: Cluster, table: Table) -> None:
    spec = cluster.spec
    table.note(f"rules file  {relative(spec.rules_file)}")
    table.note(f"origins     {scenes.by_engine(spec.origins)}")
    names = ", ".join(server.name for server in spec.film.servers)
    player = "ffmpeg and players of ours" if film_scenes.find_ffmpeg() else "players of ours"
    table.note(f"film        {names}, watched by {player}")
    if spec.mail is None:
        table.note("mail        left out: pip install 'l7lb[mailserver]'")
    else:
        names = ", ".join(server.name for server in spec.mail.servers)
        table.note(f"mail        {names}, on one folder; {len(USERS)} users")
    table.note(f"director    http://127.0.0.1:{spec.port}, two workers; {spec.film.url}")
    if spec.mail is not None:
        ports = {"smtp": spec.mail.smtp, "imap": spec.mail.imap, "pop3": spec.mail.pop3}
        table.note("            " + ", ".join(f"{n} 127.0.0.1:{p}" for n, p in ports.items()))


def close(cluster: Cluster, stage: scenes.Stage, program: str, *, leave: bool) -> int:
    """The verdict, what to try next, and whether the cluster stays."""
    table, failures = stage.table, stage.failures
    table.note(f"\n{stage.visits} requests, {len(failures)} failed.")
    for failure in failures[:5]:
        table.note(f"  {failure}")
    if failures or not leave:
        cluster.stop()
    table.note("\nTry:" if leave and not failures else "\nWith the cluster up you could try:")
    for command in commands(cluster, program):
        table.note(f"  {command}")
    if leave and not failures:
        table.note(f"\nThe cluster goes on in the background; `{program} demo --stop` ends it.")
    else:
        table.note(f"\nThe cluster has been stopped; `{program} demo --leave` keeps it up.")
    return 1 if failures else 0


def commands(cluster: Cluster, program: str) -> list[str]:
    spec = cluster.spec
    control = f"--control {relative(spec.control)}"
    return [
        f"curl -i -H 'Host: shop.demo.test' http://127.0.0.1:{spec.port}/api/items",
        f"{program} status {control}",
        f"{program} drain web/web-1 {control}",
        f"{program} explain {relative(spec.rules_file)} rtsp {spec.film.url}",
        f"ffplay -rtsp_transport udp {spec.film.url}",
        *(() if spec.mail is None else mail_commands(cluster, spec.mail, program)),
    ]


def mail_commands(cluster: Cluster, mail: MailSpec, program: str) -> list[str]:
    user = USERS[0]
    control = f"--control {relative(cluster.spec.control)}"
    return [
        f"curl -u {user}:{PASSWORD} 'imap://127.0.0.1:{mail.imap}/INBOX;MAILINDEX=1'",
        f"{program} explain {relative(cluster.spec.rules_file)} imap {user}",
        f"{program} where {control}",
        f"{program} kick {user} {control}",
    ]


def relative(path: Path) -> Path:
    """As the user would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
