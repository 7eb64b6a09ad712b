"""Settings of the whole suite: one thread, so that shared cores do not wait for each other; a cache of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


DISTURBED = ["AssertionError", "DID NOT RAISE", r"(Measurement|Sensor|Window|Refused|Lost)\w*Error"]
"""What a timed test may fail with because another program ran; any other failure is one of the code."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that are marked as timed run again where another program may have disturbed them."""
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
