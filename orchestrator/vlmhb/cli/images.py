"""`vlmhb images list|show|build`: what runs are made of, built ahead of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, CardsOption, EngineOption, VlmBaseOption, WorkspaceOption

if TYPE_CHECKING:
    from vlmhb.contracts import ImageCard
    from vlmhb.engines.base import Engine

images = typer.Typer(
    help="Images (or virtual environments) of stages and models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@images.command("list")
@images.command("ls", hidden=True)
def images_list(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, engine: EngineOption = None, cards: CardsOption = None
) -> None:
    """One line per image: name, state, reference, identity."""
    from vlmhb.console import Console
    from vlmhb.engines.detect import detect_engine
    from vlmhb.images.resolve import list_images

    found = list_images(_cards(cards), engine=detect_engine(engine or "auto"), workspace=workspace.absolute())
    rows = [(row.name, row.state, row.ref, row.digest[:19], row.description) for row in found]
    Console().table(rows, headers=("image", "state", "reference", "identity", "what it is"))


@images.command("show")
def images_show(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)], cards: CardsOption = None
) -> None:
    """The whole card as YAML."""
    import yaml

    from vlmhb.cards import load_registry

    card = load_registry(user_dirs=tuple(cards or ())).find_image(name)
    typer.echo(yaml.safe_dump(card.model_dump(mode="json"), allow_unicode=True, sort_keys=False), nl=False)


@images.command("build")
def images_build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAMES", help="Images to build.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every image that there is a card for.")] = False,
    for_config: Annotated[
        Path | None, typer.Option("--for", help="The images that this run config needs.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="Base image (Apptainer: base folder); if left out, one is found or made."
        ),
    ] = None,
    wheelhouse: Annotated[
        Path | None,
        typer.Option("--wheelhouse", help="Folder with wheels to install from, without a network."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    cards: CardsOption = None,
    vlm_base: VlmBaseOption = None,
) -> None:
    """Build images; what is unchanged is not built again.

    Example: vlmhb images build --for user_configs/quickstart.csv
    """
    from vlmhb.console import Console
    from vlmhb.engines.detect import detect_engine
    from vlmhb.images.build import build_image
    from vlmhb.store.workspace import Workspace

    if not (names or every or for_config):
        raise typer.BadParameter("which images? Name them, or give --for CONFIG or --all")
    console = Console()
    opened = Workspace.open(workspace)
    known = _cards(cards)
    wanted = set(known) if every else set(names or ())
    if for_config is not None:
        wanted |= _needed_by(for_config, workspace=opened.root, cards=cards, vlm_base=vlm_base) & set(known)
    found = detect_engine(engine or "auto")
    log = opened.root / "cache" / "build.log"
    for name in sorted(wanted, key=lambda name: (name != "stages", name)):
        console.say(f"{name}: building for {found.name} (log: {log})")
        built = build_image(
            name if _is_foreign(name, known, engine=found) else _card(name, known),
            engine_name=engine or "auto",
            base=base,
            wheelhouse=wheelhouse,
            workspace=opened.root,
            log=log,
        )
        console.say(f"{name}: {built.ref} {built.digest[:19]}")
        for note in built.notes:
            console.say(f"  {note}")


def _cards(folders: list[Path] | None) -> dict[str, ImageCard]:
    from vlmhb.cards import load_registry

    return {card.name: card for card in load_registry(user_dirs=tuple(folders or ())).images}


def _is_foreign(name: str, known: dict[str, ImageCard], *, engine: Engine) -> bool:
    """A reference such as `repository@sha256:...`: only Apptainer needs to have it converted here."""
    return engine.name == "apptainer" and name not in known and any(mark in name for mark in "/:@")


def _card(name: str, known: dict[str, ImageCard]) -> ImageCard:
    from vlmhb.cards import Registry

    return Registry(images=tuple(known.values())).find_image(name)


def _needed_by(config: Path, *, workspace: Path, cards: list[Path] | None, vlm_base: Path | None) -> set[str]:
    from vlmhb.application import Request, needed_images

    request = Request(config=config, workspace=workspace, cards=tuple(cards or ()), vlm_base=vlm_base)
    return needed_images(request)
