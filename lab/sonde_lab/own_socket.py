"""A rule carried out on a client's own socket, and the words that a verdict reads.

Owns the way from a rule to the client's acts. Which rules these are says `faults.without_proxy`.
"""

from __future__ import annotations

from sonde_client import Client
from sonde_lab.faults.rules import Rule
from sonde_lab.faults.without_proxy import lasts_s
from sonde_lab.faults.words import seconds_in_words


def break_it(client: Client, rule: Rule) -> None:
    """Do it now. Raises `ConnectFailed` where there is no open socket."""
    breaking = client.breaking
    match rule.kind.name:
        case "reset":
            breaking.reset()
        case "cut":
            breaking.cut()
        case "half_open":
            breaking.half_open(lasts_s(rule))
        case "slow_consumer":
            breaking.stop_reading(rule.number("hold"))
        case _:
            breaking.lose_heartbeats(times=rule.count, seconds=rule.for_s)


def breaking_in_words(rule: Rule, name: str) -> str:
    """`half_open client:you 60 s`: as a verdict reads it."""
    words = f"{rule.kind.name} client:{name}"
    if rule.kind.name == "no_heartbeat" and rule.count:
        return f"{words} {rule.count} times"
    seconds = lasts_s(rule)
    return f"{words} {seconds_in_words(seconds)}" if seconds else words
