"""One thread for linear algebra on small matrices: several wait for each other, and long where cores are shared."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _libraries() -> ThreadpoolController:
    """Those loaded by now; looking for them takes milliseconds."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread while inside. The setting is the process's: threads that overlap may leave it at one."""
    return _libraries().limit(limits=1, user_api="blas")  # type: ignore[no-any-return]
