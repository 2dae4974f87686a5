"""What a person typed into the composer: is it a frame or a command word, and where is it wrong.

Pure. Owns the check while typing, the templates and the history. The lab's composer is the judge when it is
sent; here its rules are told early, with the place. Nonsense may be sent on purpose: behind a `!`, as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sonde_lab.faults.rules import RuleRefused
from sonde_lab.faults.without_proxy import rule_for_gateway
from sonde_lab.faults.words import rule_in_words
from sonde_protocol.codes import close_name
from sonde_ui.desktop.models.plain import one_line

HISTORY: Final = 50
LONGEST: Final = 1 << 20  # characters
AS_IT_IS: Final = "With a ! in front it is sent as it is."
CLOSE_CODES: Final = range(3000, 5000)
PLAIN_CLOSE: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


@dataclass(slots=True, frozen=True)
class Check:
    """The verdict on a text: `problem` is empty when it can be sent. `line` and `column` count from 1."""

    problem: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""  # what will be sent, or what is unusual about it


@dataclass(slots=True, frozen=True)
class Template:
    """Something to start from."""

    name: str
    text: str


def check(text: str) -> Check:
    """Look at what was typed."""
    stripped = text.strip()
    if not stripped:
        return Check("Nothing to send yet.")
    if len(stripped) > LONGEST:
        return Check(f"That is longer than {LONGEST:,} characters.")
    if stripped.startswith("!"):
        return Check(hint=f"Sent as it is: {len(stripped) - 1:,} characters.")
    if stripped.startswith("/"):
        return _check_command(stripped)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return Check(f"{error.msg}. {AS_IT_IS}", error.lineno, error.colno)
    except RecursionError:
        return Check(f"Nested too deeply. {AS_IT_IS}")
    except ValueError as error:
        return Check(f"{one_line(str(error), 120)}. {AS_IT_IS}")
    return _check_frame(value)


def _check_frame(value: Any) -> Check:
    op = value.get("op") if isinstance(value, dict) else None
    if not isinstance(op, str):
        return Check(f"A frame is an object with an “op”. {AS_IT_IS}", 1, 1)
    numbered = "as it stands, with its own id" if "id" in value else "numbered by the client"
    return Check(hint=f"A {one_line(op, 40)} frame, {numbered}.")


def _check_command(text: str) -> Check:
    word, _, rest = text.partition(" ")
    if word in ("/ping", "/pong"):
        if len(rest.encode("utf-8", "replace")) > 125:
            return Check("A control frame holds at most 125 bytes.", 1, 7)
        return Check(hint=f"A protocol {word[1:]}" + (f" with “{one_line(rest, 40)}”." if rest else "."))
    if word == "/close":
        return _check_close(rest.strip())
    if word == "/fault":
        return _check_fault(rest)
    known = "/ping, /pong, /close CODE reason or /fault RULE"
    return Check(f"There is no command {one_line(word, 40)}: use {known}.", 1, 1)


def _check_fault(rest: str) -> Check:
    try:
        rule = rule_for_gateway(rest)
    except RuleRefused as refused:
        said = f"{refused.message[:1].upper()}{refused.message[1:]}."
        return Check(said, 1, len("/fault ") + 1 + (refused.position or 0))
    return Check(hint=f"The gateway does this to your session: {rule_in_words(rule)}.")


def _check_close(rest: str) -> Check:
    number, _, reason = rest.partition(" ")
    if not number:
        return Check(hint="Closes with 1000 normal.")
    if not (number.isascii() and number.isdigit() and len(number) <= 5):
        return Check(f"“{one_line(number, 20)}” is no close code.", 1, 8)
    code = int(number)
    if code not in PLAIN_CLOSE and code not in CLOSE_CODES:
        return Check(f"{code} may not be sent: 1000 to 1014 as registered, or 3000 to 4999.", 1, 8)
    if len(reason.encode("utf-8", "replace")) > 123:
        return Check("The reason is longer than the 123 bytes that a close frame holds.", 1, 8 + len(number))
    return Check(hint=f"Closes with {code} {close_name(code)}.")


def templates(user: str, room: str, event_types: tuple[str, ...]) -> list[Template]:
    """Frames to start from: the protocol's own, then one for each event type that was seen."""
    frames: list[tuple[str, dict[str, Any]]] = [
        ("Say something", {"op": "publish", "ch": room, "type": "chat", "d": {"text": "hello"}}),
        ("Move myself", {"op": "patch", "ch": room, "d": {"players": {user: {"x": 10, "y": 10}}}}),
        ("Go away", {"op": "set_presence", "status": "away", "activity": "idle"}),
        ("Come back", {"op": "set_presence", "status": "online"}),
        ("Read history", {"op": "history", "ch": room, "after": 0, "limit": 20}),
        ("Ask for a snapshot", {"op": "sync", "ch": room}),
        ("Subscribe", {"op": "subscribe", "ch": "room:other", "presence": True}),
        ("Ping", {"op": "ping", "t": 1}),
    ]
    frames += [
        (f"Publish {name}", {"op": "publish", "ch": room, "type": name, "d": {}})
        for name in event_types
        if name != "chat"
    ]
    made = [
        Template(one_line(name, 60), json.dumps(frame, indent=2, ensure_ascii=False))
        for name, frame in frames
    ]
    commands = [
        ("Protocol ping", "/ping"),
        ("Protocol pong", "/pong"),
        ("Close: try again later", "/close 1013 try again later"),
        ("Fault: rate limit", "/fault rate_limit for=30s"),
    ]
    return made + [Template(name, text) for name, text in commands]


class History:
    """What was sent, newest last, and the draft that was left to look back."""

    def __init__(self) -> None:
        self._sent: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, text: str) -> None:
        """Remember a text that was sent; the same twice in a row is once."""
        if not self._sent or self._sent[-1] != text:
            self._sent.append(text)
            del self._sent[:-HISTORY]
        self._at = len(self._sent)

    def older(self, current: str) -> str | None:
        """The text before; `None` at the oldest."""
        if self._at == len(self._sent):
            self._draft = current
        if self._at == 0:
            return None
        self._at -= 1
        return self._sent[self._at]

    def newer(self) -> str | None:
        """The text after, at last the draft; `None` when already there."""
        if self._at >= len(self._sent):
            return None
        self._at += 1
        return self._sent[self._at] if self._at < len(self._sent) else self._draft
