"""Finding device profiles by name or path."""

from __future__ import annotations

from pathlib import Path

from nasopt import plugins
from nasopt.errors import SpecError, UnknownPluginError
from nasopt.hardware.backends.options import mistakes
from nasopt.spec import shipped, yaml
from nasopt.spec.device import DeviceProfile


def profiles() -> list[str]:
    """Names of the profiles that come with the package."""
    return shipped.listed("hardware")


def load_profile(name_or_path: str | Path) -> DeviceProfile:
    """The profile of this name, or the one stored in this YAML file.

    Raises:
        UnknownPluginError: no profile has this name, or it names a backend or meter that is not installed.
        SpecError: the file is missing or does not say what it must; names file, line and key.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = shipped.folder("hardware") / f"{name_or_path}.yaml"
        if len(Path(name_or_path).parts) != 1 or not path.is_file():
            raise UnknownPluginError(
                f"no device named {str(name_or_path)!r}; known: {', '.join(profiles())}; or give a path ending in .yaml"
            )
    if not path.is_file():
        raise SpecError(f"no device profile {path}; known by name: {', '.join(profiles())}")
    document = yaml.read(path)
    profile = yaml.validate(DeviceProfile, document)
    for kind, choice, leading in (("backend", profile.backend, 1), ("meter", profile.meter, 0)):
        installed = [*(["auto"] if kind == "meter" else []), *plugins.names(f"{kind}s")]
        if choice.name not in installed:
            where, known = document.where((kind, "name")), ", ".join(installed)
            raise UnknownPluginError(f"{where}: no {kind} named {choice.name!r}; installed: {known}")
        if choice.options and choice.name != "auto" and (found := mistakes(kind, choice, leading)):
            lines = [f"{document.where((kind, 'options', *([m.key] if m.key else [])))}: {m.text}" for m in found]
            raise SpecError("\n".join(lines))
    if profile.calibration is None:
        return profile
    calibration = path.parent / profile.calibration
    if not calibration.is_file():
        where = document.where(("calibration",))
        raise SpecError(f"{where}: no calibration {calibration}; name one that exists, or leave the key out")
    return profile.model_copy(update={"calibration": str(calibration)})
