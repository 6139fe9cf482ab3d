"""Entry point of the kit inside a container: `python3 /vlmhb/kit.pyz STAGE`.

Imports are late: `serve` must run in any model's image with nothing but the standard library.
"""

from __future__ import annotations

import sys

STAGES = ("prepare", "infer", "score", "evaluate", "report", "import")


def main(argv: list[str]) -> int:
    if argv and argv[0] == "serve":
        from vlmhb_models.serve import main as serve

        return serve(argv[1:])
    if len(argv) == 1 and argv[0] in STAGES:
        from vlmhb_stages.run_stage import run_stage

        return run_stage(argv[0])
    sys.stderr.write(f"usage: kit.pyz {'|'.join(STAGES)} | serve --config FILE\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
