"""Conformance suites for plug-ins: subclass one in a test module, give its fixture, and pytest runs its checks.

```python
class TestMyBackend(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self):
        return MyBackend(profile)
```

`BackendSuite`, `MeterSuite` and `ProblemSuite` check what the interfaces in `nasopt.hardware` and `nasopt.problems`
promise. A sampler is an `optuna.samplers.BaseSampler`: run Optuna's own suites in `optuna.testing.pytest_samplers`, and
`nasopt.testing.samplers.SamplerSuite` for what studies of nasopt ask beyond them. This package needs pytest and is
imported by tests only; docs/extending.md shows each suite at work.
"""

import pytest

pytest.register_assert_rewrite(*(f"nasopt.testing.{name}" for name in ("backends", "meters", "problems", "samplers")))

from nasopt.testing.backends import BackendSuite  # noqa: E402  (pytest must know of the modules before their import)
from nasopt.testing.meters import MeterSuite  # noqa: E402
from nasopt.testing.problems import ProblemSuite  # noqa: E402

__all__ = ["BackendSuite", "MeterSuite", "ProblemSuite"]
