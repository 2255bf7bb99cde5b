"""Files that are not what their names say, each made to hurt whoever opens it (M-3)."""

import gzip
import io
import json
import os
import pickle  # noqa: TID251 - to make what must not be read
import struct
import zipfile
import zlib


class _Runs:
    """Unpickled, it leaves a canary behind."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def _npy(canary):
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + pickle.dumps(_Runs(canary))


def _zip(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def _tensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _one(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def _field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def outside_graph(location):
    """An ONNX model whose only weight lies in another file."""
    entries = (b"location", location), (b"offset", b"0"), (b"length", b"64")
    outside = b"".join(_field(13, _field(1, key) + _field(2, value)) for key, value in entries)
    weight = b"\x08\x40\x10\x02" + _field(8, b"w") + outside + b"\x70\x01"
    node = _field(1, b"w") + _field(2, b"states") + _field(4, b"Identity")
    kind = _field(1, b"\x08\x02")
    graph = _field(1, node) + _field(2, b"g") + _field(5, weight)
    graph += _field(12, _field(1, b"states") + _field(2, kind))
    return b"\x08\x09" + _field(7, graph) + _field(8, b"\x10\x11")


def hostile_files(canary):
    """Return the files by name; whatever runs one of them makes the file `canary`."""
    run = _Runs(canary)
    nothing = _one([2], 0, 8)
    found = {f"pickle {n}": pickle.dumps(run, protocol=n) for n in range(6)}
    found |= {
        "joblib": zlib.compress(pickle.dumps(run)),
        "gzipped pickle": gzip.compress(pickle.dumps(run)),
        "npy of objects": _npy(canary),
        "npz of objects": _zip({"w.npy": _npy(canary)}),
        "torch zip": _zip({"archive/data.pkl": pickle.dumps(run), "archive/version": b"3\n"}),
        "old torch": b"".join(pickle.dumps(one) for one in (0x1950A86A20F9469CFC6C, 1001, {}, run)),
        "yaml": f"!!python/object/apply:os.system ['touch {canary}']\n".encode(),
        "script": f"#!/bin/sh\ntouch {canary}\n".encode(),
        "python": f"import os; os.system('touch {canary}')\n".encode(),
        "template": b"{{ ''.__class__.__mro__ }}",
        "binary": b"\x7fELF\x02\x01\x01" + bytes(57),
        "empty": b"",
        "one byte": b"\x00",
        "zeros": bytes(100_000),
        "header of 2^63": _tensors(b"{}", length=2**63),
        "header of 2^64-1": _tensors(b"{}", length=2**64 - 1),
        "header of 100 MB": _tensors(b"{}", length=100_000_000),
        "header that is deep": _tensors(b'{"a":' * 50_000),
        "header of lists": _tensors(b"[" * 100_000),
        "overlapping tensors": _tensors({"a": nothing, "b": _one([2], 4, 12)}, bytes(12)),
        "the same bytes twice": _tensors({"a": nothing, "b": nothing}, bytes(8)),
        "a hole": _tensors({"a": nothing, "b": _one([2], 16, 24)}, bytes(24)),
        "tensor past the end": _tensors({"a": _one([2**40], 0, 2**42)}, bytes(8)),
        "shape that overflows": _tensors({"a": _one([2**33, 2**33], 0, 8)}, bytes(8)),
        "negative offset": _tensors({"a": _one([2], -8, 0)}, bytes(8)),
        "end before start": _tensors({"a": _one([2], 8, 0)}, bytes(8)),
        "negative shape": _tensors({"a": _one([-2], 0, 8)}, bytes(8)),
        "unknown type": _tensors({"a": _one([2], 0, 8, "OBJECT")}, bytes(8)),
        "strange types": _tensors(
            {"a": _one([4], 0, 8, "BF16"), "b": _one([8], 8, 16, "F8_E5M2")}, bytes(16)
        ),
        "more data than named": _tensors({"a": nothing}, bytes(800)),
        "metadata that runs": _tensors({"__metadata__": {"a": f"$(touch {canary})"}}),
        "zip bomb": _zip({"w": bytes(50_000_000)}, zipfile.ZIP_DEFLATED),
        "gzip bomb": gzip.compress(bytes(50_000_000)),
        "graph with a file of the system": outside_graph(b"/etc/passwd"),
        "graph with a file above": outside_graph(b"../../../../etc/passwd"),
        "graph with a file beside": outside_graph(b"stepdown.toml"),
        "graph of 2^62 bytes": b"\x08\x09" + b"\x3a" + _varint(2**62),
        "graph that nests": b"\x3a\x80\x80\x80\x01" * 10_000,
        "GGUF of 2^63 tensors": b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63),
        "deep JSON": b"[" * 200_000 + b"]" * 200_000,
        "deep object": b'{"a":' * 200_000,
        "huge number": b'{"format":' + b"9" * 100_000 + b"}",
        "null": b"null",
        "number": b"1",
        "empty object": b"{}",
        "not UTF-8": b'{"format": "\xff\xfe"}',
        "lone surrogate": b'{"format": "\\ud800"}',
        "keys twice": b'{"format": 1, "format": 1}',
    }
    return found
