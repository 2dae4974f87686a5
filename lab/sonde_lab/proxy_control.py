"""The control interface of a proxy's fault lab: HTTP on an address of its own, for tests in any language.

Owns the paths and who may use them: whoever knows the token, from a program, not from a page of the web. A browser is
refused by its Origin, DNS rebinding by its Host, everybody else by the token, compared in constant time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from sonde_lab.control_held import HELD, HeldPages
from sonde_lab.control_http import BadRequest, ControlRequest, RequestReader, response
from sonde_lab.faults.grammar import parse_rule, rule_of
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.presets import preset, presets
from sonde_lab.faults.rules import Armed, RuleRefused
from sonde_lab.faults.telling import act_told, kind_told, rule_told, stream_told
from sonde_lab.proxy_head import Address, is_loopback, joined, split_host
from sonde_protocol.faults import KINDS

MAX_SOCKETS: Final = 32
REQUEST_S: Final = 5.0
MAX_ACTS: Final = 1_000
LEAST_TOKEN: Final = 16
_MAX_TOKEN: Final = 512


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def token_of(path: str) -> str:
    """The token in a file, alone on its line.

    Raises:
        ValueError: the file cannot be read, or holds none; the message is a sentence.
    """
    try:
        with Path(path).open(encoding="ascii") as file:
            token = file.read(_MAX_TOKEN + 2).strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"--control-token: the file cannot be read ({getattr(error, 'strerror', '') or 'no ASCII'})"
        ) from None
    if not LEAST_TOKEN <= len(token) <= _MAX_TOKEN or not token.isprintable() or " " in token:
        raise ValueError(
            f"--control-token: the file holds one word of {LEAST_TOKEN} to {_MAX_TOKEN} characters"
        )
    return token


class ControlPages:
    """What is answered, to whom."""

    def __init__(self, lab: FaultLab, token: str, is_loopback: bool) -> None:
        self._lab = lab
        self._token = token.encode()
        self._is_loopback = is_loopback
        self._held = HeldPages(lab)
        self.paths: dict[tuple[str, str], Callable[[ControlRequest], Any]] = {
            ("GET", "/v1/faults"): self._faults,
            ("GET", "/v1/presets"): self._presets,
            ("GET", "/v1/connections"): self._connections,
            ("GET", "/v1/rules"): self._rules,
            ("POST", "/v1/rules"): self._arm,
            ("POST", "/v1/reset"): self._reset,
            ("GET", "/v1/acts"): self._acts,
            ("GET", "/v1/held"): lambda _request: self._held.all(),
            ("POST", "/v1/release"): lambda _request: self._held.let_all_go(),
        }

    def answer(self, request: ControlRequest) -> bytes:
        """One answer; a refusal says why."""
        try:
            self._refuse_strangers(request)
            return response(200, self._asked(request))
        except BadRequest as refused:
            headers = (("WWW-Authenticate", "Bearer"),) if refused.status == 401 else ()
            return response(refused.status, _refusal(refused.message, refused.position), headers)
        except RuleRefused as refused:
            return response(422, _refusal(refused.message, refused.position))

    def _refuse_strangers(self, request: ControlRequest) -> None:
        host = request.one("host")
        if host is None or (self._is_loopback and not is_loopback(split_host(host))):
            raise BadRequest(421, "this Host is not served here: use 127.0.0.1 or localhost")
        if request.all("origin") or request.all("sec-fetch-site"):
            raise BadRequest(403, "this is for programs, not for pages of the web")
        scheme, _, token = (request.one("authorization") or "").partition(" ")
        given = token.strip().encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._token) or scheme.lower() != "bearer":
            raise BadRequest(401, "the token is missing or wrong: send Authorization: Bearer …")
        if request.method == "POST" and _media_type(request) != "application/json":
            raise BadRequest(415, "a body is application/json")

    def _asked(self, request: ControlRequest) -> Any:
        path = request.path.partition("?")[0]
        if request.method == "DELETE" and path.startswith("/v1/rules/"):
            return self._disarm(path.removeprefix("/v1/rules/"))
        if path.startswith(HELD) and request.method in ("GET", "POST", "DELETE"):
            asked = _object(request.body) if request.method == "POST" else None
            return self._held.one(request.method, path.removeprefix(HELD), asked)
        page = self.paths.get((request.method, path))
        if page is not None:
            return page(request)
        if any(known == path for _, known in self.paths):
            raise BadRequest(405, f"{path} does not take {request.method}")
        raise BadRequest(404, "there is nothing at this path")

    # ------------------------------------------------------------ pages

    def _faults(self, _request: ControlRequest) -> Any:
        return {"faults": [kind_told(kind) for kind in KINDS]}

    def _presets(self, _request: ControlRequest) -> Any:
        return {
            "presets": [
                {"name": each.name, "source": each.source, "rules": each.lines} for each in presets().values()
            ]
        }

    def _connections(self, _request: ControlRequest) -> Any:
        return {"connections": [stream_told(stream) for stream in self._lab.streams]}

    def _rules(self, _request: ControlRequest) -> Any:
        return {"rules": [self._told(armed) for armed in self._lab.rules]}

    def _arm(self, request: ControlRequest) -> Any:
        asked = _json(request.body)
        if not _is_whole(asked):
            raise BadRequest(400, "half of a surrogate pair stands in it: a rule is text")
        if isinstance(asked, dict) and isinstance(asked.get("preset"), str):
            return {
                "rules": [self._told(armed) for armed in self._lab.arm_all(preset(asked["preset"]).rules())]
            }
        if isinstance(asked, dict) and isinstance(asked.get("rule"), str):
            return self._told(self._lab.arm(parse_rule(asked["rule"])))
        return self._told(self._lab.arm(rule_of(asked)))

    def _disarm(self, number: str) -> Any:
        if not (
            number.isascii() and number.isdecimal() and len(number) < 10 and self._lab.disarm(int(number))
        ):
            raise BadRequest(404, "there is no such rule")
        return {"disarmed": int(number)}

    def _reset(self, _request: ControlRequest) -> Any:
        return {"disarmed": self._lab.reset()}

    def _acts(self, request: ControlRequest) -> Any:
        try:
            asked = dict(parse_qsl(request.path.partition("?")[2], max_num_fields=8))
        except ValueError:
            raise BadRequest(400, "the only field of a query is after") from None
        after = asked.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise BadRequest(400, "after is the number of an act")
        acts = self._lab.ledger.after(int(after), MAX_ACTS)
        return {"acts": [act_told(act) for act in acts], "lost": self._lab.ledger.lost}

    def _told(self, armed: Armed) -> dict[str, Any]:
        return rule_told(armed, self._lab.now())


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest(400, "the body is no JSON") from None


def _is_whole(value: Any) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _object(body: bytes) -> dict[str, Any]:
    asked = _json(body) if body.strip() else {}
    if not isinstance(asked, dict):
        raise BadRequest(400, "the body is a JSON object")
    return asked


def _refusal(why: str, position: int | None) -> dict[str, Any]:
    return {"error": why} if position is None else {"error": why, "position": position}


def _media_type(request: ControlRequest) -> str:
    return (request.one("content-type") or "").partition(";")[0].strip().lower()


class ProxyControl:
    """Listens between `start` and `stop`. `token` is the only secret; it is told once, and logged nowhere."""

    def __init__(self, lab: FaultLab, listen: Address, token: str) -> None:
        self.token = token
        self.sockets: set[_ControlSocket] = set()
        self._listen = listen
        self.pages = ControlPages(lab, token, listen.is_loopback)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is, once it listens."""
        assert self._server is not None
        return f"http://{joined(self._listen.host, int(self._server.sockets[0].getsockname()[1]))}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is taken, or is none of this machine's.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _ControlSocket(self), self._listen.host, self._listen.port
        )

    async def stop(self) -> None:
        """Take nobody in any more and let everybody go."""
        if self._server is not None:
            self._server.close()
        for socket in list(self.sockets):
            socket.abort()
        await asyncio.sleep(0)


class _ControlSocket(asyncio.Protocol):
    """One request, one answer."""

    _transport: asyncio.Transport

    def __init__(self, control: ProxyControl) -> None:
        self._control = control
        self._reader = RequestReader()
        self._is_answered = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._control.sockets.add(self)
        self._timer = asyncio.get_running_loop().call_later(REQUEST_S, self.abort)
        if len(self._control.sockets) > MAX_SOCKETS:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._is_answered:
            return  # what follows is read and let go: unread bytes would turn the end into a reset
        try:
            request = self._reader.feed(data)
        except BadRequest as refused:
            self._answer(response(refused.status, {"error": refused.message}))
            return
        if request is not None:
            self._answer(self._control.pages.answer(request))

    def connection_lost(self, exc: Exception | None) -> None:
        self._control.sockets.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Let go of it."""
        self._transport.abort()

    def _answer(self, data: bytes) -> None:
        self._is_answered = True
        self._transport.write(data)
        self._transport.write_eof()
