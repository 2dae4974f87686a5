"""A client that knows several nodes goes to the next when one is lost, does not answer, or drains."""

from __future__ import annotations

from sonde_client.links import next_url
from sonde_protocol.frames import Reconnect, Resume
from support.session_rig import URL, Rig, hello, resumed

SECOND, THIRD = "ws://second.test:9/v1/ws", "ws://third.test:9/v1/ws"


def fleet() -> Rig:
    return Rig(other_urls=(SECOND, THIRD))


def test_the_addresses_are_a_ring() -> None:
    ring = ("a", "b", "c")
    assert [next_url(ring, tried) for tried in ring] == ["b", "c", "a"]
    assert next_url(ring, "elsewhere") == "a"
    assert next_url(("a",), "a") == "a"


def test_a_lost_node_is_left_for_the_next_and_the_session_resumed_there() -> None:
    rig = fleet()
    rig.go_live()
    assert rig.dials[-1].url == URL
    rig.lose()
    rig.redial()
    assert rig.dials[-1].url == SECOND
    rig.opened()
    assert isinstance(rig.take_sent()[-1], Resume)
    rig.receive(hello(), resumed())
    assert rig.state == "live"


def test_nodes_that_do_not_answer_are_tried_in_turn() -> None:
    rig = fleet()
    rig.connect()
    tried = [rig.dials[-1].url]
    for _ in range(4):
        rig.fail()
        rig.redial()
        tried.append(rig.dials[-1].url)
    assert tried == [URL, SECOND, THIRD, URL, SECOND]


def test_a_draining_node_is_left_for_the_next_before_the_first_connection_goes() -> None:
    rig = fleet()
    rig.go_live()
    rig.receive(Reconnect(in_ms=0, deadline_ms=10_000))
    rig.advance(0)
    assert rig.dials[-1].url == SECOND
    rig.opened(2)
    rig.receive(hello(), resumed(), dial=2)
    assert rig.state == "live"


def test_with_one_address_a_lost_connection_is_dialled_again_where_it_was() -> None:
    rig = Rig()
    rig.go_live()
    rig.lose()
    rig.redial()
    assert rig.dials[-1].url == URL
