"""A model that is out of order, seen by the user of `vlmhb run`: the next one answers, with its own key."""

import json
from pathlib import Path

from e2e_api import Api
from e2e_world import World
from test_acceptance_faults import OPENAI, RETRY

KEYS = {"MAIN_KEY": "main-canary-1", "OTHER_KEY": "other-canary-2"}


def test_the_next_model_answers_with_its_own_key_and_it_is_told(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=4)
    with Api() as other:
        main = {**OPENAI, "retry": RETRY, "base_url": api.url, "api_key": "secret:MAIN_KEY"}
        world.make_cards({"page-model": {}, "stand-in": {}}, **main)
        card = world.root / "cards/models/stand-in.yaml"
        own = {"base_url": other.url, "api_key": "secret:OTHER_KEY"}
        card.write_text(json.dumps({**json.loads(card.read_text()), **own}))
        world.config({"dataset": "pages", "model_name": "page-model", "fallbacks": "stand-in"})
        api.behave = lambda question: (500, {"error": {"message": "down"}}, {})
        world.env.update(KEYS)
        summary = world.run()
        records = world.predictions(summary)
        assert [(item["status"], item["fallback"]) for item in records] == [("ok", "stand-in")] * 4
        assert {headers["Authorization"] for headers in other.headers} == {"Bearer other-canary-2"}
        assert {headers["Authorization"] for headers in api.headers} == {"Bearer main-canary-1"}
    report = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    told = json.dumps(report["evaluations"][0])
    assert "stand-in" in told and "out of order" in told
