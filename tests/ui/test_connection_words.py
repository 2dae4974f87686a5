from __future__ import annotations

from dataclasses import replace

import pytest

from sonde_client import ConnectionStatus
from sonde_client.errors import Failure, Severity
from sonde_client.status import Closed, ResumeReport
from sonde_lab.changes import GatewayState, GatewayStatus
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.connection_words import Shape, expiry_text, look_of

NOW = 1_000.0
LIVE_GATEWAY = GatewayStatus(kind="embedded", state=GatewayState.LIVE)
LOST = Closed(4002, "", "heartbeat", "server", True, None, NOW - 30)
REFUSED = Failure("dial_refused", Severity.WARNING, "Nobody listens at 127.0.0.1:1", "", "Start it.", NOW)


def status(state: ConnectionState, **more: object) -> ConnectionStatus:
    return replace(ConnectionStatus(state=state, since=NOW - 20, url="ws://host/v1/ws"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", list(ConnectionState))
def test_every_state_has_a_name_a_shape_a_colour_and_a_reason(state: ConnectionState) -> None:
    look = look_of(status(state), LIVE_GATEWAY, NOW)
    assert look.name
    assert look.token in {"ok", "warn", "bad", "accent", "dim"}
    assert look.reason


def test_states_that_share_a_shape_do_not_share_a_name() -> None:
    looks = [look_of(status(state), LIVE_GATEWAY, NOW) for state in ConnectionState]
    assert len({(look.shape, look.name) for look in looks}) == len(looks)


def test_a_live_connection_says_for_how_long() -> None:
    look = look_of(status(ConnectionState.LIVE), LIVE_GATEWAY, NOW)
    assert (look.name, look.shape, look.reason) == ("Live", Shape.DOT, "connected for 20 s")


def test_a_resumed_connection_says_after_what() -> None:
    resumed = status(
        ConnectionState.LIVE, since=NOW - 0.9, last_close=LOST, last_resume=ResumeReport(2, 15, 300.0)
    )
    assert look_of(resumed, LIVE_GATEWAY, NOW).reason == "resumed 0.9 s ago after 4002 heartbeat lost"
    assert look_of(resumed, LIVE_GATEWAY, NOW + 500).reason.startswith("connected for")


def test_a_connection_that_was_cut_was_resumed_after_an_unclean_close() -> None:
    cut = Closed(None, "", "dropped on purpose", "client", True, None, NOW - 1)
    resumed = status(
        ConnectionState.LIVE, since=NOW - 0.9, last_close=cut, last_resume=ResumeReport(2, 15, 300.0)
    )
    assert look_of(resumed, LIVE_GATEWAY, NOW).reason == "resumed 0.9 s ago after an unclean close"


def test_waiting_counts_down_and_names_the_cause() -> None:
    waiting = status(ConnectionState.WAITING, since=NOW - 1, next_try_at=NOW + 3, last_close=LOST)
    look = look_of(waiting, LIVE_GATEWAY, NOW)
    assert look.reason == "4002 heartbeat lost · retry in 3.0 s"
    assert look.wait_share == pytest.approx(0.75)
    assert look_of(waiting, LIVE_GATEWAY, NOW + 2).wait_share == pytest.approx(0.25)
    assert look_of(waiting, LIVE_GATEWAY, NOW + 9).wait_share == 0.0


def test_a_failed_dial_is_the_cause_after_the_first_try() -> None:
    waiting = status(
        ConnectionState.WAITING, next_try_at=NOW + 3, last_close=LOST, attempts=2, failure=REFUSED
    )
    assert look_of(waiting, LIVE_GATEWAY, NOW).reason.startswith("Nobody listens at 127.0.0.1:1")


def test_a_dead_gateway_process_is_the_cause_of_all_causes() -> None:
    dead = GatewayStatus(kind="embedded", state=GatewayState.DEAD)
    waiting = status(ConnectionState.WAITING, next_try_at=NOW + 3, failure=REFUSED, attempts=1)
    assert look_of(waiting, dead, NOW).reason == "the gateway has ended · retry in 3.0 s"


def test_a_stopped_connection_says_what_stopped_it() -> None:
    refused = replace(REFUSED, title="The token was refused")
    look = look_of(status(ConnectionState.STOPPED, failure=refused), LIVE_GATEWAY, NOW)
    assert (look.shape, look.reason) == (Shape.CROSS, "The token was refused")


def test_a_gateway_that_asks_to_move_is_told() -> None:
    assert look_of(status(ConnectionState.LIVE, draining=True), LIVE_GATEWAY, NOW).name == "Moving"


@pytest.mark.parametrize(
    ("gateway", "name"),
    [
        (GatewayState.STARTING, "Starting"),
        (GatewayState.DEAD, "Disconnected"),
        (GatewayState.NONE, "No endpoint"),
        (GatewayState.LIVE, "Disconnected"),
    ],
)
def test_before_there_is_a_connection_the_gateway_speaks(gateway: GatewayState, name: str) -> None:
    assert look_of(None, GatewayStatus(state=gateway), NOW).name == name


def test_a_connection_that_we_closed_says_so() -> None:
    ours = Closed(1000, "", "left", "client", False, None, NOW)
    assert look_of(status(ConnectionState.IDLE, last_close=ours), LIVE_GATEWAY, NOW).reason == "closed by us"


@pytest.mark.parametrize(
    ("left_s", "text"),
    [(3492, "58:12"), (3761, "1:02:41"), (59, "00:59"), (0, "expired"), (-5, "expired")],
)
def test_the_token_counts_down(left_s: int, text: str) -> None:
    assert expiry_text(1_000_000 + left_s, 1_000_000.0) == text


def test_a_token_without_an_end_says_nothing() -> None:
    assert expiry_text(None, 0.0) == ""


def test_a_proxy_says_what_passes_and_between_whom() -> None:
    gateway = GatewayStatus(
        "proxy", GatewayState.LIVE, url="ws://127.0.0.1:9100/", upstream="ws://game:80", proxied=1
    )
    look = look_of(None, gateway, NOW)
    assert (look.name, look.shape) == ("Proxying", Shape.DOT)
    assert look.reason == "1 connection · ws://127.0.0.1:9100/ → ws://game:80"
    dead = look_of(None, GatewayStatus("proxy", GatewayState.DEAD), NOW)
    assert dead.reason == "the proxy has ended"
