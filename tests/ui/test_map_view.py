"""The map: what has a place, how it moves, and what a person does with it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Document
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Following
from sonde_ui.desktop.models.camera import Bounds, Camera
from sonde_ui.desktop.models.movement import Things
from sonde_ui.desktop.models.places import FARTHEST, MOST, MOST_LOOKED_AT, places_in
from sonde_ui.desktop.models.trails import SAMPLES, Trails
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.map_canvas import told_of
from sonde_ui.desktop.widgets.map_dots import free_place
from sonde_ui.desktop.widgets.map_view import MapView
from support.scripted_workbench import ScriptedWorkbench, document
from support.stately import Walk

ADA = ("players", "ada")


@pytest.fixture
def moving(dressed: QApplication) -> Iterator[None]:
    """Motion is allowed."""
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, True)
    yield
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, False)


@pytest.fixture
def view(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, following: Following
) -> MapView:
    view = MapView(bench, bridge, cursor, following=following)  # type: ignore[arg-type]
    qtbot.addWidget(view)
    view.resize(700, 420)
    with qtbot.waitExposed(view):
        view.show()
    return view


def give(bench: ScriptedWorkbench, bridge: Bridge, state: object) -> None:
    bench.pending.documents = {"room:arena": Document(state, 1, True, ())}
    bridge.drain()


def pixel_of(view: MapView, *path: str) -> QPoint:
    return view.canvas.spots()[path][1].toPoint()


# ------------------------------------------------------------------ live


def test_it_draws_everything_with_a_place(
    qtbot: QtBot, view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        give(bench, bridge, document().state)
    assert told.args == ["8 things"]
    assert view.canvas.isVisible()
    view.canvas.grab()


def test_a_document_without_places_says_what_would_be_drawn(
    view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, {"a": 1})
    assert "x and y" in view._empty.accessibleName()
    assert not view.canvas.isVisible()


def test_more_than_fit_are_cut_with_a_sentence(
    view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    began = time.thread_time()
    give(bench, bridge, {str(at): {"x": at, "y": at} for at in range(100_000)})
    view.canvas.grab()
    assert len(view.canvas.things) == MOST
    assert "there are more" in view._note.text()
    assert time.thread_time() - began < 2.0


def test_frames_run_only_while_something_moves_and_is_seen(
    moving: None, view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, document().state)
    give(bench, bridge, document(step=1.0).state)
    assert view.canvas._frames.isActive()
    assert view.canvas._frames.interval() >= 33
    view.hide()
    view.canvas._next_frame()
    assert not view.canvas._frames.isActive()


def test_with_reduced_motion_nothing_runs_and_no_trail_is_drawn(
    view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, document().state)
    give(bench, bridge, document(step=1.0).state)
    assert not view.canvas._frames.isActive()
    assert view.canvas._trail_length() == 0.0
    thing = view.canvas.things.by_path["players", "ada"]
    assert view.canvas.things.position(thing, time.monotonic(), smooth=False) == (11.0, thing.place.y)


def test_the_length_of_trails_is_chosen(moving: None, view: MapView) -> None:
    view._lengths[30].click()  # type: ignore[attr-defined]
    assert view.canvas._trail_length() == 30.0
    assert [seconds for seconds, chip in view._lengths.items() if chip.isChecked()] == [30]  # type: ignore[attr-defined]


# ------------------------------------------------------------------ then


def test_at_a_moment_between_two_documents_things_stand_between_their_places(
    moving: None, view: MapView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4) + 0.1)
    things = view.canvas.things
    x, _ = things.position(things.by_path[ADA], walk.at(4) + 0.1, smooth=True)
    assert x == pytest.approx(4.5)
    cursor.hold(walk.at(4) + 0.15)
    x, _ = view.canvas.things.position(view.canvas.things.by_path[ADA], walk.at(4) + 0.15, smooth=True)
    assert x == pytest.approx(4.75)


def test_with_reduced_motion_things_stand_where_they_were_told_to_be(
    view: MapView, cursor: TimeCursor, walk: Walk
) -> None:
    cursor.hold(walk.at(4) + 0.1)
    spot = view.canvas.spots()[ADA][1]
    place = view.canvas.things.by_path[ADA].place
    assert place.x == 4.0
    assert spot == view.canvas._pixel(4.0, 2.0)


def test_the_title_says_the_moment(qtbot: QtBot, view: MapView, cursor: TimeCursor, walk: Walk) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        cursor.hold(walk.at(4), walk.rows[4])
    assert told.args == [f"1 thing · as it was at {walk.clock(4)}"]


def test_trails_of_then_are_gathered_when_the_cursor_rests(
    moving: None, view: MapView, cursor: TimeCursor, walk: Walk
) -> None:
    view.set_trail(5)
    cursor.hold(walk.at(6), walk.rows[6])
    assert view._resting.isActive()
    view._begin_trails()
    while view._earlier is not None:
        view._gather()
    _, x, _ = view.canvas.things.trails.way(ADA, walk.at(6) - 5.0, walk.at(6))
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_what_is_not_known_is_a_sentence_and_no_dots(view: MapView, cursor: TimeCursor, walk: Walk) -> None:
    cursor.hold(walk.at(0) - 60.0)
    assert not view.canvas.isVisible()
    assert len(view.canvas.things) == 0
    assert "younger" in view._empty.accessibleName()


@pytest.fixture
def walk(bench: ScriptedWorkbench, bridge: Bridge, view: MapView) -> Walk:
    return Walk(bench, bridge)


# ------------------------------------------------------------------ mouse and keys


def test_a_click_chooses_a_thing_and_a_double_click_follows_it(
    qtbot: QtBot, view: MapView, bench: ScriptedWorkbench, bridge: Bridge, following: Following
) -> None:
    give(bench, bridge, document().state)
    place = pixel_of(view, *ADA)
    with qtbot.waitSignal(view.path_asked) as asked:
        qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=place)
    assert asked.args == [ADA]
    qtbot.mouseDClick(view.canvas, Qt.MouseButton.LeftButton, pos=place)
    assert following.who is not None
    assert (following.who.user, following.who.name) == ("ada", "ada")
    assert view.canvas.followed == "ada"
    view.canvas.grab()


def test_the_wheel_zooms_around_the_mouse_and_fit_takes_it_back(
    view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, document().state)
    fitted, place = view.canvas.camera.scale, pixel_of(view, *ADA)
    wheel = QWheelEvent(
        QPointF(place), QPointF(view.canvas.mapToGlobal(place)), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view.canvas, wheel)
    assert view.canvas.camera.scale > fitted
    assert (pixel_of(view, *ADA) - place).manhattanLength() <= 1
    view._fit.click()
    assert view.canvas.camera.scale == pytest.approx(fitted)


def test_dragging_pans_and_chooses_nothing(
    qtbot: QtBot, view: MapView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    give(bench, bridge, document().state)
    place = pixel_of(view, *ADA)
    qtbot.mousePress(view.canvas, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseMove(view.canvas, place + QPoint(40, 25))
    qtbot.mouseRelease(view.canvas, Qt.MouseButton.LeftButton, pos=place + QPoint(40, 25))
    assert (pixel_of(view, *ADA) - place - QPoint(40, 25)).manhattanLength() <= 1
    assert view.canvas.chosen is None
    assert not view.canvas.is_fitted


def test_keys_reach_every_thing_and_every_part_of_the_map(
    qtbot: QtBot, view: MapView, bench: ScriptedWorkbench, bridge: Bridge, following: Following
) -> None:
    give(bench, bridge, document().state)
    first = next(iter(view.canvas.things))
    qtbot.keyClick(view.canvas, Qt.Key.Key_PageDown)
    assert view.canvas.chosen == first.path
    assert first.name in view.canvas.accessibleDescription()
    qtbot.keyClick(view.canvas, Qt.Key.Key_Return)
    assert following.who is not None
    scale, x = view.canvas.camera.scale, view.canvas.camera.x
    qtbot.keyClick(view.canvas, Qt.Key.Key_Plus)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Right)
    assert view.canvas.camera.scale > scale
    assert view.canvas.camera.x > x
    qtbot.keyClick(view.canvas, Qt.Key.Key_Home)
    assert view.canvas.is_fitted


def test_a_thing_tells_its_fields_bounded_and_on_lines_of_their_own() -> None:
    value = {"x": 1, "y": 2, "name": "<b>\n", **{f"f{at}": at for at in range(40)}}
    things = Things()
    things.update({"it": value}, 1.0)
    lines = told_of(next(iter(things))).splitlines()
    assert lines[0] == "<b>↵ · it"
    assert lines[1] == "at 1, 2"
    assert lines[-1] == "and 29 more fields"
    assert len(lines) == 15


def test_names_of_close_things_stand_beside_one_another() -> None:
    area = QRect(0, 0, 700, 380)
    taken: list[QRect] = []
    for x in (100.0, 104.0, 108.0):
        taken.append(free_place(QPointF(x, 90.0), 40, taken, area))
    assert not any(one.intersects(other) for one, other in combinations(taken, 2))
    at_the_edge = free_place(QPointF(area.width() - 4.0, 90.0), 40, [], area)
    assert area.contains(at_the_edge)


# ------------------------------------------------------------------ places


def test_everything_with_numbers_x_and_y_has_a_place() -> None:
    found = {place.path: (place.name, place.x, place.y) for place in places_in(document().state).places}
    assert found["players", "ada"] == ("ada", 10.0, 9.8)
    assert found["pickups", "0"] == ("medkit", 40.0, 11.0)


@pytest.mark.parametrize(
    "thing",
    [{"pos": {"x": 1, "y": 2}}, {"pos": [1, 2, 3]}, {"position": (1.0, 2)}, {"x": 1, "y": 2, "pos": [9, 9]}],
)
def test_a_place_may_stand_in_a_member_and_is_one_thing(thing: object) -> None:
    assert [(place.path, place.x, place.y) for place in places_in({"it": thing}).places] == [
        (("it",), 1.0, 2.0)
    ]


@pytest.mark.parametrize(
    "thing",
    [
        {"x": 1}, {"x": "1", "y": 2}, {"x": True, "y": 2}, {"x": float("nan"), "y": 2}, {"x": 1e300, "y": 2},
        {"x": float("inf"), "y": 2}, {"x": 10**400, "y": 2}, {"pos": [1]}, {"pos": "ab"}, {"pos": [None, 2]},
    ],
)  # fmt: skip
def test_what_has_no_numbers_has_no_place(thing: object) -> None:
    assert places_in({"thing": thing}).places == ()


NUMBERS = st.one_of(
    st.floats(), st.integers(), st.integers(10**300, 10**301), st.booleans(), st.none(), st.text()
)
KEYS = st.one_of(st.sampled_from(["x", "y", "pos", "position", "name", "kind"]), st.text(max_size=3))
DOCUMENTS = st.recursive(
    NUMBERS, lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=6), st.lists(inner, max_size=6)), max_leaves=60
)  # fmt: skip


@given(DOCUMENTS)
def test_no_document_breaks_the_search_and_every_place_can_be_drawn(hostile: object) -> None:
    found = places_in(hostile)
    assert len({place.path for place in found.places}) == len(found.places)
    for place in found.places:
        assert math.isfinite(place.x)
        assert math.isfinite(place.y)
        assert max(abs(place.x), abs(place.y)) < FARTHEST
        assert place.name.isprintable()
        node: object = hostile
        for key in place.path:
            node = node[int(key)] if isinstance(node, list) else node[key]  # type: ignore[index]
        assert node is place.value


@given(st.integers(0, 20_000))
def test_the_search_is_bounded_and_says_where_it_ended(size: int) -> None:
    found = places_in([{"n": at} for at in range(size)])
    assert found.places == ()
    assert found.is_cut == (size > MOST_LOOKED_AT - 2)


# ------------------------------------------------------------------ movement, trails, camera


def test_a_thing_moves_smoothly_by_the_clients_own_interpolation_and_arrives() -> None:
    things = Things(delay_s=0.2)
    things.update({"ada": {"x": 0, "y": 0}}, 10.0)
    things.update({"ada": {"x": 10, "y": 0}}, 10.2)
    ada = things.by_path["ada",]
    assert things.position(ada, 10.2, smooth=True) == (0.0, 0.0)
    assert things.position(ada, 10.3, smooth=True)[0] == pytest.approx(5.0)
    assert things.position(ada, 10.4, smooth=True) == (10.0, 0.0)
    assert things.position(ada, 10.2, smooth=False) == (10.0, 0.0)
    assert things.is_moving(10.3)
    assert not things.is_moving(10.5)


def test_a_thing_that_stood_still_for_long_walks_off_instead_of_jumping() -> None:
    things = Things(delay_s=0.2)
    for at in range(60):
        things.update({"ada": {"x": 0, "y": 0}}, 10.0 + at * 0.2)
    things.update({"ada": {"x": 10, "y": 0}}, 22.0)
    x, _ = things.position(things.by_path["ada",], 22.1, smooth=True)
    assert 0.0 < x < 10.0


def test_the_pace_of_documents_says_how_far_in_the_past_things_are_drawn() -> None:
    things = Things()
    for at in range(200):
        things.update({"ada": {"x": at, "y": 0}}, 10.0 + at * 0.1)
    assert things.delay_s == pytest.approx(0.125, abs=0.01)


def test_who_left_is_not_drawn_any_more_and_leaves_no_trail() -> None:
    things = Things()
    things.update({"ada": {"x": 0, "y": 0}, "bo": {"x": 1, "y": 1}}, 10.0)
    things.update({"bo": {"x": 1, "y": 1}}, 10.2)
    assert [thing.name for thing in things] == ["bo"]
    assert things.trails.way(("ada",), 0.0, 20.0)[1].tolist() == []


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 1.0)), max_size=400))
def test_trails_keep_the_newest_in_order_whatever_comes_and_goes(steps: list[tuple[int, float]]) -> None:
    trails, at = Trails(), 0.0
    for count, after in steps:
        at += after
        trails.add([((str(which),), at, -at) for which in range(count)], at)
        for which in range(count):
            times, x, y = trails.way((str(which),), -1.0, at)
            assert (times == x).all()
            assert (x == -y).all()
            assert sorted(times) == times.tolist()
    assert len(trails) <= SAMPLES


PIXELS = st.floats(0, 1_000)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.2, 5), PIXELS, PIXELS)
def test_zooming_leaves_what_is_under_the_mouse_where_it_is(
    x: float, y: float, factor: float, px: float, py: float
) -> None:
    camera = Camera(x, y, 3.0)
    before = camera.to_world(px, py, 1_000, 800)
    camera.zoom(factor, px, py, 1_000, 800)
    after = camera.to_pixels(*before, 1_000, 800)
    assert after == pytest.approx((px, py), abs=1e-3)


@given(st.lists(st.tuples(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12)), min_size=1, max_size=20))
def test_fitting_brings_everything_into_sight(spots: list[tuple[float, float]]) -> None:
    bounds = Bounds(*spots[0], *spots[0])
    for spot in spots:
        bounds = bounds.with_spot(*spot)
    camera = Camera()
    camera.fit(bounds, 800, 600, 20)
    for spot in spots:
        px, py = camera.to_pixels(*spot, 800, 600)
        assert 19 <= px <= 781
        assert 19 <= py <= 581


@given(st.lists(st.floats(0.01, 100), max_size=60), st.lists(st.floats(-1e9, 1e9), max_size=60))
def test_no_zooming_and_panning_loses_the_map(factors: list[float], ways: list[float]) -> None:
    camera = Camera()
    for factor in factors:
        camera.zoom(factor, 10, 10, 800, 600)
    for way in ways:
        camera.pan(way, -way)
    assert all(map(math.isfinite, (camera.x, camera.y, camera.scale)))
    assert camera.scale > 0
