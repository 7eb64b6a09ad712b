"""The commands of `nasopt`. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from nasopt.cli.arguments import (
    Assignments,
    Formatter,
    Json,
    Storage,
    StudyFile,
    StudyName,
    StudyNames,
    complain,
    quiet_output,
    say,
)
from nasopt.cli.arguments import console as _console
from nasopt.cli.arguments import print_json as _print_json
from nasopt.cli.recosting import confirm, transfer
from nasopt.database.urls import redact, watch_for
from nasopt.errors import InterruptedRunError, NasoptError, UsageError
from nasopt.study import early
from nasopt.text.commands import Call, command, hint


class _Commands(TyperGroup):
    """All commands; what the parser repeats of a wrong command line goes without passwords."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):  # the parser's own kind of error
                error.message = redact(message)  # type: ignore[attr-defined]
            raise


app = typer.Typer(
    name="nasopt",
    cls=_Commands,
    help="Search for networks that decide, input by input, how much of themselves to run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _spec(
    study: str,
    assignments: list[str] | None,
    storage: str | None = None,
    trials: int | None = None,
    sampler: str | None = None,
) -> Any:
    from nasopt.spec.contest import load_file

    shorthands = {"study.storage": storage, "study.trials": trials, "sampler": sampler}
    given = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in shorthands.items() if value is not None]
    return load_file(study, overrides=[*(assignments or []), *given])


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"nasopt {version('nasopt')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What nasopt itself takes, before any command; `help` above is what it says of itself."""


app.command()(transfer)
app.command()(confirm)


