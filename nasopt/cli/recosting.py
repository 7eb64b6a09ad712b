"""The commands that take a study's networks to another device: `transfer` and `confirm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasopt.cli.arguments import Json, Storage, StudyName, console, print_json, quiet_output, say

Device = Annotated[str, typer.Option(help="Device profile, by name or path.")]


def transfer(
    study: StudyName,
    device: Device,
    everything: Annotated[bool, typer.Option("--all", help="All finished trials, not the front alone.")] = False,
    storage: Storage = None,
    to: Annotated[Path | None, typer.Option(help="Folder for the figure.")] = None,
    as_json: Json = False,
) -> None:
    """Take the costs of a study's networks on another device: rank correlation, and who stays on the front."""
    from nasopt.report import transfer_json, transfer_of, transfer_table, write_transfer_figure
    from nasopt.study import find_study
    from nasopt.study import transfer as transfer_study

    found = find_study(study, storage)
    with console(stderr=True).status(f"taking costs on {device}") as status, quiet_output(as_json):
        recosted = transfer_study(
            found, device, everything=everything, progress=lambda done, n: status.update(f"{done} of {n} on {device}")
        )
    view = found.view()
    result = transfer_of(view, recosted)
    files = write_transfer_figure(view, result, to) if to is not None else ()
    if as_json:
        print_json(transfer_json(view, result))
        return
    console().print(transfer_table(view, result))
    if files:
        say(f"wrote {' and '.join(map(str, files))}")


def confirm(
    study: StudyName,
    device: Device,
    of: Annotated[str | None, typer.Option(help="The study's modelled device, where there are several.")] = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Measure a front whose costs are predicted or estimated, and set both beside each other."""
    from nasopt.report import confirmation_json, confirmation_table, confirmations
    from nasopt.study import confirm as confirm_study
    from nasopt.study import find_study

    found = find_study(study, storage)
    with console(stderr=True).status(f"measuring the front on {device}") as status, quiet_output(as_json):
        recosted = confirm_study(
            found, device, of=of, progress=lambda done, n: status.update(f"{done} of {n} on {device}")
        )
    told = confirmations(found.view(), recosted)
    if as_json:
        print_json(confirmation_json(recosted, told))
    else:
        console().print(confirmation_table(recosted, told))
