"""Repro bundles: what goes in comes out without its secrets, and no hostile file gets any further than a sentence."""

from __future__ import annotations

import io
import json
import stat
import struct
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonde_lab.bundle import BundleRefused, Contents, captured_in, is_bundle, opened, pack
from sonde_lab.bundle.manifest import MEMBERS
from sonde_lab.bundle.packing import free_path
from sonde_lab.capture.whole import read_ring
from sonde_lab.deriving import derive
from sonde_lab.deriving.bundling import contents_of
from sonde_lab.export.files import ExportFailed
from sonde_lab.scenario.console import RunOptions, run_files
from sonde_lab.verdict import why
from support.idle_drop import SECRET, idle_drop


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = idle_drop()
    path = tmp_path_factory.mktemp("bundles") / "drop.sonde-repro"
    pack(path, contents_of(told.ring, derive(told.ring, source="session.sonde")))
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def quiet(path: Path, tmp_path: Path, **more: object) -> tuple[int, list[str]]:
    lines: list[str] = []
    options = RunOptions(quiet=True, keeps=False, **more)  # type: ignore[arg-type]
    return run_files([path], options, lines.append), lines


# ---------------------------------------------------------------- in and out


def test_the_slice_in_a_bundle_tells_the_same_verdict_as_the_rows_it_is_of(packed: Path) -> None:
    told = idle_drop()
    with captured_in(packed) as capture:
        ring = read_ring(capture)
    row = ring.id_of(opened(packed).manifest.row - 1)
    assert row is not None
    assert why(ring, row).cause == why(told.ring, told.newest).cause == opened(packed).manifest.verdict


def test_no_secret_is_left_in_a_bundle_and_it_says_where_they_were(packed: Path) -> None:
    everything = b"".join(members(packed).values())
    assert SECRET.encode() not in everything
    assert b"0123456789abcdef" not in everything
    bundle = opened(packed)
    assert bundle.manifest.masked == 3
    assert "row 8: frame auth of you: 1 masked" in bundle.redaction
    assert "row 9: frame reply of you: 1 masked" in bundle.redaction


def test_a_bundle_tells_a_person_what_it_is_and_with_what_it_was_made(packed: Path) -> None:
    bundle = opened(packed)
    assert "sonde run FILE" in bundle.readme
    assert "Verdict: cut (a FIN without a close frame" in bundle.readme
    assert {"sonde", "python", "system", "websockets", "numpy"} <= set(bundle.manifest.versions)
    assert tomllib.loads(bundle.scenario)["name"].startswith("you: The socket was closed without a goodbye")


def test_a_bundle_is_for_its_owner_only_and_nothing_is_written_over(packed: Path) -> None:
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    before = packed.read_bytes()
    told = idle_drop()
    with pytest.raises(ExportFailed, match="is there already; choose another name"):
        pack(packed, contents_of(told.ring, derive(told.ring)))
    assert packed.read_bytes() == before
    assert free_path(packed.parent, "drop").name == "drop-2.sonde-repro"
    assert [each.name for each in packed.parent.iterdir()] == ["drop.sonde-repro"]


def test_of_too_many_rows_the_newest_are_in_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonde_lab.bundle.packing.MAX_ROWS", 3)
    told = idle_drop()
    made = pack(tmp_path / "few.sonde-repro", Contents("few", "", told.ring, told.ring.ids))
    with captured_in(made.path) as capture:
        ring = read_ring(capture)
    assert [ring.label(row) for row in ring.ids] == [told.ring.label(row) for row in told.ring.ids[-3:]]


# ---------------------------------------------------------------- played


def test_a_bundle_fails_with_its_setting_and_holds_with_another(packed: Path, tmp_path: Path) -> None:
    code, lines = quiet(packed, tmp_path, is_virtual=True)
    assert code == 1
    assert any(
        "NOT MET  verdict client=you cause=cut times=0" in line and "ended for cut" in line for line in lines
    )
    code, lines = quiet(packed, tmp_path, is_virtual=True, settings=("heartbeat=2s",))
    assert (code, [line for line in lines if "NOT MET" in line]) == (0, [])


