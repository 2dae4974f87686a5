"""What each frame of the wire says, in words for people: one small function an op.

Everything here reads what a peer sent, so nothing is taken for granted: a frame whose fields are not what the
contract says falls back to its plain value. Secrets are never part of a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sonde_lab.deltas import Before, describe
from sonde_lab.wording import identity, number, one_line, seconds, short
from sonde_protocol.codes import close_name
from sonde_protocol.redact import redact_value

Fields = Mapping[str, Any]
MemberBefore = Callable[[str], Fields | None]  # a session's member record before this frame


def text(value: Any, limit: int = 64) -> str:
    """Peer text or value without quotes."""
    return one_line(value, limit) if isinstance(value, str) else short(value)


def _numbered(f: Fields, rest: str) -> str:
    return f"#{f['id']} {rest}" if "id" in f else rest


# ---------------------------------------------------------------- server to client


def _hello(f: Fields) -> str:
    return f"node {text(f['node'])}, protocol {f['version']}, heartbeat {seconds(f['heartbeat_ms'])}"


def _ready(f: Fields) -> str:
    user = f["user"]
    roles = ", ".join(text(role, 16) for role in user["roles"][:6])
    return f"session {identity(f['session'])} for {text(user['id'])} ({roles}), resumable {seconds(f['resume_ttl_ms'])}"


def _resumed(f: Fields) -> str:
    channels = f["channels"]
    parts = [_verdict(channel) for channel in channels[:4]]
    more = f" · +{len(channels) - 4} more" if len(channels) > 4 else ""
    return (" · ".join(parts) or f"session {identity(f['session'])}, no channels") + more


def _verdict(channel: Fields) -> str:
    name, verdict, cause = text(channel["ch"]), text(channel["verdict"]), text(channel["cause"])
    if verdict != "replay":
        return f"{name} {verdict} ({cause})"
    after, last = channel["from"], channel["to"]  # `from` is the cursor: what comes after it is replayed
    if after is None or last is None or last <= after:
        return f"{name} replay 0"
    return f"{name} replay {number(after + 1)} → {number(last)}"


def _resume_failed(f: Fields) -> str:
    return f"{text(f['cause'])}: " + ("identify anew" if f["identify"] else "this connection ends")


def _reply(f: Fields) -> str:
    d = f.get("d")
    if not isinstance(d, dict) or not d:
        return _numbered(f, "done" if d is None or d == {} else short(d))
    if "verdict" in d:
        return _numbered(
            f, f"{text(d['verdict'])} ({text(d.get('cause', ''))}) at seq {number(d.get('seq'))}"
        )
    if "entries" in d:
        return _numbered(
            f, f"{len(d['entries']):,} entries, {number(d.get('first'))} … {number(d.get('top'))}"
        )
    if "seq" in d:
        return _numbered(f, f"seq {number(d['seq'])}")
    return _numbered(f, short(redact_value(d)))


def _error(f: Fields) -> str:
    again = f", again in {seconds(f['retry_ms'])}" if f.get("retry_ms") is not None else ""
    return _numbered(f, f"{text(f['code'])}: {text(f['message'], 100)}{again}")


def _said(kind: str, who: str, d: Any) -> str:
    words = d.get("text") if isinstance(d, dict) and len(d) == 1 else None
    name = f"{kind} {who}".rstrip()
    if isinstance(words, str):
        return f"{name}: “{one_line(words, 100)}”" if who else f"{name} “{one_line(words, 100)}”"
    return f"{name} {short(redact_value(d))}" if d not in (None, {}) else name


def _event(f: Fields) -> str:
    sender = f.get("from")
    return _said(text(f["type"]), text(sender) if sender else "", f.get("d"))


def _snapshot(f: Fields) -> str:
    d, cause = f.get("d"), f.get("cause")
    size = f", {len(d):,} keys" if isinstance(d, dict) else ""
    part = f", part {f['part'] + 1} of {f['parts']}" if "part" in f and "parts" in f else ""
    return f"whole state at {number(f['seq'])}{size}{part}" + (f" · {text(cause)}" if cause else "")


def _presence(f: Fields, before: MemberBefore) -> str:
    if f["kind"] == "snapshot":
        count = len(f.get("members") or ())
        return f"{count:,} member{'' if count == 1 else 's'}"
    said = [f"{text(m['name'])} joined ({text(m['status'])})" for m in f.get("joins") or ()]
    said += [_update(member, before) for member in f.get("updates") or ()]
    said += [f"{text(leave['user'])} left ({text(leave['reason'])})" for leave in f.get("leaves") or ()]
    more = f" · +{len(said) - 4} more" if len(said) > 4 else ""
    return (" · ".join(said[:4]) or "nothing changed") + more


def _update(member: Fields, before: MemberBefore) -> str:
    """What changed; all of it where nothing is known of before."""
    name, status, activity = text(member["name"]), text(member["status"]), member.get("activity")
    rtt = member.get("rtt_ms")
    was = before(str(member["session"]))
    if was is None:
        doing = f" · {text(activity)}" if activity else ""
        return f"{name} {status}{doing}"
    said = []
    if was.get("status") != status:
        said.append(f"{text(was.get('status'))} → {status}")
    if was.get("activity") != activity and activity:
        said.append(text(activity))
    if was.get("rtt_ms") != rtt and isinstance(rtt, int | float):
        then = was.get("rtt_ms")
        said.append(f"RTT {number(then)} → {number(rtt)} ms" if then is not None else f"RTT {number(rtt)} ms")
    return f"{name} {', '.join(said) or status}"


def _live(f: Fields) -> str:
    return f"up to {number(f['seq'])}"


def _ping(f: Fields) -> str:
    if "n" in f:
        return f"n {number(f['n'])}"
    last = f.get("rtt_ms")
    return f"t {number(f['t'])}" + (f", last RTT {number(last)} ms" if last is not None else "")


def _pong(f: Fields) -> str:
    return f"n {number(f['n'])}" if "n" in f else f"t {number(f['t'])}"


def _flow(f: Fields) -> str:
    return f"too slow: {number(f['dropped'])} dropped, {number(f['conflated'])} conflated"


def _auth_required(f: Fields) -> str:
    return f"a new token is due within {seconds(f['by_ms'])}"


def _reconnect(f: Fields) -> str:
    where = f" to {text(f['url'])}" if f.get("url") else ""
    return f"move{where} in {seconds(f['in_ms'])}, at the latest in {seconds(f['deadline_ms'])}"


def _unsubscribed(f: Fields) -> str:
    return f"taken out of {text(f['ch'])}: {text(f['code'])}"


def _tapped(f: Fields) -> str:
    frame, arrow = f["frame"], "▲" if f["dir"] == "in" else "▼"
    op = frame.get("op") if isinstance(frame, dict) else None
    return f"{text(f['user'])} {arrow} {text(op) if op else short(frame)} ({number(f['size'])} B)"


def _bye(f: Fields) -> str:
    code = f["code"]
    after = "resumable" if f["resume"] else "not resumable"
    again = f", again in {seconds(f['retry_ms'])}" if f.get("retry_ms") is not None else ""
    return f"{code} {close_name(code)}: {text(f['cause'])}, {after}{again}"


# ---------------------------------------------------------------- client to server


def _identify(f: Fields) -> str:
    client = f["client"]
    device = f" on {text(f['device'])}" if f.get("device") else ""
    program = f"{text(client['name'])} {text(client['version'])}".rstrip()
    return f"{program}{device}" + (", with a token" if "token" in f else "")


def _resume(f: Fields) -> str:
    cursors = sum(1 for channel in f["channels"] if channel["cursor"] is not None)
    count = len(f["channels"])
    return f"session {identity(f['session'])}, {count} channels, {cursors} with cursors"


def _subscribe(f: Fields) -> str:
    cursor = f.get("cursor")
    wishes = [f"after {number(cursor[1])}"] if cursor else []
    wishes += ["with presence"] if f.get("presence") else []
    wishes += ["without state"] if f.get("state") is False else []
    return _numbered(f, ", ".join([text(f["ch"]), *wishes]))


def _channel(f: Fields) -> str:
    return _numbered(f, text(f["ch"]))


def _publish(f: Fields) -> str:
    return _said(text(f["type"]), "", f.get("d"))


def _set_presence(f: Fields) -> str:
    activity = f.get("activity")
    return _numbered(f, text(f["status"]) + (f" · {text(activity)}" if activity else ""))


def _history(f: Fields) -> str:
    return _numbered(f, f"{text(f['ch'])} after {number(f['after'])}, {number(f['limit'])} entries")


def _auth(f: Fields) -> str:
    return _numbered(f, "a new token")


def _tap(f: Fields) -> str:
    named = [f"{key} {text(f[key])}" for key in ("session", "ch", "user") if f.get(key)]
    return _numbered(f, ", ".join(named) or "everything")


def _kick(f: Fields) -> str:
    return _numbered(f, f"session {identity(f['session'])}, {f['code']} {text(f['cause'])}")


def _fault(f: Fields) -> str:
    return _numbered(f, f"{text(f['kind'])} on session {identity(f['session'])}")


_SAYINGS: Final[Mapping[str, Callable[[Fields], str]]] = MappingProxyType(
    {
        "hello": _hello,
        "ready": _ready,
        "resumed": _resumed,
        "resume_failed": _resume_failed,
        "reply": _reply,
        "error": _error,
        "event": _event,
        "snapshot": _snapshot,
        "live": _live,
        "ping": _ping,
        "pong": _pong,
        "flow": _flow,
        "auth_required": _auth_required,
        "reconnect": _reconnect,
        "unsubscribed": _unsubscribed,
        "tapped": _tapped,
        "bye": _bye,
        "identify": _identify,
        "resume": _resume,
        "subscribe": _subscribe,
        "unsubscribe": _channel,
        "publish": _publish,
        "set_presence": _set_presence,
        "history": _history,
        "sync": _channel,
        "auth": _auth,
        "tap": _tap,
        "untap": _tap,
        "kick": _kick,
        "fault": _fault,
    }
)


def say(fields: Any, before: Before, member_before: MemberBefore) -> str:
    """One line about a decoded message. `before` and `member_before` tell what was known before it."""
    if not isinstance(fields, dict):
        return short(fields)
    op = fields.get("op")
    try:
        if op in ("delta", "patch"):
            return describe(fields["d"], before)
        if op == "presence":
            return _presence(fields, member_before)
        if isinstance(op, str) and op in _SAYINGS:
            return _SAYINGS[op](fields)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        pass  # not what the contract says: shown as the plain value it is
    return short(redact_value({key: value for key, value in fields.items() if key != "op"}))
