"""Pictures that a report has in it: files that are what their names say, as data URIs."""

import base64
from pathlib import Path
from typing import Literal

Kind = Literal["gif", "png"]
SIGNATURES: dict[Kind, tuple[bytes, ...]] = {"gif": (b"GIF87a", b"GIF89a"), "png": (b"\x89PNG\r\n\x1a\n",)}


def read_picture(folder: Path | None, file: str, kind: Kind) -> bytes | None:
    """Return the contents of a picture in a folder; None for any other file, which a result may name as well."""
    if folder is None:
        return None
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    contents = path.read_bytes()
    return contents if contents.startswith(SIGNATURES[kind]) else None


def data_uri(contents: bytes, kind: Kind) -> str:
    """Return a picture as an address that loads nothing."""
    return f"data:image/{kind};base64,{base64.b64encode(contents).decode()}"
