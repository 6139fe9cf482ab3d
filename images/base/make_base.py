#!/usr/bin/env python3
"""Make a Debian base image with Python, for hosts that reach a Debian mirror but no container registry.

    make_base.py [--engine docker|podman] [--tag vlmhb/base:bookworm] [--suite bookworm] [--mirror URL ...]
    make_base.py --folder DIR [--include PACKAGE ...]     a folder instead of an image: what Apptainer builds on

The mirror is the one that this machine's apt uses for the suite, unless --mirror names others. The image
keeps a working apt (with that mirror) and this machine's CA certificates. Needs mmdebstrap.
"""

from __future__ import annotations

import argparse
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("python3", "python3-venv", "ca-certificates")
NOT_NEEDED = ("doc", "man", "info", "locale", "lintian", "bug")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
SETTINGS = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
)


def main() -> int:
    options = parse()
    if shutil.which("mmdebstrap") is None:
        return fail("mmdebstrap is not installed", "apt-get install mmdebstrap")
    sources = [f"deb {url} {options.suite} main" for url in options.mirror] or apt_sources(options.suite)
    if not sources:
        return fail(f"apt here knows no mirror of {options.suite}", "give one with --mirror URL")
    with tempfile.TemporaryDirectory(prefix="vlmhb-base-") as folder:
        archive = Path(folder) / "base.tar"
        packages = (*PACKAGES, *options.include)
        argv = bootstrap_argv(options.suite, archive=archive, sources=sources, packages=packages)
        if (code := run(argv)) != 0:
            return fail(f"mmdebstrap ended with {code}", "it runs as root, or as a user with subordinate ids")
        if options.folder is not None:
            return unpack(archive, folder=options.folder.absolute())
        changes = [word for setting in SETTINGS for word in ("--change", setting)]
        code = run([options.engine, "import", *changes, str(archive), options.tag])
    return fail(f"{options.engine} import ended with {code}", "is the engine running?") if code else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", default="docker", help="docker, podman, or a path to either")
    parser.add_argument("--tag", default="vlmhb/base:bookworm")
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument(
        "--mirror", action="append", default=[], metavar="URL", help="may be given several times"
    )
    parser.add_argument(
        "--folder", type=Path, help="unpack it here, owned by the caller, in place of an import"
    )
    parser.add_argument("--include", action="append", default=[], metavar="PACKAGE", help="one more package")
    return parser.parse_args()


def apt_sources(suite: str) -> list[str]:
    """The machine's own sources of `suite`, its updates and its security fixes."""
    form = "$(SITE) $(RELEASE) $(COMPONENT)"
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", form], capture_output=True, text=True, check=False
    )
    rows = (line.split() for line in result.stdout.splitlines())
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    found = dict.fromkeys(
        (row[0], row[1]) for row in rows if len(row) == 3 and row[1] in wanted and row[2] == "main"
    )
    return [f"deb {site} {release} main" for site, release in found]


def bootstrap_argv(
    suite: str, *, archive: Path, sources: list[str], packages: tuple[str, ...] = PACKAGES
) -> list[str]:
    bundle = ssl.get_default_verify_paths().cafile
    trust = [f"--customize-hook=upload {bundle} {CERTIFICATES}"] if bundle else []
    return [
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}"),
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NOT_NEEDED),
        *trust,
        *(suite, str(archive), *sources),
    ]


def unpack(archive: Path, *, folder: Path) -> int:
    """Under another name first, so that `folder` is whole or not there. Device nodes need root, and no image."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".base-", dir=folder.parent) as scratch:
        new = Path(scratch) / "root"
        new.mkdir(mode=0o755)
        words = ["tar", "--extract", "--no-same-owner", "--exclude=./dev/*", f"--directory={new}"]
        if (code := run([*words, f"--file={archive}"])) != 0:
            return fail(f"tar ended with {code}", "is there room?")
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    return 0


def run(argv: list[str]) -> int:
    sys.stderr.write(f"{argv[0]} ...\n")
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        return 127


def fail(what: str, hint: str) -> int:
    sys.stderr.write(f"error: {what}; hint: {hint}\n")
    return 3


if __name__ == "__main__":
    sys.exit(main())
