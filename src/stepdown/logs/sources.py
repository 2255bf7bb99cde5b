"""Where logs lie: files, folders, globs and stdin, opened and decompressed chunk by chunk."""

import codecs
import glob
import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import zstandard

from stepdown.errors import LogError

__all__ = [
    "COPY",
    "STDIN",
    "BrokenStream",
    "expand",
    "is_stream",
    "read_chunks",
    "size",
    "spool",
    "written_whole",
]

STDIN = "-"
COPY = "stdin-"
"""How the names of copies begin that are made of what can be read only once."""

_CHUNK = 1 << 20
_ZSTD_CHUNK = 1 << 11  # a hostile zstd block of 4 bytes unfolds to 128 KiB
_ENOUGH = 1 << 18
_LONGEST = 1 << 27  # more than is read of anything
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_UTF_16 = {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    **dict.fromkeys((b"{\0", b"[\0"), "utf-16-le"),
    **dict.fromkeys((b"\0{", b"\0["), "utf-16-be"),
}
"""How a log in UTF-16 begins: with a mark, or with a bracket of JSON."""
_SKIPPABLE = tuple(bytes((0x50 + n,)) + b"\x2a\x4d\x18" for n in range(16))
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_COMPRESSED = ("", ".gz", ".zst")
_NAMES = tuple(suffix + packed for suffix in _SUFFIXES for packed in _COMPRESSED)

Advance = Callable[[int], None]


def _nobody(count: int) -> None:
    """Tell nobody of bytes that were read."""


class BrokenStream(Exception):
    """Compressed data ends early or is damaged; what came before has been delivered."""


