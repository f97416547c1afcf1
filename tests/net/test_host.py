"""The engine is all that its connections ask of it."""

from l7lb.model_http import FixedReply
from l7lb.net.host import Host
from support.rig import Rig, cluster, route, service


async def test_the_engine_has_every_part_of_a_host() -> None:
    wanted = {name for name in (*vars(Host), *Host.__annotations__) if not name.startswith("_")}
    async with Rig(cluster(service(route(reply=FixedReply(204))))) as rig:
        assert {name for name in wanted if not hasattr(rig.engine, name)} == set()
