"""A forked process, and what it says."""

from __future__ import annotations

import os
import select
import signal
import warnings
from collections.abc import Callable

SOON = 10.0
"""Seconds: longer than anything here takes, shorter than any wait of the verifier."""


class Child:
    """A forked process that says what `work` gave, or which error it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._ours, theirs = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # That there are threads.
            self._pid = os.fork()
        if self._pid == 0:
            try:
                os.write(theirs, str(work()).encode())
            except BaseException as error:
                os.write(theirs, repr(error).encode())
            finally:
                os._exit(0)
        os.close(theirs)

    def says(self) -> str:
        """Gives it, or `"nothing"` if there is none soon."""
        ready, _, _ = select.select([self._ours], [], [], SOON)
        said = os.read(self._ours, 4096).decode() if ready else "nothing"
        os.close(self._ours)
        if not ready:
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        return said
