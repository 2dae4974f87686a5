"""One happening, one line; nothing from a peer can make it two, and no secret stands in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from sonde_server.logs import configure_logs
from support.handmade_tokens import claims, signed

log = logging.getLogger("sonde_server.test")
EVIL = "ada\r\n2026 level=error forged\x1b[2J\x7f\u0085\u2028end"


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    level = root.level
    handler = configure_logs(request.param, "info", stream)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_what_a_peer_wrote_is_escaped_and_stays_on_its_line(lines: io.StringIO) -> None:
    log.info("refused", extra={"reason": EVIL})
    text = lines.getvalue()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert text.isascii()
    assert "forged" in text


def test_message_with_controls_is_escaped_too(lines: io.StringIO) -> None:
    log.info(EVIL)
    assert lines.getvalue().rstrip("\n").isprintable()


def test_tokens_are_masked_wherever_they_stand(lines: io.StringIO) -> None:
    token = signed(claims())
    log.info(
        "bearer %s", token, extra={"token": "hunter2hunter2", "header": f"Authorization: Bearer {token}"}
    )
    log.info("subprotocol sonde.bearer.%s", token)
    text = lines.getvalue()
    assert token not in text
    assert token.rpartition(".")[2] not in text
    assert "hunter2hunter2" not in text


def test_exception_is_part_of_its_line(lines: io.StringIO) -> None:
    log.info("failed", exc_info=RuntimeError(EVIL))
    assert lines.getvalue().count("\n") == 1
    assert "RuntimeError" in lines.getvalue()


def test_less_severe_lines_are_left_out(lines: io.StringIO) -> None:
    log.debug("detail")
    assert lines.getvalue() == ""


def test_json_line_can_be_read_back(lines: io.StringIO) -> None:
    log.info("refused", extra={"reason": EVIL, "number": 5, "share": 0.5, "none": None})
    text = lines.getvalue()
    if text.startswith("{"):
        line = json.loads(text)
        assert (line["event"], line["reason"], line["number"], line["none"]) == ("refused", EVIL, 5, None)
    else:
        assert "event=refused" in text
        assert "number=5" in text
    assert list(map(text.find, ("timestamp", "level", "logger", "event"))) == sorted(
        map(text.find, ("timestamp", "level", "logger", "event"))
    )
