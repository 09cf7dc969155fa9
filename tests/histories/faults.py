"""A catalog and a file system that fail at a chosen write or commit, for any code that runs over them.

A commit counts twice: it can fail before it is made, or its answer can be lost after. Where it stops: reads never fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io import OutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO


class Died(BaseException):
    """The process is gone: nobody catches it."""


class Broken(OSError):
    """A connection or a disk that failed; the process lives and may catch it."""


class Fuse:
    """Counts writes and commits of this process, and burns once at the one that it is set to.

    PyIceberg makes the files' wrapper by its name, so that nothing can be handed to it.
    """

    burnt: ClassVar[str] = ""
    """Where it burnt: `a write`, `a commit` or `the answer of a commit`."""
    _at: ClassVar[int | None] = None
    _burn: ClassVar[Callable[[str], NoReturn]]
    _passed: ClassVar[int] = 0

    @classmethod
    def lit(cls, place: str) -> None:
        if cls._at is None or cls.burnt:
            return
        if cls._passed == cls._at:
            cls.burnt = place
            cls._burn(place)
        cls._passed += 1

    @classmethod
    @contextmanager
    def set(cls, at: int, burn: Callable[[str], NoReturn]) -> Iterator[None]:
        cls._at, cls._burn, cls._passed, cls.burnt = at, staticmethod(burn), 0, ""
        try:
            yield
        finally:
            cls._at = None


class FusedIO(PyArrowFileIO):
    """PyIceberg's own, over the fuse."""

    def new_output(self, location: str) -> OutputFile:
        Fuse.lit("a write")
        return super().new_output(location)


class FusedCatalog(SqlCatalog):
    """PyIceberg's own, over the fuse."""

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        Fuse.lit("a commit")
        done = super().commit_table(*args, **kwargs)
        Fuse.lit("the answer of a commit")
        return done