def test_each_play_that_fails_leaves_a_bundle_that_fails_alike(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    code, _ = quiet(
        packed, tmp_path, is_virtual=True, times=2, seed=5, bundles=folder, settings=("resume_ttl=40s",)
    )
    made = sorted(folder.iterdir())
    assert (code, [each.name for each in made]) == (1, ["drop-seed5.sonde-repro", "drop-seed6.sonde-repro"])
    manifest = opened(made[1]).manifest
    assert (manifest.seed, manifest.stage, manifest.settings) == (6, "virtual", {"resume_ttl": "40s"})
    assert "NOT MET  never_dropped" in opened(made[1]).report
    code, lines = quiet(made[1], tmp_path)
    assert code == 1
    assert "on virtual time, seed 6, resume_ttl = 40s" in lines[1]


def test_a_play_in_which_all_holds_leaves_no_bundle(tmp_path: Path) -> None:
    file = tmp_path / "well.toml"
    file.write_text(
        'name = "well"\nduration = "1s"\nsettle = "0s"\n[[clients]]\nname = "p1"\n[[expect]]\nthat = "never_dropped"\n'
    )
    code, _ = quiet(file, tmp_path, is_virtual=True, bundles=tmp_path / "bundles")
    assert (code, (tmp_path / "bundles").exists()) == (0, False)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("heartbeet=2s", "a scenario's gateway has no “heartbeet”; the nearest is “heartbeat”"),
        ("heartbeat", "is no KEY=VALUE, such as heartbeat=5s"),
        ("heartbeat=soon", "--set.heartbeat"),
        ("nodes=0", "it is between 1 and 9"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_a_sentence(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, sentence: str
) -> None:
    code, _ = quiet(packed, tmp_path, is_virtual=True, settings=(setting,))
    assert code == 2
    assert sentence in capsys.readouterr().err


def test_a_bundle_does_not_choose_a_gateway(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = members(packed)
    manifest = json.loads(parts["manifest.json"])
    parts["manifest.json"] = json.dumps({**manifest, "gateway": "ws://evil.example/v1/ws"}).encode()
    led = zipped(tmp_path / "led.sonde-repro", parts)
    assert quiet(led, tmp_path, is_virtual=True) == (2, [])
    assert (
        "was played at ws://evil.example/v1/ws, and a bundle does not choose a gateway"
        in capsys.readouterr().err
    )


def test_a_scenario_in_a_bundle_names_no_gateway_either(packed: Path, tmp_path: Path) -> None:
    parts = members(packed)
    text = parts["scenario.toml"].replace(b"[gateway]", b'[gateway]\nurl = "ws://evil.example"')
    code, lines = quiet(
        zipped(tmp_path / "x.sonde-repro", resealed(parts, "scenario.toml", text)), tmp_path, is_virtual=True
    )
    assert code == 2
    assert any(
        "“gateway.url”: a scenario names no gateway; say which one with --gateway URL" in line
        for line in lines
    )


# ---------------------------------------------------------------- hostile


def resealed(parts: dict[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    """Another member, and a manifest that agrees."""
    import hashlib

    manifest = json.loads(parts["manifest.json"])
    manifest["members"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**parts, name: data, "manifest.json": json.dumps(manifest).encode()}


def with_manifest(**change: object) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: {
        **parts, "manifest.json": json.dumps({**json.loads(parts["manifest.json"]), **change}).encode()
    }  # fmt: skip


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: {key: data for key, data in parts.items() if key != name}


def adding(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: {**parts, name: b"x"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (adding("../../evil.toml"), "“../../evil.toml” is no member of a bundle: it is a path"),
        (adding("/etc/cron.d/evil"), "“/etc/cron.d/evil” is no member of a bundle: it is a path"),
        (adding("C:\\evil.toml"), "is no member of a bundle: it is a path"),
        (adding("decoder.py"), "“decoder.py” is no member of a bundle"),
        (adding("Scenario.toml"), "“Scenario.toml” is no member of a bundle"),
        (without("capture.sonde"), "its member capture.sonde is missing"),
        (without("manifest.json"), "its member manifest.json is missing"),
        (with_manifest(format=2), "it is a bundle of version 2, made by a newer Sonde"),
        (with_manifest(format=0), "says version 0, and there is none"),
        (with_manifest(format="1"), "is no manifest of a repro bundle"),
        (with_manifest(seed=-1), "its manifest.json is not as it should be"),
        (with_manifest(stage="moon"), "its manifest.json is not as it should be"),
        (with_manifest(members={}), "is not the one that its manifest names"),
        (lambda parts: {**parts, "scenario.toml": b"name = 'another'"}, "scenario.toml is not the one that its manifest"),
        (lambda parts: resealed(parts, "README.txt", b"\xff"), "README.txt is not UTF-8"),
        (lambda parts: {**parts, **{f"m{n}": b"" for n in range(40)}}, "it says that it has 46 members"),
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_as_it_should_be_is_refused_with_a_sentence(
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    sentence: str,
) -> None:
    hostile = zipped(tmp_path / "hostile.sonde-repro", change(members(packed)))
    with pytest.raises(BundleRefused) as refused:
        opened(hostile)
    assert sentence in str(refused.value)
    assert str(hostile) in str(refused.value)
    assert quiet(hostile, tmp_path, is_virtual=True) == (2, [])
    assert sentence in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["hostile.sonde-repro"]


def test_a_capture_that_was_changed_is_not_unpacked(packed: Path, tmp_path: Path) -> None:
    parts = members(packed)
    hostile = zipped(tmp_path / "x.sonde-repro", {**parts, "capture.sonde": parts["capture.sonde"] + b"x"})
    with (
        pytest.raises(BundleRefused, match=r"capture\.sonde is not the one that its manifest names"),
        captured_in(hostile),
    ):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_a_link_and_an_encrypted_one_are_refused(
    packed: Path, tmp_path: Path
) -> None:
    twice = tmp_path / "twice.sonde-repro"
    with zipfile.ZipFile(twice, "w") as archive:
        for _ in range(2):
            archive.writestr("scenario.toml", b"x")
    link = tmp_path / "link.sonde-repro"
    with zipfile.ZipFile(link, "w") as archive:
        entry = zipfile.ZipInfo("scenario.toml")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, b"/etc/passwd")
    data = bytearray(packed.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    locked = tmp_path / "locked.sonde-repro"
    locked.write_bytes(data)
    for path, sentence in (
        (twice, "two members scenario.toml"),
        (link, "scenario.toml is a link"),
        (locked, "is encrypted"),
    ):
        with pytest.raises(BundleRefused, match=sentence):
            opened(path)


def test_a_member_that_inflates_beyond_all_bounds_is_refused_whatever_its_head_says(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.sonde-repro"
    zipped(bomb, {"manifest.json": bytes(64 << 20)})
    with pytest.raises(BundleRefused, match=r"manifest\.json is larger than 1,024 KiB"):
        opened(bomb)
    data = bomb.read_bytes()
    size = struct.pack("<I", 64 << 20)
    assert data.count(size) == 2  # of the member's own head, and of the directory
    bomb.write_bytes(data.replace(size, struct.pack("<I", 1_000)))
    with pytest.raises(BundleRefused, match=r"manifest\.json is (damaged|larger)"):
        opened(bomb)


def test_what_is_no_zip_and_what_hides_behind_another_end_is_refused(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    for number, (wrong, sentence) in enumerate(
        [
            (b"", "it is empty, or too short"),
            (b"x" * 400, "it is no repro bundle: those are zip archives"),
            (data + b"trailing", "it is no repro bundle: those are zip archives"),
            (data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:], "it is a zip64 archive"),
        ]
    ):
        path = tmp_path / f"{number}.sonde-repro"
        path.write_bytes(wrong)
        with pytest.raises(BundleRefused, match=sentence):
            opened(path)


def test_a_folder_a_missing_file_and_a_capture_are_no_bundles(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="is no file that can be read"):
        opened(tmp_path)
    with pytest.raises(BundleRefused, match="cannot be read: No such file"):
        opened(tmp_path / "nothing.sonde-repro")
    (tmp_path / "named_otherwise").write_bytes(packed.read_bytes())
    assert is_bundle(tmp_path / "named_otherwise")
    assert not is_bundle(tmp_path)


@pytest.fixture(scope="module")
def small() -> bytes:
    """Members that are tiny, so that a change of bytes hits the archive's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            archive.writestr(name, b'{"format": 1, "name": "x"}')
    return file.getvalue()


CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, cut=st.floats(0, 1), tail=st.binary(max_size=30))
def test_whatever_bytes_a_bundle_has_it_is_opened_or_refused_with_a_sentence(
    tmp_path: Path, small: bytes, changes: list[tuple[float, int]], cut: float, tail: bytes
) -> None:
    data = bytearray(small)
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path / "hostile.sonde-repro"
    path.write_bytes(bytes(data) if cut > 0.5 else bytes(data[: int(cut * 2 * len(data))]) + tail)
    with pytest.raises(BundleRefused) as refused:
        opened(path)  # never whole: its manifest names no member
    assert str(refused.value)
