"""Settings: where a value comes from, what is refused, and that the core gets what was said."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from sonde_protocol.codes import Role
from sonde_server.config_file import ConfigInvalid
from sonde_server.core.config import DEFAULT_NAMESPACES, GatewayConfig
from sonde_server.settings import Settings, default_node, is_loopback_address, load_settings

SECRET = "s" * 40


def write(folder: Path, text: str) -> Path:
    path = folder / "sonde.toml"
    path.write_text(text)
    return path


def refusal(path: Path | None = None, **flags: object) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(path, flags)
    return str(caught.value)


def test_defaults_are_the_protocols() -> None:
    config = load_settings(None, {"node": "node"}).gateway_config()
    assert config == GatewayConfig(node="node", namespaces=config.namespaces)
    assert dict(config.namespaces) == dict(DEFAULT_NAMESPACES)


def test_every_figure_of_the_core_can_be_set() -> None:
    said_otherwise = {"faults_allowed"}  # by `faults`
    assert {field.name for field in fields(GatewayConfig)} - said_otherwise <= set(Settings.model_fields)


def test_faults_are_refused_where_others_can_come_in_unless_it_is_said_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", "s" * 48)
    said = refusal(host="0.0.0.0", faults="local")
    assert said.startswith("0.0.0.0 can be reached from outside")
    assert "say --faults twice (or SONDE_FAULTS=remote)" in said
    assert load_settings(None, {"host": "0.0.0.0", "faults": "remote"}).gateway_config().faults_allowed
    assert load_settings(None, {"faults": "local"}).gateway_config().faults_allowed
    assert not load_settings(None, {"host": "0.0.0.0"}).gateway_config().faults_allowed


def test_faults_of_the_environment_are_one_of_three_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_FAULTS", "yes")
    assert refusal() == "SONDE_FAULTS: must be 'off', 'local' or 'remote'"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_flags_win_over_environment_over_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "port = 1\nheartbeat_s = 2\nadmin_port = 3\n")
    monkeypatch.setenv("SONDE_PORT", "10")
    monkeypatch.setenv("SONDE_HEARTBEAT_S", "20")
    settings = load_settings(path, {"port": "100", "host": None})
    assert (settings.port, settings.heartbeat_s, settings.admin_port, settings.host) == (
        100,
        20,
        3,
        "127.0.0.1",
    )


def test_tables_of_the_file_describe_namespaces(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[namespaces.room]\ntick_s = 0.2\n[namespaces.lobby]\nstate = false\npublish = ["service"]\n',
    )
    spaces = load_settings(path, {}).gateway_config().namespaces
    assert spaces["room"].tick_s == 0.2
    assert spaces["room"].history_entries == DEFAULT_NAMESPACES["room"].history_entries
    assert (spaces["lobby"].state, spaces["lobby"].publish) == (False, frozenset({Role.SERVICE}))
    assert spaces["$stats"] == DEFAULT_NAMESPACES["$stats"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1\n", "line 1: unknown key 'prot'; did you mean 'port'?"),
        ("host = '::1'\n\nheartbeats = 1\n", "line 3: unknown key 'heartbeats'; did you mean 'heartbeat_s'?"),
        ("port = 'x'\n", "line 1: 'port': must be a valid integer"),
        ("port = 65536\n", "line 1: 'port': must be less than or equal to 65535"),
        ("# first\nheartbeat_s = -1\n", "line 2: 'heartbeat_s': must be greater than 0"),
        ("heartbeat_s = inf\n", "line 1: 'heartbeat_s'"),
        ("heartbeat_s = nan\n", "line 1: 'heartbeat_s'"),
        ("log_format = 'xml'\n", "line 1: 'log_format': must be 'text' or 'json'"),
        ("allowed_origins = ['*']\n", "line 1: 'allowed_origins': must be exact origins"),
        ("node = 'a b'\n", "line 1: 'node'"),
        ("[namespaces.room]\ntick = 1\n", "line 2: unknown key 'tick'; did you mean 'tick_s'?"),
        ("[namespaces.room]\ntick_s = 0\n", "line 2: 'namespaces.room.tick_s': must be greater than 0"),
        ("[namespaces.Bad]\ntick_s = 1\n", "line 1: 'namespaces.Bad'"),
        ("namespaces = 5\n", "line 1: 'namespaces'"),
        ("slow_bytes = 4096\nmax_buffered_bytes = 2048\n", "max_buffered_bytes must be above slow_bytes"),
    ],
)
def test_wrong_file_names_line_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    said = refusal(path)
    assert says in said
    assert "\n" not in said


def test_two_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    said = refusal(write(tmp_path, "port = -1\nstall_s = 0\n"))
    assert "line 1: 'port'" in said
    assert "line 2: 'stall_s'" in said


def test_wrong_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_MAX_FRAME_BYTES", "many")
    assert refusal().startswith("SONDE_MAX_FRAME_BYTES: ")


def test_wrong_flag_names_its_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_ADMIN_PORT", "1")
    assert refusal(admin_port="x").startswith("--admin-port: ")


@pytest.mark.parametrize("secret", ["short", "s" * 31, "päron"])
def test_weak_secret_is_refused_without_being_repeated(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", secret)
    said = refusal()
    assert said == "SONDE_JWT_SECRET: must be at least 32 bytes long"


def test_weak_secret_in_a_file_is_refused_without_being_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in refusal(write(tmp_path, "jwt_secret = 'hunter2'\n"))


def test_secret_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", SECRET)
    settings = load_settings(None, {})
    assert settings.jwt_secret is not None
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


def test_secret_and_key_set_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", SECRET)
    monkeypatch.setenv("SONDE_JWT_JWKS", "https://id.example/keys")
    assert "not both" in refusal()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
def test_gateway_that_others_can_reach_needs_a_secret_of_its_own(host: str) -> None:
    assert "SONDE_JWT_SECRET" in refusal(host=host)


def test_gateway_that_others_can_reach_starts_with_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", SECRET)
    assert not load_settings(None, {"host": "0.0.0.0"}).is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("x.y", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback_address(host) is expected


def test_default_node_name_is_always_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ädas laptop", "", "x" * 300):
        monkeypatch.setattr("socket.gethostname", lambda name=name: name)
        assert load_settings(None, {}).node == default_node()


def test_admission_gets_origins_hosts_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_ALLOWED_ORIGINS", '["https://a.example"]')
    monkeypatch.setenv("SONDE_ALLOWED_HOSTS", '["Sonde.Test:80"]')
    monkeypatch.setenv("SONDE_MAX_CONNECTIONS_PER_ADDRESS", "5")
    rules = load_settings(None, {}).admission_rules(7)
    assert (rules.max_connections, rules.max_per_address) == (7, 5)
    assert rules.allowed_origins == {"https://a.example"}
    assert rules.allowed_hosts == {"sonde.test:80"}
