"""Faults in a proxy: the panel, the card that asks for a rule, the count in the top bar and the window's edge."""

from __future__ import annotations

import math
import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act, RuleRow
from sonde_lab.endpoints import EndpointKind
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.presets import presets
from sonde_lab.injected import InjectedRow, Where
from sonde_protocol.faults import KINDS
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.injections import INJECTIONS
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.faults_view import FaultsView
from sonde_ui.desktop.widgets.injected_cards import MOST_SHOWN
from sonde_ui.desktop.widgets.rule_form import RuleForm
from sonde_ui.desktop.widgets.rules_panel import RulesPanel
from sonde_ui.desktop.windows.desk import Desk
from support.shell import ShellWorkbench

LEFT = Qt.MouseButton.LeftButton
NOTHING = "Nothing is injected."


def rule(number: int = 1, phase: str = "firing", **more: object) -> RuleRow:
    now = time.monotonic()
    told = {
        "number": number, "kind": "latency", "label": "", "says": "latency 200 ms · both ways", "phase": phase,
        "hits": 3, "ends_at": now + 600, "off_at": now + 600,
    }  # fmt: skip
    return RuleRow(**{**told, **more})  # type: ignore[arg-type]


@pytest.fixture
def view(qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor) -> FaultsView:
    """The Faults panel on a proxy."""
    bench.endpoint.kind = EndpointKind.PROXY
    bench.refusals[Act.TAKE_PROXY] = "Only before the embedded gateway."
    view = FaultsView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(312, 700)
    with qtbot.waitExposed(view):
        view.show()
    return view


@pytest.fixture
def panel(view: FaultsView) -> RulesPanel:
    """Its part for rules."""
    return view.rules


def done(loop: WindowLoop, panel: RulesPanel, act: object) -> None:
    """Do something in the loop, and wait for what it started."""

    async def whole() -> None:
        act()  # type: ignore[operator]
        for task in list(panel._tasks._running):
            await task

    loop.run_until_complete(whole())


def tell(bench: ShellWorkbench, bridge: Bridge, *rules: RuleRow) -> None:
    bench.pending.rules = rules
    bridge.drain()


def ghost(**more: object) -> InjectedRow:
    told = {
        "key": "gateway n1 s 1", "where": Where.GATEWAY, "kind": "ghost", "says": "ghost for 60 s",
        "whom": "ada, by root", "until": time.monotonic() + 60,
    }  # fmt: skip
    return InjectedRow(**{**told, **more})  # type: ignore[arg-type]


def half_open() -> InjectedRow:
    return InjectedRow("socket you", Where.SOCKET, "half_open", "half_open", "you", math.inf)


def inject(bench: ShellWorkbench, bridge: Bridge, *rows: InjectedRow) -> None:
    bench.pending.injected = rows
    bridge.drain()


# ------------------------------------------------------------ the panel


