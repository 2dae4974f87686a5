"""A decoder for the game Tanks: one byte `T`, one for the kind of message, then big-endian fields."""

import struct

subprotocols = ["tanks.v2"]  # agreed on in the handshake
upstreams = ["tanks.example"]  # or: what the server's address contains

KINDS = {1: "move", 2: "fire", 3: "score"}


def decode(payload, info):
    if not info["binary"] or payload[:1] != b"T":
        return None  # not ours: Sonde reads it as it does without us
    kind = KINDS[payload[1]]
    tank, x, y = struct.unpack(">Hff", payload[2:12])
    return {
        "op": kind,
        "channel": "field",
        "summary": f"tank {tank} at {x:.1f}, {y:.1f}",
        "value": {"tank": tank, "x": x, "y": y, "rest": payload[12:]},
    }
