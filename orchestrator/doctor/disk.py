"""The folder of an embedded log: whether it may be written, how much room it has, and on what it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.doctor.finding import Finding
from orchestrator.settings import Settings
from orchestrator.wiring import query_path
from streams.backends.limits import LogLimits

EASY: Final = 1 << 30
"""Bytes below which it is said that the disk is nearly full."""
REMOTE: Final = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs")
"""Beginnings of types of file systems whose locks SQLite must not be trusted to."""
MOUNTS: Final = Path("/proc/self/mounts")


def permissions(settings: Settings) -> Iterator[Finding]:
    for folder, files in _places(settings):
        there = _nearest(folder)
        denied = [str(path) for path in files if path.exists() and not os.access(path, os.R_OK | os.W_OK)]
        if not os.access(there, os.W_OK | os.X_OK):
            said = f"{there} may not be written by this user"
            yield Finding("folder", "fail", said, f"let it own the folder: chown {os.getuid()} {there}")
        elif denied:
            said = f"{', '.join(denied)} may not be written by this user"
            yield Finding("folder", "fail", said, f"let it own the files: chown {os.getuid()} {' '.join(denied)}")
        else:
            yield Finding("folder", "ok", f"{folder} can be {'written' if there == folder else 'made'}")


def room(settings: Settings) -> Iterator[Finding]:
    least = LogLimits().min_free_bytes
    for folder, _ in _places(settings):
        disk = os.statvfs(_nearest(folder))
        free = disk.f_bavail * disk.f_frsize
        said = f"{free / (1 << 30):,.1f} GB free for {folder}"
        if free < least:
            yield Finding("disk", "fail", f"{said}: below {least >> 20} MB no event is taken", "free some space")
        elif free < EASY:
            yield Finding("disk", "warn", f"{said}: below {least >> 20} MB no event is taken", "free some space soon")
        else:
            yield Finding("disk", "ok", said)


def file_system(settings: Settings) -> Iterator[Finding]:
    for folder, _ in _places(settings):
        kind = _kind(_nearest(folder))
        if kind is None:
            continue
        if kind.startswith(REMOTE):
            yield Finding(
                "file system",
                "fail",
                f"{folder} lies on {kind}, whose locks do not keep SQLite's promises",
                "put the log on a disk of this machine (ORCHESTRATOR_LOG)",
            )
        elif kind == "tmpfs":
            said = f"{folder} lies in memory (tmpfs): a restart of the machine loses the log"
            yield Finding("file system", "warn", said, "put the log on a disk (ORCHESTRATOR_LOG)")
        else:
            yield Finding("file system", "ok", kind)


def _places(settings: Settings) -> Iterator[tuple[Path, list[Path]]]:
    """(folder, files in it) of an embedded log on disk."""
    tables = query_path(settings.log)
    if tables is not None:
        log = tables.with_name(tables.name.replace(".query.db", ".db"))
        yield tables.parent.absolute(), [log, tables]


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _kind(folder: Path) -> str | None:
    """Of the file system; None where the system does not tell."""
    try:
        lines = [line.split() for line in MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return None
    found = {Path(point.replace("\\040", " ")): kind for _, point, kind, *_ in lines}
    real = folder.resolve()
    return next((found[each] for each in (real, *real.parents) if each in found), None)