@app.command()
def run(
    study: StudyFile,
    assignments: Assignments = None,
    storage: Storage = None,
    trials: Annotated[int | None, typer.Option(help="Trained and measured trials to end with.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Search strategy, by name; in a contest, by label.")] = None,
    allow_changes: Annotated[bool, typer.Option(help="Go on though the study file has changed.")] = False,
    tracker: Annotated[list[str] | None, typer.Option(help="Mirror trials: tensorboard or wandb.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and the result only.")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; twice for debugging.")] = 0,
    log_file: Annotated[Path | None, typer.Option(help="Also write a log to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Run a study or a contest, or go on with it, until it has the trials that its file asks for."""
    if not quiet and not as_json:
        say(f"opening {study}")
    from nasopt.study import Watcher, result_json, run_file, summarise
    from nasopt.study.interruption import Interruption
    from nasopt.study.trackers import Trackers

    _log_to(log_file, verbose)
    spec = _spec(study, assignments, storage, trials, sampler)
    console = _console(stderr=as_json)
    try:
        with (
            Interruption() as interruption,
            Watcher(console, verbosity=-1 if quiet else verbose) as watch,
            Trackers(tracker or [], spec) as trackers,
            quiet_output(as_json),  # a user's own evaluation may print
        ):
            result = run_file(spec, listener=interruption.beside(trackers.beside(watch)), allow_changes=allow_changes)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; what finished is stored, and the trial under way runs again with: {_same_command()}"
        ) from None
    if as_json:
        _print_json(result_json(result))
    else:
        call = Call(
            study=study, assignments=assignments or (), storage=storage, sampler=sampler, trackers=tracker or ()
        )
        for part in summarise(result, call):
            console.print(part, soft_wrap=isinstance(part, Text))  # a command is pasted as one line
    if getattr(result, "out", None) or not result.filled:  # studies of a contest were given up, or trials are missing
        raise typer.Exit(1)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="MY_STUDY.yaml", help="File to write.")],
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented study file to start from."""
    from nasopt.spec.starting import write_starting_point

    write_starting_point(path, force=force)
    say(f"wrote {path}; next: {command('space', str(path))}, then {command('run', str(path))}")


@app.command()
def space(study: StudyFile, assignments: Assignments = None, as_json: Json = False) -> None:
    """Print a study's search space: its distributions and how many points it has."""
    from nasopt.problems.opening import describe_space
    from nasopt.space.listing import space_json, space_table

    spec = _spec(study, assignments)
    with quiet_output():  # what a user's own module prints is no part of the answer
        searched, remarks = describe_space(spec)
    if as_json:
        _print_json(space_json(searched))
    else:
        _console().print(space_table(spec.study.name, searched, *remarks))


@app.command()
def schema() -> None:
    """Print the JSON Schema of study files, for editors that complete them."""
    from nasopt.spec.contest import file_schema

    _print_json(file_schema())


@app.command()
def status(
    studies: StudyNames = None,
    storage: Storage = None,
    members: Annotated[bool, typer.Option("--members", help="List the studies of a contest singly.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far studies and contests are and what they have cost; all that are here if none is named."""
    from nasopt.report import damage, status_table
    from nasopt.study import find_views

    views = find_views(studies or [], storage, skipped=complain)
    for line in (line for view in views for line in damage(view)):
        complain(line)
    if as_json:
        from nasopt.study import study_json

        _print_json([study_json(view) for view in views])
    else:
        asked_for = any(view.name in (studies or []) for view in views if view.contest)  # a member, by its own name
        _console().print(status_table(views, members=members or asked_for))


@app.command()
def report(
    study: StudyName,
    storage: Storage = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write to; report-STUDY if left out.")] = None,
    test: Annotated[bool, typer.Option(help="Score the front's networks on the test split first.")] = True,
    stream: Annotated[bool, typer.Option(help="Time the front's networks over a stream of inputs first.")] = True,
) -> None:
    """Write a report of a study or a contest, in Markdown and HTML."""
    from nasopt.report import front_table, stream_findings, write_contest_report, write_report
    from nasopt.study import complete_contest, complete_front, find_studies
    from nasopt.study.store import file_name

    studies = find_studies(study, storage)
    console = _console()
    if len(studies) > 1:
        for lacking in complete_contest(studies, waiting=console.status) if test else ():
            complain(f"the report lacks {lacking}")
        views = [s.view() for s in studies]
        contest = views[0].contest.contest if views[0].contest else study
        files = write_contest_report(views, to or Path(f"report-{file_name(contest)}"))
        say(f"wrote {files.markdown} and {files.html}")
        return
    found = studies[0]
    for lacking in complete_front(found, test=test, stream=stream, waiting=console.status):
        complain(f"the report lacks {lacking}")
    view = found.view()
    files = write_report(view, to or Path(f"report-{file_name(view.name)}"))
    console.print(front_table(view))
    for finding in stream_findings(view):
        console.print(f"! {finding}", style="yellow", markup=False, soft_wrap=True)
    say(f"wrote {files.markdown} and {files.html}")


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Study files or names.")],
    trial: Annotated[list[int] | None, typer.Option(help="Compare these trials of one study instead.")] = None,
    storage: Storage = None,
    as_json: Json = False,
    to: Annotated[Path | None, typer.Option(help="Folder for figures.")] = None,
) -> None:
    """Compare studies, or trials of one study."""
    from nasopt.report import Comparison, compare_trials, compare_views, comparison_table
    from nasopt.study import find_views

    views = find_views(studies, storage)
    if trial and len(views) != 1:
        raise UsageError("--trial compares trials of one study; name just one")
    if trial and to is not None:
        raise UsageError("--to writes the figures that compare studies, and --trial compares trials; leave one out")
    compared = compare_trials(views[0], trial) if trial else compare_views(views)
    if to is not None and isinstance(compared, Comparison):
        from nasopt.report import write_comparison_figures

        write_comparison_figures(views, compared, to)
    if as_json:
        _print_json(compared.to_json())
    else:
        _console().print(comparison_table(compared))


@app.command()
def export(
    study: StudyName,
    trial: Annotated[int, typer.Option(help="Number of a finished trial.")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
    storage: Storage = None,
) -> None:
    """Write a trial's network as ONNX graphs with a model card."""
    from nasopt.study import export as export_trial
    from nasopt.study import find_study

    files = export_trial(find_study(study, storage), trial, to)
    say(f"wrote {files.routed}, {files.easy}, {files.hard}, {files.card} and {files.config}")


@app.command()
def measure(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx|STUDY", help="ONNX graph, or a study with --trial.")],
    device: Annotated[str | None, typer.Option(help="Device profile, by name or path; local if left out.")] = None,
    meter: Annotated[str | None, typer.Option(help="Energy meter; the profile's own if left out.")] = None,
    trial: Annotated[int | None, typer.Option(help="Time this trial's routed network over real inputs.")] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(help="Sizes of an input, or of an open dimension: x=1x3x224x224, height=48. Again for each."),
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option("--input", help="Value of an input that is one number: sr=16000. Again for each."),
    ] = None,
    largest_mb: Annotated[
        float | None, typer.Option(help="Bound of one tensor in 10^6 bytes; 1024 if left out.")
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Take latency, energy and memory of an ONNX model, or time a trial's routed network over a stream of inputs."""
    from dataclasses import asdict

    from nasopt.cli.arguments import numbers_by_name, shapes_by_name
    from nasopt.hardware import measure as measure_model
    from nasopt.hardware import measurement_table

    if trial is not None:
        _measure_trial(model, trial, device, storage, meter=meter, as_json=as_json)
        return
    with quiet_output(as_json):  # runtimes print from C
        shapes, values = shapes_by_name(shape or []), numbers_by_name(number or [])
    taken = measure_model(model, device or "local", meter=meter, shapes=shapes, values=values, largest_mb=largest_mb)
    if as_json:
        _print_json(asdict(taken))
    else:
        _console().print(measurement_table(taken))


def _measure_trial(
    study: str, trial: int, device: str | None, storage: str | None, *, meter: str | None, as_json: bool
) -> None:
    from nasopt.report import finding_of, stream_table
    from nasopt.study import find_study, stream_trial

    if meter is not None:
        raise UsageError("a stream is timed without an energy meter; leave --meter out")
    with quiet_output(as_json):
        streams = stream_trial(find_study(study, storage), trial, device=device)
    if as_json:
        _print_json([stream.to_json() for stream in streams])
        return
    console = _console()
    console.print(stream_table(trial, streams))
    for finding in filter(None, map(finding_of, streams)):
        console.print(f"! {finding}", style="yellow", markup=False, soft_wrap=True)


@app.command()
def calibrate(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Device profile that measures, by name or path.")],
    samples: Annotated[int, typer.Option(help="Networks and single blocks to learn from.")] = 100,
    holdout: Annotated[int, typer.Option(help="Further networks that judge the fit.")] = 40,
    study: Annotated[str | None, typer.Option(help="Study file whose space the networks come from.")] = None,
    seconds: Annotated[float, typer.Option(help="Counted time of each measurement, at most.")] = 1.5,
    again: Annotated[int, typer.Option(help="How often to repeat what others disturbed, at most.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the choice of networks.")] = 0,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("."),
    meter: Annotated[str | None, typer.Option(help="Energy meter; the profile's own if left out.")] = None,
    force: Annotated[bool, typer.Option(help="Replace an earlier calibration; measurements are kept.")] = False,
    as_json: Json = False,
) -> None:
    """Measure networks on a device and fit what predicts its costs; interrupted, the same command goes on."""
    from nasopt.evaluation import calibration

    options = {
        "samples": samples,
        "holdout": holdout,
        "study": study,
        "seconds": seconds,
        "again": again,
        "seed": seed,
    }
    try:
        with calibration.Watcher(_console(stderr=True), quiet=as_json) as watch, quiet_output(as_json):
            found = calibration.calibrate(device, folder=to, meter=meter, force=force, listener=watch, **options)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        raise InterruptedRunError(f"interrupted; what was measured is kept, go on with: {_same_command()}") from None
    if as_json:
        _print_json(calibration.calibration_json(found))
    else:
        _console().print(calibration.calibration_table(found))


devices = typer.Typer(help="List the device profiles that come with nasopt, or check one.")
app.add_typer(devices, name="devices")


@devices.callback(invoke_without_command=True)
def list_devices(context: typer.Context, as_json: Json = False) -> None:
    """List the device profiles that come with nasopt, and what works now."""
    if context.invoked_subcommand is not None:
        return
    from nasopt.hardware import devices_table, load_profile, works_now
    from nasopt.hardware.devices.profiles import profiles

    known = [load_profile(name) for name in profiles()]
    if as_json:
        _print_json([{**profile.model_dump(mode="json"), "works_now": works_now(profile)} for profile in known])
    else:
        _console().print(devices_table(known))


@devices.command()
def check(
    device: Annotated[str, typer.Argument(metavar="NAME", help="Device profile, by name or path.")],
    as_json: Json = False,
) -> None:
    """Look for what stands between a device and a measurement; exit code 1 if something fails."""
    from nasopt.hardware import check_device, diagnosis_table, load_profile

    with quiet_output(as_json):
        diagnosis = check_device(load_profile(device))
    if as_json:
        _print_json(diagnosis.to_json())
    else:
        _console().print(diagnosis_table(diagnosis))
    if not diagnosis.works:
        raise typer.Exit(1)


@app.command()
def dashboard(
    study: StudyName,
    storage: Storage = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine may delete studies.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
) -> None:
    """Browse a study in optuna-dashboard, constraints respected."""
    from nasopt.report import serve
    from nasopt.study import find_studies

    found = find_studies(study, storage)[0]
    serve(
        found.storage,
        found.artifact_store,
        host=host,
        port=port,
        study=found.name,
        ready=lambda address: say(f"{found.name}: {address} (Ctrl-C ends it)"),
    )


def _same_command() -> str:
    """What was typed, to be typed again."""
    again = command(*sys.argv[1:])
    note = hint([again])
    return f"{again}   ({note})" if note else again


def _log_to(file: Path | None, verbose: int) -> None:
    handlers: list[logging.Handler] = []
    if file is not None:
        try:
            handlers.append(logging.FileHandler(file))
        except OSError as error:
            raise UsageError(f"cannot write the log {file}: {error.strerror}") from error
    if verbose > 1:
        handlers.append(logging.StreamHandler())
    level = logging.DEBUG if verbose > 1 else logging.INFO
    logger = logging.getLogger("nasopt")
    logger.setLevel(level)
    for handler in handlers:
        handler.setFormatter(Formatter())
        logger.addHandler(handler)


def main() -> None:
    """Entry point: a user's mistake is a line on standard error. Exit code 2 for usage, 1 for a failed run."""
    early.begin()
    for text in (*sys.argv, os.environ.get("NASOPT_STORAGE", "")):
        watch_for(text)
    try:
        app()
    except NasoptError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if (foreign := _foreign(error)) is None:
            sys.stderr.write(redact(traceback.format_exc()))
        else:
            complain(foreign)
        sys.exit(NasoptError.exit_code)


def _foreign(error: Exception) -> str | None:
    """What to say of a disk or database that failed where nothing better was known; None for a defect of nasopt."""
    if isinstance(error, OSError) and error.errno is not None:
        place = f" {error.filename}" if error.filename else ""
        return f"the file system failed{place}: {error.strerror}; what finished is stored, the same command goes on"
    if type(error).__module__.startswith("sqlalchemy.") or type(error).__name__ == "StorageInternalError":
        cause = getattr(error, "orig", None) or error.__cause__ or error
        line = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        return f"the database failed: {line}; check that it runs, is writable and has space"
    return None
