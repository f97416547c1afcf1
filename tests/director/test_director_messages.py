"""Everything that supervisor and workers say passes through pickle unchanged."""

import pickle
import re
from typing import get_args

import pytest

from l7lb.director import messages
from l7lb.director.messages import ToSupervisor, ToWorker
from l7lb.media.modes import Known
from l7lb.model import (
    Address,
    CheckSpec,
    ClusterSpec,
    Health,
    MatchSpec,
    PathKind,
    PathMatch,
    Place,
    PoolSpec,
    RouteSpec,
    ServerSpec,
    ServiceSpec,
)
from l7lb.pool.cells import Layout
from l7lb.pool.indices import Indices
from l7lb.pool.server import Admin, ServerUpdate
from l7lb_protocols.announce.listing import Listing

ROUTE = RouteSpec(
    "r",
    Place("f.yaml", 1, 2),
    MatchSpec(path=PathMatch(PathKind.REGEX, b"/x", re.compile(rb"/(x|y)"))),
    pools=(("web", 1),),
)
POOL = PoolSpec(
    "web", (ServerSpec("a", Address("::1", 80)),), check=CheckSpec(body=re.compile(b""))
)
SPEC = ClusterSpec({"web": POOL}, {"www": ServiceSpec("www", "http", (), (ROUTE,))})
UPDATE = ServerUpdate("a", Health.DOWN, Admin.DRAIN, 5.0, 3, (2, ("127.0.0.1", 80)), 7.0)
INDICES = Indices({("web", "a"): 3}, {"www": 1})
SAID: list[ToWorker | ToSupervisor] = [
    messages.Setup(1, 2, b"s", Layout(), 4, SPEC, INDICES, (("web", UPDATE),)),
    messages.Listen("www", 1),
    messages.Unlisten("www", 1),
    messages.Apply(2, SPEC, INDICES, (("web", UPDATE),)),
    messages.Update("web", UPDATE),
    messages.StatusRequest(3),
    messages.Ping(),
    messages.ReopenLogs(),
    messages.Learned("web", b"v", "a"),
    messages.MediaWays({("video", "media", "a"): Known(kernel="why")}),
    messages.HotSaid(Listing("a", 1, 2, (3, 4))),
    messages.Drain(1.5),
    messages.Ready(2),
    messages.Refused(2, "why"),
    messages.Report("ejected", {"pool": "web", "for_s": 1.5}),
    messages.StatusReply(3, {"connections": 1}),
    messages.Pong(),
    messages.Drained(1),
]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: object) -> None:
    assert pickle.loads(pickle.dumps(message, pickle.HIGHEST_PROTOCOL)) == message


def test_every_message_is_here() -> None:
    assert {type(message) for message in SAID} == {*get_args(ToWorker), *get_args(ToSupervisor)}
