"""`vlmhb` itself is killed: what it has started asks a while longer, and then nobody pays for nothing."""

import time

import pytest
from e2e_api import Api
from e2e_world import World
from test_acceptance_faults import OPENAI, RETRY


@pytest.mark.slow
def test_requests_end_within_about_a_minute_after_the_host_was_killed(process_world: World, api: Api) -> None:
    """The same command continues, and asks no sample twice that was answered."""
    world = process_world
    world.make(pages=400)
    world.make_cards({"page-model": {}}, **OPENAI, retry=RETRY, base_url=api.url)
    world.config({"dataset": "pages", "model_name": "page-model"})

    def slowly(question: str) -> None:
        time.sleep(0.5)

    api.behave = slowly
    run = world.popen()
    until = time.monotonic() + 60
    while len(api.requests) < 3 and time.monotonic() < until:
        time.sleep(0.1)
    run.kill()
    run.communicate()
    killed = time.monotonic()
    time.sleep(90)
    assert api.times[-1] > killed + 20  # it did not simply die with its host
    assert api.times[-1] < killed + 75
    asked = len(api.requests)
    assert asked < 400
    time.sleep(3)
    assert len(api.requests) == asked
    api.behave = lambda question: None
    summary = world.run()
    assert {item["status"] for item in world.predictions(summary)} == {"ok"}
    assert len(api.requests) == 400
