"""The commands of `sonde client --json`: what each takes, as a table, and one line read into one of them.

Owns the table, which the documentation shows, and the sentences about lines that are none. A line is hostile: it is
bounded, and whatever is wrong with it is an answer and nothing else.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sonde_lab.wording import one_line, short
from sonde_protocol.errors import NotCanonical, SondeError
from sonde_protocol.merge import canonical

MAX_LINE_BYTES: Final = 256 * 1024
_ANY: Final = "any JSON"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "number": (int, float),
    "integer": (int,),
    "yes or no": (bool,),
    "object": (dict,),
    _ANY: (object,),
}


class Key(NamedTuple):
    """One key of a command. `kind` is a name of the types above; `words`: the only texts that it may be."""

    name: str
    kind: str
    default: Any = None
    is_needed: bool = False
    words: tuple[str, ...] = ()
    low: float = 0
    high: float = 2**53 - 1


class Does(NamedTuple):
    """One command."""

    says: str
    keys: tuple[Key, ...] = ()
    answers: str = ""  # what `result` of its answer is


_CH: Final = Key("ch", "text", is_needed=True)
COMMANDS: Final[Mapping[str, Does]] = {
    "subscribe": Does(
        "join a channel",
        (_CH, Key("presence", "yes or no", False), Key("state", "yes or no", True)),
    ),
    "unsubscribe": Does("leave a channel", (_CH,)),
    "publish": Does(
        "publish an event",
        (
            _CH,
            Key("type", "text", is_needed=True),
            Key("d", _ANY),
            Key("class", "text", "reliable", words=("reliable", "latest", "volatile")),
            Key("key", "text"),
        ),
        "`seq`: its number; null for a volatile one",
    ),
    "patch": Does(
        "change a channel's document by a merge patch",
        (_CH, Key("d", "object", is_needed=True), Key("base", "integer")),
        "`seq`: the number of the entry that holds it",
    ),
    "presence": Does(
        "say how others see this client",
        (
            Key("status", "text", is_needed=True, words=("online", "away", "busy", "invisible")),
            Key("activity", "text"),
            Key("meta", _ANY),
        ),
    ),
    "history": Does(
        "entries of a channel after a number, oldest first",
        (_CH, Key("after", "integer", 0), Key("limit", "integer", 100, low=1, high=1_000)),
        "`entries`: each as the event `entry`",
    ),
    "state": Does("a channel's document", (_CH,), "`d`, and its `seq`"),
    "members": Does(
        "who is in a channel", (_CH,), "`members`: each with `session`, `user`, `name`, `status`"
    ),
    "status": Does("where the connection stands", (), "as the event `status`"),
    "drop": Does("cut the socket without a word, as a network does"),
    "refuse": Does("let dials fail as refused for a while", (Key("for_s", "number", 10.0, high=3_600),)),
    "retry": Does("do not wait for the next try"),
    "raw": Does("send one text message as it is, nonsense included", (Key("text", "text", is_needed=True),)),
    "close": Does(
        "leave; 1000 ends the session, 4000 leaves it to be resumed",
        (Key("code", "integer", 1000, low=1000, high=4999), Key("reason", "text", "")),
    ),
    "connect": Does("connect again after `close`, or after the client has stopped"),
}


class LineRefused(SondeError):
    """A line that is no command. `id` is its own, where it could be read; `key` is where it goes wrong."""

    def __init__(self, message: str, id: Any = None, key: str = "", nearest: str = "") -> None:
        super().__init__(message)
        self.id = id
        self.key = key
        self.nearest = nearest


class Order(NamedTuple):
    """A command with every key that it has."""

    do: str
    id: int | str | None
    values: dict[str, Any]


def read(line: bytes) -> Order:
    """One line.

    Raises:
        LineRefused: it is no command; the message is a sentence without its number.
    """
    if len(line) > MAX_LINE_BYTES:
        raise LineRefused(f"a line has at most {MAX_LINE_BYTES:,} bytes")
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise LineRefused(f"it is no UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise LineRefused(f"it is no JSON: {error.msg} at character {error.pos + 1}") from None
    except (ValueError, RecursionError) as error:
        raise LineRefused(f"it is no JSON: {one_line(str(error), 120)}") from None
    if not isinstance(value, dict):
        raise LineRefused('a command is an object such as {"do": "status", "id": 1}')
    return _order(value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _order(value: dict[str, Any]) -> Order:
    id = value.get("id")
    if isinstance(id, bool) or not isinstance(id, int | str | None) or len(str(id)) > 64:
        raise LineRefused("'id' is an integer or a text of at most 64 characters", key="id")
    do = value.get("do")
    if not isinstance(do, str):
        raise LineRefused("'do' is missing: it says what to do", id, "do")
    command = COMMANDS.get(do)
    if command is None:
        near, guess = _nearest(do, COMMANDS)
        raise LineRefused(f"'{one_line(do, 40)}' is nothing that can be done{guess}", id, "do", near)
    known = {key.name: key for key in command.keys}
    for name in value:
        if name not in known and name not in ("do", "id"):
            near, guess = _nearest(name, known)
            raise LineRefused(f"'{do}' takes no '{one_line(name, 40)}'{guess}", id, name[:40], near)
    return Order(do, id, {name: _checked(do, key, value, id) for name, key in known.items()})


def _checked(do: str, key: Key, value: dict[str, Any], id: Any) -> Any:
    if key.name not in value:
        if key.is_needed:
            raise LineRefused(f"'{do}' needs '{key.name}' ({key.kind})", id, key.name)
        return key.default
    given: Any = value[key.name]
    types: Any = _TYPES[key.kind]
    if given is None and not key.is_needed:
        return key.default
    is_flag = isinstance(given, bool) and key.kind not in ("yes or no", _ANY)
    if is_flag or not isinstance(given, types):
        raise LineRefused(f"'{key.name}' of '{do}' is {key.kind}, not {short(given)}", id, key.name)
    if key.words and given not in key.words:
        near, guess = _nearest(given, key.words)
        raise LineRefused(f"'{key.name}' of '{do}' is no '{one_line(given, 40)}'{guess}", id, key.name, near)
    _refuse_unsendable(do, key, given, id)
    if key.kind in ("number", "integer") and not key.low <= given <= key.high:
        raise LineRefused(f"'{key.name}' of '{do}' lies between {key.low:g} and {key.high:g}", id, key.name)
    return given


def _refuse_unsendable(do: str, key: Key, given: Any, id: Any) -> None:
    """What the wire cannot say: infinities, numbers beyond 2^53, half characters, endless nesting."""
    if key.kind in ("number", "integer"):
        return  # its bounds are narrower
    try:
        canonical(given)
    except NotCanonical as error:
        raise LineRefused(f"'{key.name}' of '{do}' cannot be sent: {error}", id, key.name) from None


def _nearest(given: str, known: Any) -> tuple[str, str]:
    """The nearest valid name, and the end of a sentence that says so."""
    near = difflib.get_close_matches(given[:64], list(known), 1)
    if near:
        return near[0], f"; the nearest is '{near[0]}'"
    return "", f"; there are: {', '.join(known)}" if known else "; it takes none"
