"""A session with secrets in it that is cut while it is silent, as rows: what bundles are made of in tests."""

from __future__ import annotations

from pathlib import Path

from sonde_client.status import SocketEnd
from sonde_lab.capture.writer import CaptureWriter
from support.drop_story import Story

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ"


def idle_drop() -> Story:
    """Its last row is the end."""
    told = Story.live(beat_s=20.0)
    told.send(op="subscribe", id=1, ch="room:arena", after_s=0.01)
    told.receive(op="snapshot", ch="room:arena", seq=1, epoch="e", d={}, after_s=0.01)
    told.send(op="auth", id=2, token=SECRET, after_s=0.1)
    told.receive(op="reply", id=2, d={"cookie": "sid=0123456789abcdef"}, after_s=0.01)
    told.end(how=SocketEnd.FIN, after_s=4.03)
    told.log.flush()
    return told


def captured(story: Story, path: Path) -> Path:
    """Its rows as a capture file."""
    writer = CaptureWriter(path)
    writer.add([story.ring.record(row) for row in story.ring.ids])
    writer.close()
    return path
