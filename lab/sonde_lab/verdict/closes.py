"""How a close row reads: who ended the connection, with what code, and what the socket showed.

Owns the way back from the words of `watch` and of the proxy to values, so that captures of any age tell the same.
Words that are neither are no claim at all.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sonde_client.status import SocketEnd

_OURS: Final = re.compile(r"[^—]{0,80} — by the (server|client|network)\b")
_HOW: Final = (
    ("its socket was closed (FIN)", SocketEnd.FIN),
    ("its socket was reset (RST)", SocketEnd.RESET),
    ("its socket timed out (ETIMEDOUT)", SocketEnd.TIMED_OUT),
    ("its network is gone (EHOSTUNREACH)", SocketEnd.UNREACHABLE),
)
WORDS_OF: Final = {how: words for words, how in _HOW}
_PROXY: Final = re.compile(
    r"(?:(ended|reset) by the (client|upstream)|lost on the way to the (client|upstream): .*|(ended with the proxy)|(refused) with \d{3}|ended)\Z",
    re.S,
)


class CloseWords(NamedTuple):
    """What the words of a close row say. `by` is empty where they name nobody."""

    by: str = ""  # "server", "client", "network" or "proxy"
    how: SocketEnd = SocketEnd.UNKNOWN
    is_proxied: bool = False
    is_refused: bool = False  # by the proxy itself
    cause: str = ""  # what the ender said, in brackets


def read_close(words: str) -> CloseWords:
    """The values behind a close row's words."""
    ours = _OURS.match(words)
    if ours is not None:
        rest = words[ours.end() : ours.end() + 400]
        how = next((how for phrase, how in _HOW if f", {phrase}" in rest), SocketEnd.UNKNOWN)
        said = rest.partition(f", {WORDS_OF[how]}")[0] if how in WORDS_OF else rest
        return CloseWords(ours[1], how, cause=_bracketed(said))
    proxied = _PROXY.match(words)
    if proxied is None:
        return CloseWords()
    done, by, lost_to, with_proxy, refused = proxied.groups()
    if with_proxy or refused:
        return CloseWords("proxy", is_proxied=True, is_refused=bool(refused))
    how = {"ended": SocketEnd.FIN, "reset": SocketEnd.RESET}.get(done or "", SocketEnd.UNKNOWN)
    side = {"client": "client", "upstream": "server"}.get(by or "", "network" if lost_to else "")
    return CloseWords(side, how, is_proxied=True)


def _bracketed(rest: str) -> str:
    return rest[2:].rpartition(")")[0] if rest.startswith(" (") else ""
