"""What a person has just done at a workbench, as a scenario's text.

Owns the way from a workbench to the scene. How acts become steps is the scenario's.
"""

from __future__ import annotations

from sonde_lab.endpoints import NOT_OURS, EndpointKind
from sonde_lab.guarded import PartKind
from sonde_lab.scenario.from_acts import Scene, span_of, text_of
from sonde_lab.workbench import Workbench

MOST_STEPS_IN_NAME = 3


def scenario_text(workbench: Workbench, name: str = "") -> str:
    """The acts of the last while, as many as fit into a scenario. Without a `name`, it is called by what was done."""
    acts = span_of(workbench.acts.since(0.0))
    began = acts[0].at if acts else 0.0
    return text_of(acts, scene_of(workbench, began), name or name_of(workbench))


def scene_of(workbench: Workbench, began: float) -> Scene:
    """Who is there; `began`: the moment from which on players are counted."""
    endpoint = workbench.endpoint
    is_ours = endpoint is not None and endpoint.kind not in NOT_OURS
    is_cluster = endpoint is not None and endpoint.kind is EndpointKind.CLUSTER
    return Scene(
        {name: client.store.channels() for name, client in workbench.clients.items()},
        workbench.acts.players_before(began),
        sum(part.kind is PartKind.NODE for part in workbench.parts) if is_cluster else 1,
        workbench.config.room,
        "no endpoint" if endpoint is None else endpoint.name,
        is_ours,
    )


def name_of(workbench: Workbench) -> str:
    """`drop, arm, restart gateway`: what was done, in a few words."""
    words = [done.act.value.replace("_", " ") for done in span_of(workbench.acts.since(0.0))]
    kinds = list(dict.fromkeys(words))
    more = " …" if len(kinds) > MOST_STEPS_IN_NAME else ""
    return ", ".join(kinds[:MOST_STEPS_IN_NAME]).capitalize() + more if kinds else "What I just did"
