"""Every action of the window, in one table: menus, palette, tooltips, key list and tests are built from it.

Owns what an action is called, where it stands, which keys it has and what allows it. Refuses what it does: the
handler is named here and lives in `commands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sonde_lab.changes import Act
from sonde_ui.desktop.injections import AT_GATEWAY, INJECTIONS, ON_SOCKET


@dataclass(slots=True, frozen=True)
class Action:
    """One thing a person can do.

    Attributes:
        id: stable name. menu: path of the menu it stands in ("View/Theme"). handler: method of `Commands`, or of
        one of its parts ("exchange.save"). argument: handed to it. keys: heard everywhere in the window.
        table_keys: heard by the traffic table itself, because single letters, Space and / must stay text
        everywhere else. act: what the workbench must allow. needs: what `Commands.why_not` is asked to know
        whether it is possible. checked: what `Commands.is_on` is asked to know
        whether it is on.
        danger: it cuts something off and is drawn as an act, with a diamond. starts_group: a line above it.
    """

    id: str
    menu: str
    text: str
    handler: str
    argument: str | None = None
    keys: tuple[str, ...] = ()
    table_keys: tuple[str, ...] = ()
    icon: str = ""
    act: Act | None = None
    needs: str = ""
    checked: str = ""
    tip: str = ""
    danger: bool = False
    starts_group: bool = False


PERSPECTIVES: Final = ("inspect", "break", "watch")
VIEWS: Final = {
    "traffic": "Traffic",
    "detail": "Detail",
    "connections": "Connections",
    "nodes": "Nodes",
    "presence": "Presence",
    "latency": "Latency",
    "state": "State",
    "timeline": "Timeline",
    "map": "Map",
    "composer": "Composer",
    "faults": "Faults",
    "intercept": "Intercept",
    "scenarios": "Scenarios",
    "notices": "Notices",
    "expert": "Expert",
    "latest": "Latest",
    "reconnects": "Reconnects",
}
THEMES: Final = {"system": "System", "dark": "Dark", "light": "Light", "contrast": "High contrast"}
MENUS: Final = ("Connection", "Traffic", "Acts", "View", "Help")

# One line an action, so that the table can be read as one.
# fmt: off
_CONNECTION = (
    Action("connection.connect", "Connection", "Connect", "open_connection", icon="connect", act=Act.CONNECT, tip="Dial the endpoint and identify"),
    Action("connection.disconnect", "Connection", "Disconnect", "close_connection", icon="disconnect", act=Act.DISCONNECT, tip="Close the connection properly and stay away"),
    Action("connection.retry", "Connection", "Retry now", "retry_now", keys=("Ctrl+R",), icon="retry", act=Act.RETRY_NOW, tip="Do not wait for the next try"),
    Action("client.add", "Connection", "Add a client", "clients.add", keys=("Ctrl+Shift+N",), icon="plus", act=Act.ADD_CLIENT, tip="One more player of your own on this endpoint", starts_group=True),
    Action("client.next", "Connection", "Next client", "clients.next", keys=("Ctrl+Tab", "Ctrl+J"), icon="person", act=Act.NEXT_CLIENT, tip="Let status, identity, composer and plots be about your next client"),
    Action("client.remove", "Connection", "Remove client", "clients.remove", icon="close", act=Act.REMOVE_CLIENT, tip="Leave with the current client and forget it; its rows stay"),
    Action("tap.none", "Connection", "End all taps", "clients.untap_all", icon="tap", act=Act.UNTAP, tip="Show no more frames of other people's sessions"),
    Action("endpoint.embedded", "Connection", "Open the embedded gateway", "open_embedded", icon="endpoint", tip="Start a gateway beside the window and connect to it", starts_group=True),
    Action("endpoint.new", "Connection", "New endpoint…", "new_endpoint", keys=("Ctrl+N",), icon="plus", tip="Connect to a gateway elsewhere, or put a proxy before one"),
    Action("capture.open", "Connection", "Open a capture…", "files.ask", keys=("Ctrl+O",), icon="traffic", tip="Look at the rows of a capture file; nothing is connected"),
    Action("presence.online", "Connection/My presence", "Online", "set_presence", "online", icon="person", act=Act.SET_PRESENCE, tip="Tell the room that you are online"),
    Action("presence.away", "Connection/My presence", "Away", "set_presence", "away", icon="person", act=Act.SET_PRESENCE, tip="Tell the room that you are away"),
    Action("presence.busy", "Connection/My presence", "Busy", "set_presence", "busy", icon="person", act=Act.SET_PRESENCE, tip="Tell the room that you are busy"),
    Action("players.toggle", "Connection", "Simulated players", "toggle_players", icon="players", act=Act.SET_PLAYERS, checked="players", tip="Players that walk, chat, drop and come back in room:arena", starts_group=True),
    Action("app.quit", "Connection", "Quit", "quit", keys=("Ctrl+Q",), icon="close", tip="End the embedded gateway and the players, and close the window", starts_group=True),
)

_TRAFFIC = (
    Action("traffic.filter", "Traffic", "Filter", "focus_filter", keys=("Ctrl+F",), table_keys=("/",), icon="filter", tip="Show only rows that words and fields ask for"),
    Action("traffic.clear_filter", "Traffic", "Clear filter", "clear_filter", keys=("Ctrl+Shift+F",), icon="close", tip="Show all rows again"),
    Action("traffic.hold", "Traffic", "Hold or go live", "cursor.toggle_hold", table_keys=("Space",), icon="pause", needs="hold", tip="Let every panel show this moment; capture goes on", starts_group=True),
    Action("traffic.live", "Traffic", "Back to live", "cursor.release", keys=("Esc",), icon="play", needs="release", tip="Let every panel show what is now"),
    Action("traffic.follow", "Traffic", "Follow the newest row", "cursor.release", table_keys=("End", "F"), icon="follow", tip="Jump to the end and stay there; in a capture, go to its last row"),
    Action("traffic.clear", "Traffic", "Clear view", "clear_view", keys=("Ctrl+L",), icon="clear", tip="Begin with an empty table; nothing captured is lost"),
    Action("traffic.mark", "Traffic", "Mark", "cursor.mark", keys=("Ctrl+M",), icon="mark", needs="mark", tip="Put a gold mark into the traffic at this moment; while held, on the row that is looked at", starts_group=True),
    Action("traffic.mark_row", "Traffic/Selected row", "Mark the row, or take its mark off", "table.toggle_mark", table_keys=("M",), icon="mark", tip="Put a gold mark on the selected row"),
    Action("traffic.comment", "Traffic/Selected row", "Comment…", "table.comment", table_keys=("C",), icon="comment", tip="Write one line about the selected row"),
    Action("traffic.reference", "Traffic/Selected row", "Time reference", "table.toggle_reference", keys=("Ctrl+T",), icon="latency", tip="Count times from the selected row; once more, from the start"),
    Action("traffic.explain", "Traffic/Selected row", "Why did it close?", "table.explain", table_keys=("W",), icon="info", tip="What the rows around a close tell about its reason"),
    Action("repro.scenario", "Traffic/Selected row", "Make a scenario of this drop", "repro.make_scenario", icon="bookmark", tip="A scenario that brings the selected row's end about again, or the next end of its connection, among your own"),
    Action("detail.compare", "Traffic/Selected row", "Compare with this", "detail.compare_with_selected", icon="layout", tip="Pin the selected row: the detail's Diff compares others with it"),
    Action("traffic.follow_conversation", "Traffic/Selected row", "Follow this conversation", "table.follow_conversation", icon="filter", tip="Show the selected row's command or channel alone; once more, the filter before"),
    Action("traffic.next", "Traffic/Go to", "Next row", "next_row", keys=("F8",), table_keys=("J",), icon="chevron-down", tip="Select the next row, from any panel"),
    Action("traffic.previous", "Traffic/Go to", "Previous row", "previous_row", keys=("F7",), table_keys=("K",), icon="chevron-up", tip="Select the previous row, from any panel"),
    Action("traffic.next_in_conversation", "Traffic/Go to", "Next in this conversation", "next_in_conversation", table_keys=("Ctrl+.",), icon="chevron-down", tip="The next row of the same command, or else of the same channel"),
    Action("traffic.previous_in_conversation", "Traffic/Go to", "Previous in this conversation", "previous_in_conversation", table_keys=("Ctrl+,",), icon="chevron-up", tip="The previous row of the same command, or else of the same channel"),
    Action("time.next_change", "Traffic/Go to", "Next change", "cursor.step", "next_change", keys=("Ctrl+F8",), icon="state", needs="next_change", tip="The next moment at which state or presence changed", starts_group=True),
    Action("time.previous_change", "Traffic/Go to", "Previous change", "cursor.step", "previous_change", keys=("Ctrl+F7",), icon="state", needs="previous_change", tip="The moment before at which state or presence changed"),
    Action("traffic.next_mark", "Traffic/Go to", "Next mark", "cursor.step", "next_mark", keys=("Shift+F8",), icon="mark", needs="next_mark", tip="The next row that is marked or commented"),
    Action("traffic.previous_mark", "Traffic/Go to", "Previous mark", "cursor.step", "previous_mark", keys=("Shift+F7",), icon="mark", needs="previous_mark", tip="The previous row that is marked or commented"),
    Action("time.next_fault", "Traffic/Go to", "Next fault", "cursor.step", "next_fault", keys=("F9",), icon="act", needs="next_fault", tip="The next moment at which somebody made trouble on purpose"),
    Action("time.previous_fault", "Traffic/Go to", "Previous fault", "cursor.step", "previous_fault", keys=("Shift+F9",), icon="act", needs="previous_fault", tip="The moment before at which somebody made trouble on purpose"),
    Action("time.next_close", "Traffic/Go to", "Next close", "cursor.step", "next_close", keys=("Ctrl+Shift+F8",), icon="disconnect", needs="next_close", tip="The next end of a connection"),
    Action("time.previous_close", "Traffic/Go to", "Previous close", "cursor.step", "previous_close", keys=("Ctrl+Shift+F7",), icon="disconnect", needs="previous_close", tip="The end of a connection before"),
    Action("traffic.back", "Traffic/Go to", "Back", "table.go_back", keys=("Alt+Left",), icon="chevron-up", tip="The row that was selected before", starts_group=True),
    Action("traffic.forward", "Traffic/Go to", "Forward", "table.go_forward", keys=("Alt+Right",), icon="chevron-down", tip="The row that one came back from"),
    Action("traffic.received", "Traffic/Rows", "Received", "toggle_rows", "received", icon="traffic", checked="rows:received", tip="Show what was received"),
    Action("traffic.sent", "Traffic/Rows", "Sent", "toggle_rows", "sent", icon="traffic", checked="rows:sent", tip="Show what was sent"),
    Action("traffic.control", "Traffic/Rows", "Control frames", "toggle_rows", "control", icon="traffic", checked="rows:control", tip="Show pings, pongs and close frames"),
    Action("traffic.injected", "Traffic/Rows", "Injected", "toggle_rows", "injected", icon="act", checked="rows:injected", tip="Show what a person made happen: drops, kicks, restarts"),
    Action("traffic.errors_only", "Traffic/Rows", "Errors only", "toggle_rows", "errors_only", icon="warning", checked="rows:errors_only", tip="Show errors and malformed frames only"),
    Action("traffic.fold", "Traffic/Rows", "Fold runs of deltas and heartbeats", "toggle_fold", icon="fold", checked="fold", tip="One row with a count for each run", starts_group=True),
    Action("traffic.columns", "Traffic/Columns and colours", "Choose columns…", "table.choose_columns", icon="layout", tip="Which columns are shown, and what times count from; a right click on the header opens it too"),
    Action("traffic.add_column", "Traffic/Columns and colours", "Add a column…", "table.add_column", icon="plus", tip="Show a field, or a value inside the message, as a column"),
    Action("traffic.colours", "Traffic/Columns and colours", "Colour rules…", "table.edit_colours", icon="theme", tip="Which rows are coloured, by an ordered list of filters"),
    Action("traffic.save_filter", "Traffic/Columns and colours", "Save this filter…", "table.save_filter", icon="bookmark", tip="Keep the filter as a button beside the line"),
    Action("detail.decoders", "Traffic/Columns and colours", "Decoders…", "detail.show_decoders", icon="state", tip="Which decoders of your own there are, and which may run", starts_group=True),
    Action("traffic.copy_row", "Traffic/Copy", "Copy row", "copy_row", icon="copy", tip="Put the selected row on the clipboard"),
    Action("traffic.copy_payload", "Traffic/Copy", "Copy payload", "copy_payload", keys=("Ctrl+Shift+C",), icon="copy", tip="Put the selected row's payload on the clipboard"),
    Action("detail.copy_json", "Traffic/Copy", "Copy message as JSON", "detail.copy_as", "json", icon="copy", tip="Put the selected row's message on the clipboard as JSON", starts_group=True),
    Action("detail.copy_python", "Traffic/Copy", "Copy message as Python", "detail.copy_as", "python", icon="copy", tip="Put the selected row's message on the clipboard as a Python literal"),
    Action("detail.copy_hex", "Traffic/Copy", "Copy message as hex", "detail.copy_as", "hex", icon="copy", tip="Put the selected row's bytes on the clipboard as hex digits"),
    Action("exchange.copy_report", "Traffic/Copy", "Copy as Markdown bug report", "exchange.copy_report", keys=("Ctrl+Shift+B",), icon="copy", tip="The connection, the rows around the selected one and its payload, secrets masked", starts_group=True),
    Action("capture.toggle", "Traffic/Capture and export", "Capture to a file", "capture.toggle", keys=("Ctrl+Shift+E",), icon="traffic", checked="capture", tip="Every row goes to a file that only you can read; the status bar says which, and how long it is kept"),
    Action("capture.save", "Traffic/Capture and export", "Save capture as…", "capture.save", keys=("Ctrl+S",), icon="traffic", tip="Save a copy of all that was captured until now; the capture goes on"),
    Action("exchange.save", "Traffic/Capture and export", "Export shown rows…", "exchange.save", keys=("Ctrl+Shift+S",), icon="export", tip="Write the rows that the filter shows as HAR, JSON lines, CSV, Markdown or a capture", starts_group=True),
    Action("repro.bundle", "Traffic/Capture and export", "Save a repro bundle…", "repro.save_bundle", icon="export", tip="One file with the selected drop's rows without secrets, a scenario that brings it about again, and versions"),
    Action("exchange.save_panel", "Traffic/Capture and export", "Save this panel as CSV…", "exchange.panels.save", icon="export", tip="Write what the panel with the keyboard lists as a table: connections, people, nodes, findings, the latest, notices, the values of the state"),
    Action("exchange.save_latency", "Traffic/Capture and export", "Save latency as CSV…", "exchange.save_latency", icon="export", tip="Write the measured round trips and the throughput as a table"),
    Action("exchange.save_presence", "Traffic/Capture and export", "Save presence history as CSV…", "exchange.history.save_table", icon="export", tip="Write who was how from when to when, as the timeline shows it, with own connections and faults"),
    Action("exchange.save_picture", "Traffic/Capture and export", "Save this picture as PNG…", "exchange.history.save_picture", icon="export", tip="Write the timeline as a picture at twice the size, in the colours that are chosen"),
    Action("composer.write", "Traffic", "Write a message", "focus_composer", keys=("Ctrl+E",), icon="send", tip="Go to the composer", starts_group=True),
    Action("composer.send", "Traffic", "Send message", "send", keys=("Ctrl+Return", "Ctrl+Enter"), icon="send", act=Act.SEND, tip="Send what the composer holds"),
)

_ACTS = (
    Action("act.drop", "Acts", "Drop connection", "drop", keys=("Ctrl+Shift+D",), icon="drop", act=Act.DROP, danger=True, tip="Cut the socket without a close frame; the client comes back by itself"),
    Action("act.kick", "Acts", "Kick session", "kick", icon="kick", act=Act.KICK, danger=True, tip="Have the gateway end this session (admin role)"),
    Action("act.restart_gateway", "Acts", "Restart gateway", "restart_gateway", icon="restart", act=Act.RESTART_GATEWAY, danger=True, tip="Kill the embedded gateway and start it again on the same port"),
    Action("act.refuse", "Acts", "Refuse dials for 10 s", "refuse", icon="refuse", act=Act.REFUSE, danger=True, tip="Let your own dials fail as refused for ten seconds"),
    Action("faults.off", "Acts", "All faults off", "faults.all_off", keys=("Ctrl+Shift+0", "Ctrl+Alt+0"), icon="close", act=Act.FAULTS_OFF, tip="End everything that is injected, and let refused dials through", starts_group=True),
    Action("faults.add", "Acts", "Add a fault rule…", "faults.add_rule", icon="act", act=Act.ARM, tip="Choose a fault for the proxy, its parameters, whom, when and how often"),
    Action("faults.network", "Acts", "Choose a network…", "faults.choose_network", icon="act", act=Act.ARM, tip="Chrome 3G, satellite and others by name, in the Faults panel"),
    *(
        Action(f"faults.arm.{each.line.split()[0]}", "Acts/In the proxy", each.name, "faults.arm", each.line, keys=each.keys, icon="act", act=Act.ARM, tip=f"{each.tip}: {each.line}")
        for each in INJECTIONS
    ),
    *(
        Action(f"faults.gateway.{each.line.split()[0]}", "Acts/At the gateway", f"{each.name} (gateway)", "faults.inject", each.line, icon="act", act=Act.INJECT, danger=True, tip=f"{each.tip}: {each.line}")
        for each in AT_GATEWAY
    ),
    *(
        Action(f"faults.socket.{each.line.split()[0]}", "Acts/On your own socket", f"{each.name} (your own socket)", "faults.break_socket", each.line, icon="act", act=Act.BREAK_SOCKET, danger=True, tip=f"{each.tip}: {each.line}")
        for each in ON_SOCKET
    ),
    Action("faults.put_proxy", "Acts", "Put a proxy in front", "faults.put_proxy", icon="plus", act=Act.PUT_PROXY, tip="A proxy before the embedded gateway, through which your own clients come; network faults stand in it"),
    Action("faults.take_proxy", "Acts", "Take the proxy away", "faults.take_proxy", icon="close", act=Act.TAKE_PROXY, tip="Your own clients go straight to the embedded gateway again"),
    Action("intercept.show", "Acts", "Hold messages…", "intercept.show", keys=("Ctrl+Shift+H",), icon="pause", tip="Let messages wait in the proxy: to be read, changed, let go or dropped one by one", starts_group=True),
    Action("intercept.all_go", "Acts", "Let all held messages go", "intercept.let_all_go", keys=("Ctrl+Shift+G",), icon="play", act=Act.LET_GO, tip="What waits goes as it came, in its order"),
    Action("intercept.off", "Acts", "Hold nothing", "intercept.hold_nothing", icon="close", act=Act.HOLD_NOTHING, tip="Take every stop away; what waits goes as it came"),
    Action("scenarios.save_done", "Acts/Scenarios", "Save what I just did as a scenario", "scenarios.save_done", icon="bookmark", tip="Your acts of the last minutes, in the same distances, as a file that can be played again"),
    Action("scenarios.show", "Acts/Scenarios", "Choose a scenario…", "scenarios.show", icon="play", tip="Go to the list of scenarios: those that come with Sonde and your own"),
    Action("scenarios.run", "Acts/Scenarios", "Run the chosen scenario", "scenarios.run", icon="play", tip="Play it virtually where that is possible, and say what held"),
    Action("scenarios.stop", "Acts/Scenarios", "Stop the scenario", "scenarios.stop", icon="close", needs="playing", tip="End the play and everything that it has started"),
    Action("act.kill_node", "Acts", "Kill node", "act_on_cluster", "kill_node", icon="close", act=Act.KILL_NODE, danger=True, tip="kill -9 of the cluster's node that carries the current client", starts_group=True),
    Action("act.start_node", "Acts", "Start node", "act_on_cluster", "start_node", icon="play", act=Act.START_NODE, tip="Start the cluster's nodes that have ended"),
    Action("act.pause_node", "Acts", "Pause node", "act_on_cluster", "pause_node", icon="pause", act=Act.PAUSE_NODE, danger=True, tip="Halt the node that carries the current client, as a machine that hangs"),
    Action("act.continue_node", "Acts", "Continue node", "act_on_cluster", "continue_node", icon="play", act=Act.CONTINUE_NODE, tip="Let the cluster's paused nodes go on"),
    Action("act.restart_nats", "Acts", "Restart NATS", "act_on_cluster", "restart_nats", icon="restart", act=Act.RESTART_NATS, danger=True, tip="Kill the cluster's bus and start it again"),
    Action("act.restart_redis", "Acts", "Restart Redis", "act_on_cluster", "restart_redis", icon="restart", act=Act.RESTART_REDIS, danger=True, tip="Kill the cluster's store and start it again with what is on disk"),
)

_VIEW = (
    *(
        Action(
            f"view.perspective.{name}",
            "View",
            f"{name.capitalize()} perspective",
            "set_perspective",
            name,
            keys=(f"Ctrl+{place}",),
            icon="layout",
            checked=f"perspective:{name}",
            tip=tip,
        )
        for place, (name, tip) in enumerate(
            {
                "inspect": "Traffic large: for reading what was said",
                "break": "Acts and latency large: for reproducing disconnects",
                "watch": "Presence and state large, the table closed",
            }.items(),
            1,
        )
    ),
    *(
        Action(
            f"view.panel.{name}",
            "View/Panels",
            text,
            "toggle_panel",
            name,
            icon="layout",
            checked=f"panel:{name}",
            tip=f"Show or put away the panel {text}",
            starts_group=name == "traffic",
        )
        for name, text in VIEWS.items()
    ),
    Action("view.follow_nobody", "View", "Follow nobody", "follow_nobody", icon="person", tip="Point no player out any more; the filter before comes back", starts_group=True),
    Action("view.read_only", "View", "Read-only", "toggle_read_only", icon="lock", checked="read_only", tip="Only look: sending, dropping, kicking and every other act that changes something is locked", starts_group=True),
    Action("state.pin", "View/State", "Pin this moment of the state", "state.pin", icon="state", tip="Keep the document that is shown, to compare any other moment with it"),
    Action("state.compare_now", "View/State", "Compare the state with now", "state.compare_with_now", icon="state", tip="The moment that is held beside now: what was added, removed and changed"),
    Action("state.compare_pin", "View/State", "Compare the state with the pinned moment", "state.compare_with_pin", icon="state", tip="What was pinned beside what is shown, now or at the time cursor"),
    Action("state.end_comparing", "View/State", "End comparing the state", "state.end_comparing", icon="close", tip="Show the document alone again"),
    Action("state.save", "View/State", "Save the state as JSON…", "state.save", icon="export", tip="Write the document that is shown, now or at the time cursor, as a file", starts_group=True),
    Action("profile.save", "View", "Save profile…", "profiles.ask_save", icon="layout", tip="Columns, filters, colours and endpoints as a file for others and for git; it holds no tokens", starts_group=True),
    Action("profile.open", "View", "Open profile…", "profiles.ask_open", icon="layout", tip="Read traffic as a profile says: its columns, filters, colours and endpoints"),
    Action("view.reset", "View", "Reset layout", "reset_layout", icon="layout", tip="All panels back to their first places and sizes"),
    *(
        Action(
            f"view.theme.{name}",
            "View/Theme",
            text,
            "set_theme",
            name,
            icon="theme",
            checked=f"theme:{name}",
            tip=f"Look: {text.lower()}",
            starts_group=name == "system",
        )
        for name, text in THEMES.items()
    ),
    Action("view.next_theme", "View/Theme", "Next theme", "next_theme", keys=("Ctrl+Shift+T",), icon="theme", tip="System, dark, light, high contrast", starts_group=True),
    Action("view.colour_blind", "View/Theme", "Colour-blind palette", "toggle_colour_blind", icon="theme", checked="colour_blind", tip="Sent is blue, received is orange; states are told by their shapes"),
    Action("view.system_font", "View/Theme", "System font", "toggle_system_font", icon="theme", checked="system_font", tip="Use the desktop's own font instead of Inter"),
    Action("view.reduced_motion", "View/Theme", "Reduced motion", "toggle_reduced_motion", icon="theme", checked="reduced_motion", tip="No flashes and no moving rings"),
    Action("view.next_pane", "View/Focus", "Next panel", "focus.next_pane", keys=("F6",), icon="layout", tip="Move the focus to the next panel or bar", starts_group=True),
    Action("view.previous_pane", "View/Focus", "Previous panel", "focus.previous_pane", keys=("Shift+F6",), icon="layout", tip="Move the focus to the panel or bar before"),
    Action("view.next_tab", "View/Focus", "Next tab", "focus.next_tab", keys=("Ctrl+PgDown",), icon="layout", tip="Show the next view of the panel that has the focus"),
    Action("view.previous_tab", "View/Focus", "Previous tab", "focus.previous_tab", keys=("Ctrl+PgUp",), icon="layout", tip="Show the view before in the panel that has the focus"),
    Action("view.menu", "View/Focus", "Menu of the selected row", "focus.open_menu", keys=("Shift+F10", "Menu"), icon="palette", tip="Open the menu that a right click opens", starts_group=True),
    Action("view.palette", "View", "Command palette", "show_palette", keys=("Ctrl+K",), icon="palette", tip="Find any action by its name", starts_group=True),
)

_HELP = (
    Action("help.keys", "Help", "Keys", "show_keys", keys=("F1",), icon="keyboard", tip="Every key and what it does"),
    Action("help.about", "Help", "About Sonde", "show_about", icon="info", tip="Version and licences"),
)

# fmt: on

ACTIONS: Final = (*_CONNECTION, *_TRAFFIC, *_ACTS, *_VIEW, *_HELP)
BY_ID: Final = {action.id: action for action in ACTIONS}


def keys_of(action: Action) -> tuple[str, ...]:
    """Every key of an action as text, the first being the one that menus show."""
    return (*action.keys, *action.table_keys)
