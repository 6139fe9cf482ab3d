#!/usr/bin/env python3
"""A closed model as a program: a JSON line per question in, a JSON line per answer out. Messages go to stderr."""

import json
import sys
from pathlib import Path

print(json.dumps({"ready": True, "engine": "page-size 1.0"}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if question["images"]:
        text = str(sum(Path(image).stat().st_size for image in question["images"]))
        answer = {"id": question["id"], "text": text}
    else:
        error = {"kind": "bad_request", "message": "an image is needed"}
        answer = {"id": question["id"], "error": error}
    print(json.dumps(answer), flush=True)
