"""`gateway demo`: the whole of it as one command."""

import tempfile
import time
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

from gateway.cli.demo import material
from gateway.cli.demo.play import Play
from gateway.cli.demo.report import report, result
from gateway.cli.demo.scenario import load
from gateway.cli.demo.stage import CommandError, Stage, free_port
from gateway.cli.output import explained, show

SCENARIO = Path(__file__).with_name("scenario.yaml")
_out = Console(highlight=False)


def demo(
    source: Annotated[
        Optional[Path], typer.Option("--input", help="Folder of files to share; default: made up.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the gateway running.")] = False,
    scenario: Annotated[Path, typer.Option(help="What to play, as YAML.")] = SCENARIO,
    policy: Annotated[Optional[Path], typer.Option(help="Policy folder; default: shipped.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up files.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON as well.")] = False,
) -> None:
    """Play the main job on loopback with fresh keys, and check that all of it holds."""
    begun = time.monotonic()
    with explained():
        plan = load(scenario)
    stage = Stage(Path(tempfile.mkdtemp(prefix="gateway-demo-")), free_port(), free_port())
    play = Play(stage, plan, source or stage.root / "material")
    try:
        if source is None:
            material.make(play.material, seed)
        _perform(play, policy)
        report(play, time.monotonic() - begun, keep=keep)
        if json:
            show(result(play), "", as_json=True)
        if keep and not play.problems and stage.server is not None:
            stage.server.wait()
    except CommandError as error:
        play.problems.append(str(error))
        _out.print(f"[bold red]stopped:[/] {error}", markup=True)
    except KeyboardInterrupt:
        _out.print("stopped")
    finally:
        stage.close()
    if play.problems:
        raise typer.Exit(1)


def _perform(play: Play, policy: Path | None) -> None:
    count = len(play.scenario.authorities)
    play.say(f"Making a gateway, its people and {count} authorities with fresh keys")
    play.stage.set_up(play.scenario.authorities, policy)
    with explained():
        play.stage.start()
    play.say(f"The gateway serves on http://127.0.0.1:{play.stage.port}")
    play.perform()
