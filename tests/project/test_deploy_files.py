"""The files in server/deploy that no test can run as a whole name only what exists: figures, settings, services, files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sonde_protocol.codes import ResumeCause
from sonde_server.settings import Settings
from support.foreign_peer import bearer, dialled
from support.processes import GatewayProcess, running_gateway

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "server" / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
SCRAPE: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "sonde.json").read_text())
UNIT = (DEPLOY / "systemd" / "sonde-gateway.service").read_text()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def expressions() -> list[str]:
    """Every query of the alerts and of the dashboard."""
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*rules, *shown, *(variable["query"] for variable in DASHBOARD["templating"]["list"])]


def setting_names() -> set[str]:
    return {f"SONDE_{name.upper()}" for name in Settings.model_fields}


@pytest.fixture
def breakable() -> Iterator[GatewayProcess]:
    """A gateway in which faults may be injected: their figures are on the dashboard, too."""
    with running_gateway("--faults") as running:
        yield running


@pytest.mark.slow
@pytest.mark.asyncio
async def test_every_figure_of_dashboard_and_alerts_is_printed_by_a_gateway(
    breakable: GatewayProcess,
) -> None:
    await use_everything_that_is_counted_by_label(breakable)
    with urllib.request.urlopen(f"{breakable.admin}/metrics", timeout=5) as answer:
        printed = answer.read().decode()
    series = {line.split(" ")[0].split("{")[0] for line in printed.splitlines() if line[:1] not in ("#", "")}
    used = {name for each in expressions() for name in re.findall(r"\b(?:sonde|process)_[a-z_]+", each)}
    assert len(used) > 30
    assert used - series == set()
    labels = {(name, label) for name, label in re.findall(r"^(\w+)\{(\w+)=", printed, re.M)}
    by_label = [
        each for each in expressions() if re.match(r"sum by \((outcome|verdict|code|status|kind)\)", each)
    ]
    assert len(by_label) >= 7
    for each in by_label:
        found = re.match(r"sum by \((\w+)\) \((?:rate|increase)\((\w+)", each)
        assert found is not None, each
        assert (found[2], found[1]) in labels


async def use_everything_that_is_counted_by_label(gateway: GatewayProcess) -> None:
    """Labelled figures are printed from their first count on: a resume, an error, a close, a loss, a refusal, a fault."""
    async with dialled(gateway.url, **bearer("ada")) as peer:
        ready = await peer.identify()
        await peer.command("subscribe", ch="room:arena", state=True)
        assert (await peer.command("subscribe", ch="$nodes"))["op"] == "error"
        peer.drop()
    async with dialled(gateway.url, **bearer("ada")) as peer:
        await peer.send("resume", session=ready["session"], resume=ready["resume"], channels=[])
        await peer.until("resumed")
    async with dialled(gateway.url) as peer:
        await peer.send("identify", client={"name": "foreign", "version": "1"}, token="no.token.atall")
        await peer.socket.receive(5)
    async with dialled(gateway.url, **bearer("root", "admin")) as peer:
        own = (await peer.identify())["session"]
        await peer.command("fault", session=own, kind="kick")
        await peer.until("bye")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(gateway.url.replace("ws:", "http:").replace("/v1/ws", "/elsewhere"), timeout=5)


def test_the_alerts_name_real_outcomes() -> None:
    real = {"ok", "lost", "overtaken", *(cause.value for cause in ResumeCause)}
    named = [words for each in expressions() for words in re.findall(r'outcome=~"([^"]+)"', each)]
    assert named
    assert {word for words in named for word in words.split("|")} <= real


def test_prometheus_takes_its_files() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    config = DEPLOY / "prometheus" / "prometheus.yml"
    done = subprocess.run(
        [promtool, "check", "config", str(config)], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_names_services_settings_and_files_that_exist() -> None:
    services = COMPOSE["services"]
    known = setting_names()
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (
                source
            )
        if name.startswith("gateway"):
            assert set(service["environment"]) <= known
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    targets = {
        each
        for job in SCRAPE["scrape_configs"]
        for config in job["static_configs"]
        for each in config["targets"]
    }
    assert targets == {f"{name}:8766" for name in services if name.startswith("gateway")}
    variables = set(
        re.findall(r"\$\{(SONDE_\w+?)(?:-|\})|\"\$\{(SONDE_\w+)", (DEPLOY / "haproxy.cfg").read_text())
    )
    assert set(services["haproxy"]["environment"]) <= {name for pair in variables for name in pair}


def test_compose_gives_haproxy_the_gateways_and_the_gateways_haproxy() -> None:
    services = COMPOSE["services"]
    address = {
        name: service["networks"]["inside"]["ipv4_address"]
        for name, service in services.items()
        if isinstance(service.get("networks"), dict)
    }
    balancer = services["haproxy"]["environment"]
    for number in (1, 2):
        own = services[f"gateway{number}"]["environment"]
        assert own["SONDE_NODE"] == f"n{number}"
        assert balancer[f"SONDE_NODE{number}"] == f"{address[f'gateway{number}']}:8765"
        trusted = json.loads(own["SONDE_TRUSTED_PROXIES"])
        assert trusted == [f"{address['haproxy']}/32"]
        settings = Settings(trusted_proxies=trusted, wait_s=own["SONDE_WAIT_S"])
        assert settings.forwarding().trusts(address["haproxy"])
        stop_s = int(services[f"gateway{number}"]["stop_grace_period"].removesuffix("s"))
        assert stop_s > settings.drain_window_s + 5


def test_the_image_is_made_of_what_is_here() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    names = set(re.findall(r"\b(SONDE_\w+)=", DOCKERFILE))
    assert names
    assert names <= setting_names()


def test_the_unit_gives_a_drain_its_time_and_every_connection_a_descriptor() -> None:
    values = dict(re.findall(r"^(\w+)=(.+)$", UNIT, re.M))
    defaults = Settings()
    assert values["KillSignal"] == "SIGTERM"
    assert int(values["TimeoutStopSec"]) > defaults.drain_window_s + 5
    assert int(values["LimitNOFILE"]) > defaults.max_connections
    assert values["ExecStart"].split()[1:] == ["gateway", "--wait", "30"]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "sonde-gateway.service"
    unit.write_text(UNIT.replace("/opt/sonde/bin/sonde", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], text=True, capture_output=True, check=False
    )
    assert "sonde-gateway.service" not in done.stdout + done.stderr, done.stderr
