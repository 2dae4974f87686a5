"""A secret that is planted wherever peers and people put them is in nothing that is written to be kept or handed on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sonde_client.status import SocketEnd
from sonde_lab.acts import DoneAct
from sonde_lab.bundle import captured_in, opened, pack
from sonde_lab.changes import Act
from sonde_lab.deriving import derive
from sonde_lab.deriving.bundling import contents_of
from sonde_lab.deriving.console import write_scenario
from sonde_lab.faults.edits import going_of
from sonde_lab.scenario.console import RunOptions, run_files
from sonde_lab.scenario.from_acts import Scene, text_of
from sonde_lab.scenario.reading import scenario_of
from support.drop_story import Story
from support.fault_bench import Bench
from support.fault_rig import down
from support.idle_drop import captured

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYWxsb3J5In0.cGxhbnRlZC1zaWduYXR1cmU"
PASSWORD = "hunter2-hunter2-hunter2"
SECRETS = (JWT, JWT.partition(".")[2], PASSWORD)
SCENARIO = """name = "a"
duration = "1s"
[[clients]]
name = "p1"
channels = ["room:a"]
[[expect]]
that = "never_dropped"
"""


def leaks(data: str | bytes) -> list[str]:
    whole = data if isinstance(data, bytes) else data.encode()
    return [secret for secret in SECRETS if secret.encode() in whole]


def story(reason: str, how: str) -> Story:
    """A drop whose goodbye, failures and messages all tell secrets."""
    told = Story.live()
    told.send(op="auth", id=1, token=JWT)
    told.event(d={"password": PASSWORD, "text": f"my token={JWT}"})
    told.receive(op="error", id=2, code="forbidden", message=f"bad {JWT}", temporary=False)
    if how == "bye":
        told.goodbye(4401, reason)
    elif how == "close":
        told.close_frame("in", 1011, reason)
        told.end(1011, "server", reason)
    else:
        told.end(how=SocketEnd.RESET)
        for cause in ("http_unavailable", "http_unauthorized"):
            told.fails(cause, f"the gateway answered: {reason}")
    told.log.flush()
    return told


@pytest.mark.parametrize("how", ["bye", "close", "dials"])
@pytest.mark.parametrize(
    "reason", [f"refused {JWT}", f"password={PASSWORD}", f'{{"token":"{JWT}"}}', f"Bearer {JWT}"]
)
def test_no_secret_is_in_a_derived_scenario_nor_in_any_member_of_a_bundle(
    tmp_path: Path, reason: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = story(reason, how)
    derived = derive(told.ring, source=f"{JWT}.sonde")
    assert leaks(derived.text) == []
    packed = pack(tmp_path / "a.sonde-repro", contents_of(told.ring, derived))
    bundle = opened(packed.path)
    scenario_of(bundle.scenario, tomllib.loads(bundle.scenario))
    texts = (bundle.scenario, bundle.readme, bundle.report, bundle.redaction, str(bundle.manifest))
    assert [leaks(each) for each in texts] == [[]] * len(texts)
    with captured_in(packed.path) as capture:
        assert leaks(capture.read_bytes()) == []
    assert write_scenario(captured(told, tmp_path / "a.sonde"), None, None, None) == 0
    shown = capsys.readouterr()
    assert leaks(shown.out + shown.err) == []


def test_no_secret_of_what_a_person_did_is_in_the_scenario_of_it() -> None:
    lines = (
        f'drop label="token={JWT}"',
        f'corrupt field=d value="password={PASSWORD}"',
        f'close 4401 "Bearer {JWT}"',
        f'drop target="path~token={JWT}"',
        f"drop label={JWT}",
    )
    done = [DoneAct(1.0, Act.ARM, "you", f"arm {line}", line, (n,)) for n, line in enumerate(lines)]
    done.append(DoneAct(2.0, Act.SET_PRESENCE, "you", f"appear online · {JWT}"))
    done.append(DoneAct(3.0, Act.ADD_CLIENT, "you", f"add client Bearer {JWT}"))
    written = text_of(done, Scene({"you": ("room:arena",)}, place=f"ws://x/?token={JWT}"), f"with {JWT}")
    assert leaks(written) == []
    assert scenario_of(written, tomllib.loads(written)).steps


def test_no_secret_of_an_address_is_in_what_is_kept_or_said_of_a_play_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        SCENARIO + '[gateway]\nheartbeat = "5s"\n'
    )  # which nobody else's gateway is given: nothing is dialled
    url = f"ws://127.0.0.1:1/v1/ws?access_token={JWT}"
    options = RunOptions(gateway=url, token=JWT, runs=tmp_path / "runs", junit=tmp_path / "junit.xml")
    assert run_files([path], options) == 2
    shown = capsys.readouterr()
    assert leaks(shown.out + shown.err) == []
    kept = [each for each in tmp_path.rglob("*") if each.is_file() and each != path]
    assert len(kept) == 2
    assert [leaks(each.read_bytes()) for each in kept] == [[]] * len(kept)


def test_no_secret_of_an_edited_message_is_in_the_ledger() -> None:
    bench = Bench("hold direction=down")
    texts = (f'{{"token": "{JWT}", "a": 1}}', f"password={PASSWORD}", f'{{"d": {{"x": "Bearer {JWT}"}}}}')
    edits = (f'{{"token": "{PASSWORD}", "a": 2}}', f"token={JWT}", "{}")
    for content in texts:
        bench.down(down(content))
    holding = bench.lab.holding
    for held, edit in zip(holding.all, edits, strict=True):
        holding.let_go(held.number, going_of({"text": edit}))
    told = "\n".join(act.words for act in bench.lab.ledger.acts)
    assert told.count("sent edited") == 3
    assert leaks(told) == []
