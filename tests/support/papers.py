"""PDF files, as small as they can be."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence


def pdf(*pages: str, packed: bool = False) -> bytes:
    """A file with these texts, a line of each below the other."""
    streams = [_drawn(text.splitlines()) for text in pages]
    return of_streams(streams, packed=packed)


def of_streams(streams: Sequence[bytes], *, packed: bool = False) -> bytes:
    """A file whose pages are drawn by *streams*."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, stream in enumerate(streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        body = zlib.compress(stream, 9) if packed else stream
        kind = "/Filter /FlateDecode " if packed else ""
        head = f"<< {kind}/Length {len(body)} >>\nstream\n".encode()
        objects.append(head + body + b"\nendstream")
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    told = b"%PDF-1.4\n"
    places: list[int] = []
    for number, body in enumerate(objects, 1):
        places.append(len(told))
        told += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(told)
    told += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    told += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    told += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n".encode()
    return told + b"%%EOF\n"


def _drawn(lines: Sequence[str]) -> bytes:
    told = b"BT /F1 12 Tf 14 TL 72 720 Td\n"
    for line in lines:
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        told += f"({escaped}) Tj T*\n".encode("latin-1")
    return told + b"ET"


def in_base64(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return b64encode(data).decode()
