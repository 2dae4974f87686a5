"""A connection's states and ends in words."""

from __future__ import annotations

import pytest

from sonde_client import Closed, ConnectionStatus
from sonde_client.errors import failure
from sonde_client.status import SocketEnd
from sonde_lab.watch import close_in_words, state_in_words, state_of
from sonde_protocol.states import ConnectionState


@pytest.mark.parametrize(
    ("close", "last_frame_at", "words"),
    [
        (Closed(4002, "", "heartbeat lost", "server", True, None, 30.0), 7.5, "4002 heartbeat lost — by the server, 22.5 s after the last frame received"),
        (Closed(4410, "", "cheating", "server", False, None, 5.0), None, "4410 kicked — by the server (cheating)"),
        (Closed(None, "", "", "network", True, None, 5.0), 5.0, "closed without a close frame — by the network, 0.0 s after the last frame received"),
        (Closed(None, "", "", "network", True, None, 5.0, SocketEnd.RESET), None, "closed without a close frame — by the network, its socket was reset (RST)"),
        (Closed(None, "", "", "network", True, None, 5.0, SocketEnd.FIN), 4.0, "closed without a close frame — by the network, its socket was closed (FIN), 1.0 s after the last frame received"),
        (Closed(4999, "", "", "server", False, None, 1.0), 2.0, "4999 unknown code, treated as 'resume' — by the server"),
    ],
)  # fmt: skip
def test_close_names_code_name_cause_who_and_silence(
    close: Closed, last_frame_at: float | None, words: str
) -> None:
    assert close_in_words(close, last_frame_at) == words


REFUSED = failure("dial_refused", "127.0.0.1:1 refused.", 1.0)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ConnectionStatus(state=ConnectionState.DIALING, url="ws://h"), "dialing ws://h"),
        (ConnectionStatus(state=ConnectionState.DIALING, url="ws://h", attempts=3), "dialing ws://h, try 3"),
        (ConnectionStatus(state=ConnectionState.WAITING, since=1.0, next_try_at=2.4, failure=REFUSED), "waiting 1.4 s before the next try: The connection was refused"),
        (ConnectionStatus(state=ConnectionState.WAITING), "waiting"),
        (ConnectionStatus(state=ConnectionState.LIVE, user="you", roles=frozenset({"b", "a"}), session="s7f3a1b2c3", generation=2), "live as you (a, b), session s7f3a1…, generation 2"),
        (ConnectionStatus(state=ConnectionState.STOPPED, failure=REFUSED), "stopped: The connection was refused. 127.0.0.1:1 refused."),
        (ConnectionStatus(state=ConnectionState.CLOSING), "saying goodbye"),
        (ConnectionStatus(state=ConnectionState.IDLE), "not connected"),
    ],
)  # fmt: skip
def test_state_is_told_in_words(status: ConnectionStatus, words: str) -> None:
    assert state_in_words(status) == words


@pytest.mark.parametrize("state", list(ConnectionState))
@pytest.mark.parametrize("why", [None, REFUSED])
@pytest.mark.parametrize("next_try_at", [None, 2.0])
def test_a_sentence_tells_its_state_again(
    state: ConnectionState, why: object, next_try_at: float | None
) -> None:
    status = ConnectionStatus(state=state, failure=why, next_try_at=next_try_at)  # type: ignore[arg-type]
    assert state_of(state_in_words(status)) is state


@pytest.mark.parametrize("text", ["", "a client has connected from 127.0.0.1:5", "dial 3 to h:9: upgrade 1.00 ms", "Live as x", "stoppedx", "waitingx"])  # fmt: skip
def test_other_sentences_tell_of_no_state(text: str) -> None:
    assert state_of(text) is None
