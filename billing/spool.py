"""Settlements that Postgres did not take, on disk until it does.

Each process appends to a file of its own, which it holds a lock on; a line is on the disk before `append` returns.
Files whose owner is gone are taken over by whoever finds them. Settling twice has one effect, so a file that was
half replayed may be replayed again. The lines hold numbers and names, never what was said.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)

Record = dict[str, Any]


class SpoolError(OSError):
    """The spool cannot be written: its folder is missing, full or not ours."""


class Spool:
    """One for a process. All methods block: call them in a thread."""

    def __init__(self, folder: Path, *, reserve_bytes: int = 64 * 1024 * 1024) -> None:
        self._folder = folder
        self._reserve = reserve_bytes
        self._path = folder / f"{uuid.uuid4()}.jsonl"
        self._descriptor: int | None = None

    def check(self) -> None:
        """Raises `SpoolError` unless there is room for what may have to be kept."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            space = os.statvfs(self._folder)
            writable = os.access(self._folder, os.W_OK)
        except OSError as error:
            raise SpoolError(f"{self._folder} cannot be used: {error.strerror}") from error
        if not writable:
            raise SpoolError(f"{self._folder} cannot be written")
        if space.f_bavail * space.f_frsize < self._reserve:
            raise SpoolError(f"{self._folder} has less than {self._reserve // 2**20} MiB left")

    def append(self, records: list[Record]) -> None:
        """On the disk when it returns. Raises `OSError`, and then nothing of it is there."""
        descriptor = self._open()
        content = b"".join(orjson.dumps(record) + b"\n" for record in records)
        before = os.fstat(descriptor).st_size
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)  # half a line would spoil the one that comes after it
            raise

    def clear(self) -> None:
        """All that was appended is settled."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Leave nothing behind that is empty; what is not stays for whoever comes next."""
        if self._descriptor is None:
            return
        if os.fstat(self._descriptor).st_size == 0:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def orphans(self) -> list[Path]:
        """Files other than our own."""
        return [path for path in sorted(self._folder.glob("*.jsonl")) if path != self._path]

    @contextmanager
    def adopted(self, path: Path) -> Iterator[list[Record] | None]:
        """The records of a file whose owner is gone, or None. The file is removed when the block ends well."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            yield None
            return
        try:
            if not _locked(descriptor):
                yield None
                return
            yield _records(path.name, descriptor)
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._path.with_suffix(".new")  # nobody may find it before it is locked, and take it for an orphan
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(self._path)
            self._descriptor = descriptor
            _sync_folder(self._folder)
        return self._descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _records(name: str, descriptor: int) -> list[Record]:
    """Its whole lines: the last one may have been cut off with its writer, who then had not returned from it."""
    found: list[Record] = []
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read()
    for line in content.splitlines():
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            log.error("a line of %s is cut off and was left out", name)
    return found


def _sync_folder(folder: Path) -> None:
    """So that the file's name survives too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