def expand(sources: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Return the paths to read, each once, and those of them that were named one by one.

    A folder stands for the log files in it, at any depth, in the order of their names; a glob for
    what it matches; "-" for stdin.

    Raises:
        LogError: a source is missing, or has no log file in it.
    """
    found: dict[str, None] = {}
    named: set[str] = set()
    for source in sources:
        if source == STDIN or Path(source).is_file() or is_stream(source):
            named.add(source)
            found[source] = None
        else:
            found.update(dict.fromkeys(_search(source)))
    return list(found), frozenset(named)


def is_stream(source: str) -> bool:
    """Say whether a source can be read only once: stdin, a named pipe, or a shell's `<(…)`."""
    return source == STDIN or Path(source).is_fifo()


def size(path: str) -> int:
    """Return how many bytes a path has on disk; 0 for a stream, whose length is unknown."""
    return 0 if is_stream(path) else Path(path).stat().st_size


def read_chunks(path: str, advance: Advance = _nobody) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file or stdin; `advance` is told of bytes read on disk.

    Raises:
        LogError: the file can't be opened or read.
        BrokenStream: its compressed data is cut off or damaged; all before it has been yielded.
    """
    try:
        source = nullcontext(sys.stdin.buffer) if path == STDIN else open(path, "rb")  # noqa: SIM115
        with source as stream:
            yield from _as_utf8(_decompressed(stream, advance))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise LogError(
            f"{path} can't be read ({reason.lower()}); check the path and its permissions."
        ) from problem


def spool(stream: BinaryIO, folder: Path, clean: Callable[[bytes], bytes] = bytes) -> Path:
    """Copy a stream that can be read only once into `folder`, and return the copy's path.

    Every line is cleaned. The copy is named by its content and zstd-compressed; it appears whole or
    not at all. Where the stream was compressed and is cut off, the copy is cut off.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def write(file: BinaryIO) -> Path:
        content = hashlib.sha256()
        packed = zstandard.ZstdCompressor().stream_writer(file, closefd=False)
        try:
            for line in _lines(_as_utf8(_decompressed(stream, _nobody))):
                cleaned = clean(line)
                content.update(cleaned)
                packed.write(cleaned)
            packed.close()
        except BrokenStream:
            packed.flush(zstandard.FLUSH_BLOCK)
        return folder / f"{COPY}{content.hexdigest()[:12]}.jsonl.zst"

    return written_whole(folder, write)


def written_whole(folder: Path, write: Callable[[BinaryIO], Path]) -> Path:
    """Write a file that appears in `folder` whole or not at all, under the path that `write`
    returns once it has written it."""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".spool-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            path = write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # also on Ctrl-C no half copy may stay behind
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends; one that is too long to be read is cut."""
    held = b""
    parts: list[bytes] = []
    try:
        for chunk in chunks:
            parts.append(chunk)
            if b"\n" in chunk:
                *whole, held = b"".join(parts).split(b"\n")
                parts = [held]
                for line in whole:
                    yield line + b"\n"
            elif sum(map(len, parts)) > _LONGEST:
                parts = [b"".join(parts)[:_LONGEST]]
    except BrokenStream:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _search(source: str) -> list[str]:
    folder = Path(source)
    if folder.is_dir():
        inside = (path for path in folder.rglob("*") if path.name.lower().endswith(_NAMES))
        paths = sorted(str(path) for path in inside if path.is_file())
        if not paths:
            raise LogError(
                f"No log file is in the folder {source}; it needs *.jsonl, *.ndjson, *.json, "
                "*.csv or *.tsv files (also as .gz or .zst)."
            )
        return paths
    paths = sorted(path for path in glob.glob(source, recursive=True) if Path(path).is_file())
    if not paths and folder.exists():
        raise LogError(f"{source} is a device or a socket; give a file, or pipe it in as -.")
    if not paths:
        raise LogError(f"{source} does not exist; give a log file, a folder, a glob, or - (stdin).")
    return paths


def _decompressed(stream: BinaryIO, advance: Advance) -> Iterator[bytes]:
    first = stream.read(_CHUNK)
    if first.startswith(_GZIP_MAGIC):
        return _gathered(_gunzip(_raw(first, stream, advance)))
    if first.startswith((_ZSTD_MAGIC, *_SKIPPABLE)):
        return _gathered(_unzstd(_raw(first, stream, advance)))
    return _raw(first, stream, advance)


def _as_utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield text as UTF-8 whose lines end with "\\n", also of UTF-16 and where "\\r" ends them."""
    first = next(chunks, b"")
    whole = chain([first], chunks)
    kind = next((kind for begin, kind in _UTF_16.items() if first.startswith(begin)), None)
    if kind is not None:
        decode = codecs.getincrementaldecoder(kind)("replace").decode
        whole = (decode(chunk).encode() for chunk in whole)
        first = first.replace(b"\0", b"")
    if b"\r" in first and b"\n" not in first:
        whole = (chunk.replace(b"\r", b"\n") for chunk in whole)
    yield from whole


def _raw(first: bytes, stream: BinaryIO, advance: Advance) -> Iterator[bytes]:
    chunk = first
    while chunk:
        advance(len(chunk))
        yield chunk
        chunk = stream.read(_CHUNK)


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, and deliver what there is before a break in the stream is told."""
    held: list[bytes] = []
    length = 0
    try:
        for piece in pieces:
            held.append(piece)
            length += len(piece)
            if length >= _ENOUGH:
                yield b"".join(held)
                held, length = [], 0
    except BrokenStream:
        if length:
            yield b"".join(held)
        raise
    if length:
        yield b"".join(held)


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    started = False
    for chunk in chunks:
        data = chunk
        while data:
            started = True
            try:
                yield member.decompress(data, _CHUNK)
            except zlib.error as problem:
                raise BrokenStream from problem
            data = member.unconsumed_tail
            if member.eof:
                data = member.unused_data.lstrip(b"\0")  # padding is allowed after a member
                member, started = zlib.decompressobj(wbits=31), False
    if started:
        raise BrokenStream


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor()
    frame = unpacker.decompressobj()
    started = False
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            piece = chunk[at : at + _ZSTD_CHUNK]
            started = True
            try:
                yield frame.decompress(piece)
            except zstandard.ZstdError as problem:
                raise BrokenStream from problem
            at += len(piece)
            if frame.eof:
                at -= len(frame.unused_data)
                frame, started = unpacker.decompressobj(), False
    if started:
        raise BrokenStream
