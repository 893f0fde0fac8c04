"""The commands and their options."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from .. import RenderersError

app = typer.Typer(
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"renderers {version('renderers')}")
        except PackageNotFoundError:
            typer.echo("renderers (run from source, not installed)")
        raise typer.Exit


@app.callback()
def renderers(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Chat messages to token ids and back, exactly."""


@app.command()
def demo(
    rollouts: Annotated[int, typer.Option("--rollouts", "-n", min=1, metavar="N", help="How many rollouts.")] = 64,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the rollouts.")] = 0,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_ID",
            help="A Qwen3.5 tokenizer: a folder, or a model id on the Hugging Face hub. Default: the folder qwen3.5 in "
            "$RENDERERS_ASSETS or in .cache/assets, else Qwen/Qwen3.5-9B from the hub.",
        ),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="K", help="The rollout whose tokens are shown. Default: the shortest one that breaks."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else.")] = False,
) -> None:
    """Multi-turn tool-calling rollouts, rendered anew each turn and bridged, side by side.

    Needs no model and no GPU: what a model would have sampled is written by a seeded script, quirks included.
    """
    from .demo import run

    try:
        run(rollouts, seed, tokenizer, show, json)
    except RenderersError as error:
        typer.echo(f"renderers demo: {error}", err=True)
        raise typer.Exit(2) from None
