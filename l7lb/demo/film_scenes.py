"""What the demo does with its film: players of ours, and ffmpeg where it is installed.

Counted are RTP packets by the server that they came from, and packets that crossed user space at
the director: in its relay, which counts them (UDP), or in a worker (all that came over the control
connection; ffmpeg tells of RTP only, players of ours of RTCP too).
"""

import asyncio
import json
import shutil
from pathlib import Path

from l7lb.demo import film_rules
from l7lb.demo.film_client import FilmFailed, Player, Viewing
from l7lb.demo.film_rules import FilmSpec
from l7lb.demo.scenes import Stage, Tally, Unexpected
from l7lb.errors import RelayAway
from l7lb.media.relay.client import RelayClient
from l7lb.media.relay.verbs import Counters

COLUMNS = ("v1", "v2", "relay", "worker")
PACKETS = 50
"""A second of the film."""
PLAYERS = 4
FFMPEG_S = 1.0
WAIT_S = 30.0
POLL_S = 0.1
FFMPEG_AGENT = "demo-ffmpeg-"
"""And the transport: by this its lines are found in the log, which is written a little later."""


class FilmStage(Stage):
    """A stage with a film; `visits` are players."""

    @property
    def film(self) -> FilmSpec:
        return self.cluster.spec.film

    @property
    def url(self) -> str:
        """What players are given."""
        return self.film.url


async def play(stage: FilmStage, ffmpeg: str | None) -> None:
    """All rows; those of ffmpeg where there is one."""
    stage.table.title("A film: control and media of a player meet one server")
    stage.table.head()
    await watched(stage, f"udp     {PLAYERS} players, a second each", udp=True)
    await watched(stage, f"tcp     {PLAYERS} players, over their control", udp=False)
    if ffmpeg is None:
        return
    await watched_by_ffmpeg(stage, "udp     ffmpeg", (ffmpeg, "udp"))
    await watched_by_ffmpeg(stage, "tcp     ffmpeg", (ffmpeg, "tcp"))


async def watched(stage: FilmStage, label: str, *, udp: bool) -> None:
    """Players that come one after another, and watch all at once."""
    before = await relayed(stage.film.relay) if udp else 0
    players: list[Player] = []
    viewings: list[Viewing | BaseException] = []
    async with stage.scene(label) as tally:
        try:
            while len(players) < PLAYERS:
                players.append(await patiently(stage.url, udp=udp))
            viewings += await asyncio.gather(
                *(player.play(PACKETS) for player in players), return_exceptions=True
            )
        except FilmFailed as error:
            tally.failures.append(str(error))
        finally:
            for player in players:
                player.close()
        for viewing in viewings:
            count(tally, viewing)
        tally.answered["relay"] = await relayed(stage.film.relay) - before if udp else 0
    if not tally.failures:
        meet(stage, label, tally, {"v1", "v2"}, udp=udp)


async def patiently(url: str, *, udp: bool) -> Player:
    """A server's first check, or the relay, may not be there yet: then the player comes again.
    Raises FilmFailed."""
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            return await Player.open(url, udp=udp)
        except FilmFailed:
            if asyncio.get_running_loop().time() > deadline_s:
                raise
        await asyncio.sleep(POLL_S)


def count(tally: Tally, viewing: Viewing | BaseException) -> None:
    """A player's control at one server and its media from another is a failure."""
    if isinstance(viewing, FilmFailed):
        tally.failures.append(str(viewing))
    elif isinstance(viewing, BaseException):
        raise viewing
    elif viewing.control != viewing.media:
        tally.failures.append(f"control at {viewing.control}, media from {viewing.media}")
    else:
        tally.answered[viewing.media] += viewing.packets
        tally.answered["worker"] += viewing.frames


def meet(stage: FilmStage, label: str, tally: Tally, expected: set[str], *, udp: bool) -> None:
    """Whether all these servers sent, and the packets took the way that they should."""
    servers = {each.name for each in stage.film.servers if tally.answered[each.name]}
    stage.expect(servers == expected, f"{label}: media from {sorted(servers)}")
    sent = sum(tally.answered[name] for name in servers)
    crossed = tally.answered["relay" if udp else "worker"]
    stage.expect(crossed >= sent, f"{label}: {sent} packets came, {crossed} went the way")


async def relayed(path: Path) -> int:
    """Packets that the relay has taken from servers so far. Raises Unexpected."""
    client = RelayClient(path, deadline_s=WAIT_S)
    client.start()
    try:
        found = await client.counters(Counters())
    except RelayAway as error:
        raise Unexpected(f"the relay does not answer: {error}") from None
    finally:
        await client.close()
    return int(str(found["server_packets"]))


# --------------------------------------------------------------------------- ffmpeg


def find_ffmpeg() -> str | None:
    return shutil.which("ffmpeg")


async def watched_by_ffmpeg(stage: FilmStage, label: str, how: tuple[str, str]) -> None:
    """`how`: program and transport. Whom its control met stands in the director's access log, and
    whom its media came from is heard in it."""
    film, udp = stage.film, how[1] == "udp"
    before = await relayed(film.relay) if udp else 0
    at = film.log.stat().st_size if film.log.exists() else 0
    async with stage.scene(label) as tally:
        try:
            heard = await hear(stage.url, how)
            packets = len(heard) // film_rules.PACKET
            control = await logged(film.log, at, how[1])
            frames = 0 if udp else packets
            count(tally, Viewing(control, singer(film, heard), packets, frames))
        except FilmFailed as error:
            tally.failures.append(str(error))
        else:
            tally.answered["relay"] = await relayed(film.relay) - before if udp else 0
    if not tally.failures:
        one = {name for name in ("v1", "v2") if tally.answered[name]}
        meet(stage, label, tally, one, udp=udp)


async def hear(url: str, how: tuple[str, str]) -> bytes:
    """The sound as it came. Raises FilmFailed."""
    program, transport = how
    words = ["-v", "error", "-nostdin", "-user_agent", FFMPEG_AGENT + transport]
    words += ["-rtsp_transport", transport, "-i", url]
    words += ["-t", str(FFMPEG_S), "-c", "copy", "-f", "mulaw", "-"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, *words, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(WAIT_S):
            heard, said = await process.communicate()
    except TimeoutError:
        raise FilmFailed(f"ffmpeg was not done in {WAIT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not heard:
        raise FilmFailed(f"ffmpeg: {said.decode(errors='replace').strip()[-200:]}")
    return heard


def singer(film: FilmSpec, heard: bytes) -> str:
    """Whose tone this is, packet by packet; several names if it is mixed."""
    tones = {film_rules.tone(server): server.name for server in film.servers}
    size = film_rules.PACKET
    pieces = {heard[at : at + size] for at in range(0, len(heard), size)}
    return "+".join(sorted({tones.get(piece, "nobody") for piece in pieces}))


async def logged(log: Path, at: int, transport: str) -> str:
    """The server that got ffmpeg's requests, from the log behind `at`. Raises FilmFailed."""
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while asyncio.get_running_loop().time() < deadline_s:
        if servers := met(log, at, transport):
            return "+".join(servers)
        await asyncio.sleep(POLL_S)
    raise FilmFailed(f"{log.name} does not speak of ffmpeg")


def met(log: Path, at: int, transport: str) -> list[str]:
    """Servers of ffmpeg's requests behind `at`; none while PLAY is not there."""
    lines = log.read_bytes()[at:].splitlines(keepends=True) if log.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    own = [each for each in whole if each["user_agent"] == FFMPEG_AGENT + transport]
    if not any(each["method"] == "PLAY" for each in own):
        return []
    return sorted({each["server"] for each in own})
