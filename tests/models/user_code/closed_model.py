"""A closed model for tests of the interface `command`: right by default, wrong where the question says so."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    start = sys.argv[1] if len(sys.argv) > 1 else "ready"
    if start == "slow":
        time.sleep(600)
    if start == "dies":
        sys.stderr.write("licence file not found\n")
        sys.exit(4)
    if start == "banner":
        print("Loading model ...", flush=True)
    say({"ready": True, "engine": "closed 1.0", "pid": os.getpid()})
    for line in sys.stdin:
        question = json.loads(line)
        answer(question, text=question["messages"][-1]["text"])


def answer(question: dict, *, text: str) -> None:
    good = {"id": question["id"], "text": text, "output_tokens": 3}
    if text == "crash":
        sys.stderr.write("Segmentation fault (really)\n")
        os._exit(139)
    elif text == "kill":
        os.kill(os.getpid(), 9)
    elif text == "silence":
        time.sleep(600)
    elif text == "no json":
        print("text: hello", flush=True)
    elif text == "array":
        say([1, 2])
    elif text == "deep":
        print("[" * 100_000, flush=True)
    elif text == "no id":
        say({"text": "x"})
    elif text == "wrong order":
        say({**good, "id": "999"})
    elif text == "half":
        say({**good, "text": "a \ud83d b \ud83d\ude00", "finish_reason": "stop\udc00"})
    elif text == "half error":
        say({"id": question["id"], "error": {"kind": "bad_image", "message": "no \ud83d"}})
    elif text == "no text":
        say({"id": question["id"]})
    elif text == "bad count":
        say({**good, "output_tokens": -1})
    elif text == "noise after":
        say(good)
        print("done in 0.1 s", flush=True)
        sys.stderr.write("noise is out\n")
    elif text == "endless":
        say(good)
        sys.stderr.write("noise is out\n")
        while True:
            sys.stdout.write("z" * 65_536)
    elif text == "twice":
        say(good)
        say(good)
        sys.stderr.write("noise is out\n")
    elif text.startswith("error:"):
        say({"id": question["id"], "error": {"kind": text[6:], "message": "so it is"}})
    elif text == "plain error":
        say({"id": question["id"], "error": "out of ideas"})
    elif text == "closes":
        os.close(1)
        time.sleep(600)
    elif text == "partial":
        sys.stdout.write('{"id": "1", "te')
        sys.stdout.flush()
        os._exit(0)
    elif text == "sizes":
        sizes = [
            len(base64.b64decode(i)) if "/" not in i[:1] else Path(i).stat().st_size
            for i in question["images"]
        ]
        say({**good, "text": json.dumps(sizes)})
    elif text == "paths":
        say({**good, "text": json.dumps(question["images"])})
    elif text == "params":
        say(
            {
                **good,
                "text": json.dumps([question["params"], question["messages"]]),
                "finish_reason": "length",
            }
        )
    elif text.startswith("large:"):
        say({**good, "text": "x" * int(text[6:])})
    elif text == "cwd":
        say({**good, "text": str(Path.cwd())})
    else:
        say(good)


def say(value: object) -> None:
    print(json.dumps(value), flush=True)


main()
