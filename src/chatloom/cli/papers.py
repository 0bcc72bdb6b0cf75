"""Files to be known: found in folders, told apart by their endings, read as what they are."""

from __future__ import annotations

import codecs
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chatloom.wire.infinity import Format

FORMATS: Mapping[str, Format] = {
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}
"""What is read, by how a file's name ends."""
LARGEST = 10_000_000
"""Characters that one entry may be sent in."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Skipped(Exception):
    """A file is left out; its text says why."""


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files at *paths*, and all in folders that are there, in order; each is told once.

    What begins with a dot is left out, and so is what a link in a folder leads to.
    """
    known: set[Path] = set()
    for path in paths:
        for file in _in_folder(path) if path.is_dir() else [path]:
            if file.absolute() not in known:
                known.add(file.absolute())
                yield file


def _in_folder(folder: Path) -> Iterator[Path]:
    for where, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            file = Path(where, name)
            if not name.startswith(".") and not file.is_symlink():
                yield file


def content_of(file: Path) -> tuple[str, Format]:
    """What a file holds, as an entry is sent. Raises `Skipped`."""
    format = FORMATS.get(file.suffix.lower())
    if format is None:
        known = ", ".join(FORMATS)
        raise Skipped(f"nothing here reads {file.suffix or 'files without an ending'} ({known})")
    try:
        if file.stat().st_size > LARGEST:
            raise Skipped(f"it has more than {LARGEST:,} bytes")
        data = file.read_bytes()
    except OSError as error:
        raise Skipped(f"it cannot be read: {error.strerror}") from error
    told = b64encode(data).decode() if format == "pdf" else _text(data)
    if not told.strip():
        raise Skipped("there is nothing in it")
    if len(told) > LARGEST:
        raise Skipped(f"it has more than {LARGEST:,} characters, as it is sent")
    return told, format


def _text(data: bytes) -> str:
    coding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        raise Skipped(f"it is no text in {coding.upper().removesuffix('-SIG')}") from error
