"""A talk as a file."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from chatloom.cli.chat.talk import Saying, Talk

_LONGEST_NAME = 50


def save(talk: Talk, path: Path, *, overwrite: bool) -> None:
    """Write *talk* to *path*, as JSON where it ends in ``.json``, else as Markdown.

    Raises `OSError`; `FileExistsError` unless told to *overwrite*.
    """
    text = _json(talk) if path.suffix.lower() == ".json" else _markdown(talk)
    with path.open("w" if overwrite else "x", encoding="utf-8", errors="replace") as file:
        file.write(text)


def free_name(talk: Talk, folder: Path) -> Path:
    """Make a name of the first question, that no file in *folder* has yet."""
    words = re.sub(r"\W+", "-", _title(talk)[:_LONGEST_NAME].lower()).strip("-") or "chat"
    number, name = 1, f"{words}.md"
    while (folder / name).exists():
        number += 1
        name = f"{words}-{number}.md"
    return folder / name


def _title(talk: Talk) -> str:
    asked = next((saying.content.strip() for saying in talk.said if saying.role == "user"), "")
    return asked.splitlines()[0] if asked else ""


def _markdown(talk: Talk) -> str:
    parts = [f"# {_title(talk)}"]
    if talk.conversation_id:
        parts.append(f"*Conversation {talk.conversation_id}*")
    if talk.system:
        parts += ["## System", talk.system]
    for saying in talk.said:
        parts += [f"## {_speaker(saying)}", saying.content.strip()]
        if saying.ending:
            parts.append(f"*({saying.ending})*")
    return "\n\n".join(parts) + "\n"


def _speaker(saying: Saying) -> str:
    return {"user": "You", "system": "System"}.get(saying.role) or saying.model or "Answer"


def _json(talk: Talk) -> str:
    told = {
        "conversation_id": talk.conversation_id,
        "model": talk.model,
        "system": talk.system,
        "messages": [msgspec.structs.replace(saying, behind=None) for saying in talk.said],
    }
    return msgspec.json.format(msgspec.json.encode(told)).decode() + "\n"