def test_a_network_is_armed_by_its_name_and_said_in_words(
    panel: RulesPanel, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    assert [panel.presets.itemText(at) for at in range(panel.presets.count())] == list(presets())
    panel.presets.setCurrentText("Unity 4G")
    assert panel._network.text() == "RTT 200 ms · jitter ±20 ms a way · loss 4 %"
    done(window_loop, panel, lambda: QTest.mouseClick(panel.arm_preset, LEFT))
    assert bench.asked == [(Act.ARM, "preset", "Unity 4G")]


def test_each_chip_arms_a_rule_that_the_fault_lab_understands(
    panel: RulesPanel, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    for button in panel.chips.values():
        done(window_loop, panel, lambda button=button: QTest.mouseClick(button, LEFT))
    assert bench.asked == [(Act.ARM, each.line) for each in INJECTIONS]
    assert all(parse_rule(each.line) for each in INJECTIONS)


def test_a_line_that_is_no_rule_is_pointed_at_and_not_armed(
    panel: RulesPanel, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    panel.line.setText("latency 200ms directon=down")
    assert panel._said.text() == "“latency” has no field “directon”; the nearest is “direction”."
    assert (panel.line._wrong_at, panel.line.property("state")) == (14, "invalid")
    done(window_loop, panel, lambda: QTest.keyClick(panel.line, Qt.Key.Key_Return))
    assert bench.asked == []
    panel.line.setText("latency 200ms direction=down")
    assert (panel._said.text(), panel.line._wrong_at, panel.line.property("state")) == ("", None, "valid")
    done(window_loop, panel, lambda: QTest.keyClick(panel.line, Qt.Key.Key_Return))
    assert bench.asked == [(Act.ARM, "latency 200ms direction=down")]


def test_what_the_fault_lab_refuses_is_said(
    panel: RulesPanel, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    bench.arm_answer = "64 rules are the most: disarm one first."
    done(window_loop, panel, lambda: panel.arm("drop"))
    assert panel._said.text() == bench.arm_answer
    assert panel._said.property("tone") == "bad"


def test_rules_say_how_far_they_have_come_and_count_down(
    panel: RulesPanel, bench: ShellWorkbench, bridge: Bridge
) -> None:
    now = time.monotonic()
    tell(bench, bridge, rule(1, ends_at=now + 100, off_at=now + 100), rule(2, "spent", hits=1, label="once"))
    assert panel._count.text() == "1 armed"
    bridge.ticked.emit(now + 60)
    assert panel.cards.cards[1].words == "firing · 3 hits · off in 40 s"
    assert panel.cards.cards[2].words.startswith("over · 1 hit · leaves the list in 9 min")
    tell(bench, bridge)
    assert (panel.cards.cards, panel._count.text()) == ({}, "None armed")


def test_off_takes_one_rule_away_and_all_off_everything(
    panel: RulesPanel, bench: ShellWorkbench, bridge: Bridge, window_loop: WindowLoop
) -> None:
    tell(bench, bridge, rule(7))
    off = panel.cards.cards[7].off
    assert off.accessibleName() == "Off: latency, rule 7"
    done(window_loop, panel, lambda: QTest.mouseClick(off, LEFT))
    done(window_loop, panel, lambda: QTest.mouseClick(panel.all_off, LEFT))
    assert bench.asked == [(Act.DISARM, 7), (Act.FAULTS_OFF,)]


def test_what_is_locked_says_why_and_ending_stays_possible(
    panel: RulesPanel, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.refusals[Act.ARM] = "Game is marked as production: this act is locked there."
    tell(bench, bridge, rule())
    locked = (panel.arm_preset, panel.arm_line, panel.add, *panel.chips.values())
    assert not any(button.isEnabled() for button in locked)
    assert panel._said.text() == "Not now: Game is marked as production: this act is locked there."
    assert panel.all_off.isEnabled()
    assert panel.cards.cards[1].off.isEnabled()
    bench.refusals.clear()
    panel.check()
    assert (panel.arm_preset.isEnabled(), panel._said.text()) == (True, "")


def test_a_hostile_label_is_plain_text_in_its_place(
    view: FaultsView, panel: RulesPanel, bench: ShellWorkbench, bridge: Bridge
) -> None:
    tell(
        bench,
        bridge,
        rule(hits=1_000_000, phase="waiting", label="<b>" + "x" * 57, says="latency · of " + "y" * 300),
    )
    view.grab()
    assert panel.width() <= 312 - 2 * 12


def test_with_the_embedded_gateway_a_button_puts_a_proxy_in_front_and_takes_it_away(
    qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor, window_loop: WindowLoop
) -> None:
    bench.endpoint.kind = EndpointKind.EMBEDDED
    bench.refusals[Act.TAKE_PROXY] = "There is no proxy in front of it."
    view = FaultsView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.show()
    assert (view.rules.isVisible(), view.proxy.put.isVisible(), view.proxy.take.isVisible()) == (
        False,
        True,
        False,
    )
    done(window_loop, view.rules, view.proxy.put.click)
    del bench.refusals[Act.TAKE_PROXY]
    view.check()
    assert (view.rules.isVisible(), view.proxy.put.isVisible(), view.proxy.take.isVisible()) == (
        True,
        False,
        True,
    )
    done(window_loop, view.rules, view.proxy.take.click)
    assert bench.asked == [(Act.PUT_PROXY,), (Act.TAKE_PROXY,)]


# ------------------------------------------------------------ what is injected elsewhere


@pytest.fixture
def embedded(view: FaultsView, bench: ShellWorkbench) -> FaultsView:
    """The panel on the embedded gateway, without a proxy."""
    bench.endpoint.kind = EndpointKind.EMBEDDED
    view.check()
    return view


def test_what_is_injected_at_the_gateway_and_on_sockets_says_what_to_whom_and_how_long(
    embedded: FaultsView, bench: ShellWorkbench, bridge: Bridge
) -> None:
    assert not embedded.injected.isVisible()
    now = time.monotonic()
    inject(bench, bridge, ghost(until=now + 100), half_open())
    assert embedded.injected.isVisible()
    bridge.ticked.emit(now + 60)
    assert [card.words for card in embedded.injected.cards.values()] == [
        "at the gateway · ada, by root · over in 40 s",
        "own client · you",
    ]
    inject(bench, bridge)
    assert not embedded.injected.isVisible()


def test_all_off_ends_what_is_injected_elsewhere(
    embedded: FaultsView, bench: ShellWorkbench, bridge: Bridge, window_loop: WindowLoop
) -> None:
    inject(bench, bridge, half_open())
    done(window_loop, embedded.rules, lambda: QTest.mouseClick(embedded.injected.all_off, LEFT))
    assert bench.asked == [(Act.FAULTS_OFF,)]


def test_rules_of_a_proxy_have_cards_of_their_own_and_one_button_ends_everything(
    view: FaultsView, bench: ShellWorkbench, bridge: Bridge
) -> None:
    inject(bench, bridge, ghost(where=Where.PROXY))
    assert not view.injected.isVisible()
    inject(bench, bridge, ghost())
    assert (view.injected.isVisible(), view.injected.all_off.isVisible()) == (True, False)


def test_many_and_hostile_ones_find_room(embedded: FaultsView, bench: ShellWorkbench, bridge: Bridge) -> None:
    worst = {"says": "<b>" + "y" * 197, "whom": "<i>" + "z" * 57 + ", by " + "w" * 60, "kind": "k" * 40}
    inject(bench, bridge, *(ghost(key=f"{number}", **worst) for number in range(500)))
    embedded.grab()
    assert len(embedded.injected.cards) == MOST_SHOWN
    assert embedded.injected._more.text() == "and 480 more"
    assert embedded.injected.width() <= 312 - 2 * 12


# ------------------------------------------------------------ the card


@pytest.fixture
def form(panel: RulesPanel) -> RuleForm:
    """The card, open."""
    panel.ask()
    assert panel._form is not None
    return panel._form


def test_every_kind_has_its_parameters_and_is_a_rule_as_it_stands(form: RuleForm) -> None:
    wrong = []
    for kind in KINDS:
        form.kinds.choose(kind.name)
        fields = {parameter.name for parameter in kind.parameters}
        if not fields <= set(form.fields) or not form.arm.isEnabled() or form.line.text() != kind.name:
            wrong.append((kind.name, form.problem.text()))
    assert wrong == []


def test_a_value_out_of_bounds_is_said_and_pointed_at_while_one_types(form: RuleForm) -> None:
    form.kinds.choose("latency")
    delay = form.fields["delay"]
    assert isinstance(delay, QLineEdit)
    delay.setText("200")
    assert form.problem.text() == "“delay” takes us, µs, ms, s, m, min or h, not “200”."
    assert (delay.property("state"), form.arm.isEnabled()) == ("invalid", False)
    delay.setText("90s")
    assert form.problem.text() == "“delay” is between 0 and 60 s."
    delay.setText("250ms")
    assert (form.problem.text(), delay.property("state"), form.arm.isEnabled()) == ("", "", True)


def test_the_card_arms_what_its_fields_say(
    form: RuleForm, panel: RulesPanel, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    form.kinds.choose("drop")
    for name, text in (("target", 'op:event "a b"'), ("every", "20"), ("label", "lost hits")):
        field = form.fields[name]
        assert isinstance(field, QLineEdit)
        field.setText(text)
    direction = form.fields["direction"]
    assert isinstance(direction, QComboBox)
    direction.setCurrentIndex(direction.findData("down"))
    done(window_loop, panel, lambda: QTest.mouseClick(form.arm, LEFT))
    ((act, line),) = bench.asked
    rule = parse_rule(line)
    assert act is Act.ARM
    assert (rule.kind.name, rule.every, rule.label, rule.direction) == ("drop", 20, "lost hits", "down")
    assert rule.target.text == 'op:event "a b"'
    assert not form.isVisible()


def test_the_search_shows_kinds_by_any_of_their_words_below_their_layer(form: RuleForm) -> None:
    form.kinds.search.setText("close code")
    kinds = form.kinds.list
    shown = [kinds.item(at).text() for at in range(kinds.count()) if not kinds.item(at).isHidden()]
    assert "kick" in shown
    assert "application" in shown
    assert "latency" not in shown
    assert "TCP" not in shown


def test_every_field_of_the_card_has_a_name_and_says_its_bounds(form: RuleForm) -> None:
    form.kinds.choose("slice")
    assert all(field.accessibleName() and field.toolTip() for field in form.fields.values())
    assert form.fields["size"].toolTip() == "Of how many bytes: 1 B to 64 KB"


# ------------------------------------------------------------ the window


def test_the_top_bar_counts_and_the_edge_is_violet_without_moving_anything(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    button, window = desk.top_bar.faults, desk.window
    before = [piece.geometry() for piece in (button, desk.top_bar.acts, desk.host, desk.status_bar)]
    assert (button.text(), desk.edge.isVisible()) == ("Faults", False)
    inject(bench, bridge, ghost(), half_open())
    assert (button.text(), button.accessibleName()) == ("Faults 2 on", "Faults: 2 on")
    assert [piece.geometry() for piece in (button, desk.top_bar.acts, desk.host, desk.status_bar)] == before
    for theme in (ThemeChoice.DARK, ThemeChoice.LIGHT, ThemeChoice.CONTRAST):
        themes.choose(theme)
        picture, injected = window.grab().toImage(), themes.current().injected
        for place in (
            QPoint(1, 400),
            QPoint(400, 1),
            QPoint(window.width() - 2, 400),
            QPoint(400, window.height() - 2),
        ):
            assert picture.pixelColor(place) == injected
        assert picture.pixelColor(8, 400) != injected
    window.resize(1_100, 700)
    assert desk.edge.size() == window.size()
    inject(bench, bridge)
    assert (button.text(), desk.edge.isVisible()) == ("Faults", False)


def test_a_count_that_finds_no_room_is_cut(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    inject(bench, bridge, *(ghost(key=f"{number}") for number in range(300)))
    assert desk.top_bar.faults.text() == "Faults 99+ on"


def test_a_click_on_the_count_shows_the_panel_and_what_is_injected(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    assert not desk.views.faults.isVisible()
    inject(bench, bridge, ghost())
    QTest.mouseClick(desk.top_bar.faults, LEFT)
    assert desk.views.faults.isVisible()
    (card,) = desk.views.faults.injected.cards.values()
    qtbot.waitUntil(lambda: not card.visibleRegion().isEmpty())


def test_the_edge_takes_no_click_from_what_is_below(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    inject(bench, bridge, ghost())
    assert desk.edge.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    assert desk.edge.focusPolicy() == Qt.FocusPolicy.NoFocus


@pytest.mark.parametrize(
    ("key", "modifiers", "asked"),
    [
        (Qt.Key.Key_0, "Ctrl+Shift", (Act.FAULTS_OFF,)),
        (Qt.Key.Key_0, "Ctrl+Alt", (Act.FAULTS_OFF,)),
        (Qt.Key.Key_L, "Ctrl+Shift", (Act.ARM, "lag_spike 2s")),
    ],
)
def test_keys_arm_a_lag_spike_and_turn_everything_off(
    desk: Desk,
    bench: ShellWorkbench,
    window_loop: WindowLoop,
    key: Qt.Key,
    modifiers: str,
    asked: tuple[object, ...],
) -> None:
    held = Qt.KeyboardModifier.ControlModifier
    held |= Qt.KeyboardModifier.ShiftModifier if "Shift" in modifiers else Qt.KeyboardModifier.AltModifier

    async def press() -> None:
        QTest.keyClick(desk.window, key, held)
        for task in list(desk.tasks._running):
            await task

    window_loop.run_until_complete(press())
    assert bench.asked == [asked]
