"""The demo's film without a director: players come straight to one media server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

from l7lb.demo import film_rules
from l7lb.demo.cluster import Cluster
from l7lb.demo.film_rules import FilmSpec, plan_film
from l7lb.demo.film_scenes import COLUMNS, FilmStage
from l7lb.demo.table import Table
from l7lb.mediaserver.process import House
from l7lb.mediaserver.spec import ServerSpec


class StandIn:
    """A cluster that is v1; where its port is known, players find it there."""

    def __init__(self, directory: Path, port: int) -> None:
        self.spec = self
        self.port = port
        self.film: FilmSpec = plan_film(port, [1, 2], directory)


async def one_house(directory: Path) -> House:
    """v1 with its clip, started."""
    film = plan_film(0, [1, 2], directory)
    house = House(ServerSpec("v1", film_rules.write(film, film.servers[0])))
    await house.start()
    return house


def stage_before(house: House, directory: Path) -> FilmStage:
    cluster = cast("Cluster", StandIn(directory, house.port))
    return FilmStage(cluster, Table(io.StringIO(), COLUMNS))
