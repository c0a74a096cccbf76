"""The lines of a text file: unpacked, in UTF-8, some megabytes of whole lines at a time."""

from __future__ import annotations

import codecs
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.errors import InputError
from features.tables.files.block import DamagedError

LONGEST_LINE = 4 << 20
"""Bytes. A longer line is no line of a table, and must not fill the memory."""

PIECE = 1 << 20
BOM = codecs.BOM_UTF8
CODECS = {b"\x1f\x8b\x08": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz"}
"""What a compressed file begins with."""

XZ_MEMORY = 256 << 20
"""Bytes that unpacking xz may take: `xz -9` needs 65 MiB."""

Positions = npt.NDArray[np.int64]


def chunks(path: Path, encoding: str, size: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines in UTF-8, `size` bytes or a megabyte at a time, and how many bytes of the file were read till then.

    A byte order mark at the beginning is left out. Where the bytes are no text in `encoding` there is a byte 0xFF, so
    that these lines are no UTF-8, and only these. Raises DamagedError for a file that cannot be unpacked.
    """
    with pa.OSFile(str(path)) as file:
        read = unpacked(file, path)
        pieces = iter(lambda: read(min(size, PIECE)), b"")
        for number, text in enumerate(_whole_lines(_utf8(pieces, encoding))):
            yield text if number else text.removeprefix(BOM), file.tell()


def lines_of(path: Path, encoding: str) -> Iterator[bytes]:
    """One physical line after another, with its end."""
    return (line for text, _ in chunks(path, encoding, 1 << 16) for line in text.splitlines(keepends=True))


def without_first(head: int, texts: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """The same chunks without the first `head` physical lines."""
    for text, done in texts:
        if head:
            start, head = _skip(text, head)
            text = text[start:]
        if text:
            yield text, done


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes cut after the ends of lines: LF, CR LF or CR."""
    begun: list[bytes] = []
    held = b""
    for piece in pieces:
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""  # half of a CR LF, perhaps
        piece = piece.removesuffix(b"\r")
        cut = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        if cut:
            yield b"".join([*begun, piece[:cut]])
            begun = []
        begun.append(piece[cut:])
        if sum(map(len, begun)) > LONGEST_LINE:
            raise DamagedError(f"a line of more than {LONGEST_LINE >> 20} MB")
    rest = b"".join([*begun, held])
    if rest:
        yield rest


def count_lines(text: bytes) -> int:
    """Physical lines, whether or not the last one ends."""
    ends = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))
    if b"\r" in text:
        ends += text.count(b"\r") - text.count(b"\r\n")
    return ends + (not text.endswith((b"\n", b"\r")) and text != b"")


def line_spans(text: bytes) -> tuple[Positions, Positions]:
    """Where each physical line starts and where it stops, its end not included."""
    characters = np.frombuffer(text, np.uint8)
    newline, carriage = characters == ord("\n"), characters == ord("\r")
    after_carriage = np.append(False, carriage[:-1])
    ends = newline | (carriage & ~np.append(newline[1:], False))
    stops = np.flatnonzero(ends)
    starts = np.append(0, stops + 1)
    stops = np.append(stops - (newline & after_carriage)[stops], len(text))
    last = len(starts) if starts[-1] < len(text) else len(starts) - 1
    return starts[:last], stops[:last]


def is_utf8(text: bytes) -> bool:
    """Whether all of it is UTF-8."""
    if text.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(text)], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _skip(text: bytes, lines: int) -> tuple[int, int]:
    """Where the text goes on after some physical lines, and how many of them it did not have."""
    starts, _ = line_spans(text)
    return (int(starts[lines]), 0) if lines < len(starts) else (len(text), lines - len(starts))


def unpacked(file: pa.NativeFile, path: Path) -> Callable[[int], bytes]:
    """A function that reads the next bytes of the file, unpacked; which way is seen from its first bytes."""
    magic = file.read(8)
    file.seek(0)
    if magic.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        cure = "Unpack it; or write `format: {type: excel}` into the source file."
        raise InputError(path, "an archive or an Excel workbook", "a text file", cure)
    codec = next((name for start, name in CODECS.items() if magic.startswith(start)), None)
    unpacked = _Xz(file) if codec == "xz" else pa.CompressedInputStream(file, codec) if codec else file

    def read(size: int) -> bytes:
        try:
            content: bytes = unpacked.read(size)
        except (OSError, pa.ArrowException, lzma.LZMAError) as error:
            raise DamagedError(f"a damaged {codec or 'text'} file ({error})") from None
        return content

    return read


class _Xz:
    """Unpacks xz strictly: what follows a stream is another one, or damage."""

    def __init__(self, file: pa.NativeFile) -> None:
        self.file = file
        self.stream: lzma.LZMADecompressor | None = None

    def read(self, size: int) -> bytes:
        while True:
            packed = b""
            if self.stream is None or self.stream.eof:
                packed = (self.stream.unused_data if self.stream else b"") or self.file.read(PIECE)
                if not packed:
                    return b""
                self.stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            elif self.stream.needs_input:
                packed = self.file.read(PIECE)
                if not packed:
                    raise DamagedError("a damaged xz file (it is cut off)")
            content = self.stream.decompress(packed, size)
            if content:
                return content


def _utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The same text in UTF-8, with a byte 0xFF where it is none."""
    if encoding in ("utf-8", "utf-8-sig"):
        yield from pieces
        return
    codecs.register_error("mark-undecodable", _mark)
    try:
        " ".encode(encoding)  # refuses what Python calls a codec and is no encoding of text, such as hex
        decoder = codecs.getincrementaldecoder(encoding)("mark-undecodable")
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8", "mark-undecodable")
        yield decoder.decode(b"", final=True).encode("utf-8", "mark-undecodable")
    except (UnicodeError, LookupError) as error:
        raise DamagedError(f"a file that cannot be read as {encoding} ({error})") from None


def _mark(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error
