"""Settings of the whole suite: one thread, so that shared cores do not wait for each other; a cache of its own.

Property tests run on fixed examples, the same on every machine and in CI; `--fresh-seeds N` runs each of them on N sets
of new ones instead, see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

# By name: hypothesis would choose by whether the variable CI is set. No deadlines: other programs share the machine.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile(
    "fresh",
    derandomize=False,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.differing_executors],  # each repetition of a method has an instance of its own
)
settings.load_profile("fixed")

DISTURBED = ["AssertionError", "DID NOT RAISE", r"(Measurement|Sensor|Window|Refused|Lost)\w*Error"]
"""What a timed test may fail with because another program ran; any other failure is one of the code."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fresh-seeds",
        type=int,
        default=0,
        metavar="N",
        help="run the property tests alone, each on N sets of new examples; 0 runs all tests, these on fixed examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fresh-seeds"):
        settings.load_profile("fresh")  # before test modules are imported, whose own settings start from it


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat property tests as often as `--fresh-seeds` says; each repetition draws a seed of its own."""
    if (count := metafunc.config.getoption("--fresh-seeds")) and _is_property(metafunc.function):
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(count), indirect=True, scope="session")


@pytest.fixture(scope="session")
def repetition(request: pytest.FixtureRequest) -> int:
    """Number of the set of examples."""
    return int(request.param)


def _is_property(function: object) -> bool:
    return bool(getattr(function, "is_hypothesis_test", False))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests that are marked as timed run again where another program may have disturbed them."""
    if config.getoption("--fresh-seeds"):
        others = [item for item in items if not _is_property(getattr(item, "function", None))]
        items[:] = [item for item in items if item not in set(others)]
        config.hook.pytest_deselected(items=others)
    for item in items:
        if item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.flaky(reruns=3, reruns_delay=1, only_rerun=DISTURBED))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache out of the tests."""
    patch = pytest.MonkeyPatch()
    patch.setenv("NASOPT_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.delenv("NASOPT_STORAGE", raising=False)
    patch.delenv("NASOPT_DATA", raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("NASOPT_REFERENCE", "../shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; set NASOPT_REFERENCE to the folder that holds it")
    return folder
