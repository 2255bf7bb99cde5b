"""More than 150 ways to make two readers see different requests in the same bytes (S-8).

Each is a connection's worth of bytes up to the point where readers may differ; a sound request
follows it, which nobody may answer.
"""

PATH = b"/v1/chat/completions"


def post(*headers, body=b"", host=b"host: x", line=b"POST %b HTTP/1.1" % PATH, end=b"\r\n"):
    lines = [line, *([host] if host else []), *headers]
    return end.join(lines) + end + end + body


CODINGS = (
    b"gzip, chunked",
    b"identity, chunked",
    b"xchunked",
    b"chunkedx",
    b"chunked, identity",
    b"chunked,identity",
    b"identity",
    b"identity, chunked, identity",
    b"chunked, gzip",
    b"gzip",
    b"deflate",
    b"compress",
    b"br",
    b"trailers",
    b"chunked;q=1",
    b"chunked; q=0.5",
    b'"chunked"',
    b"'chunked'",
    b"chu nked",
    b"chunked chunked",
    b"chunked\x0b",
    b"\x0bchunked",
    b"\x0cchunked",
    b"chunked\x00",
    b"\x00chunked",
    b"chunked\xa0",
    b"\xefchunked",
    b"c\xcdhunked",
    b"chunked\r",
    b"-chunked",
    b"0",
)
LENGTHS = (
    b"-1",
    b"-0",
    b"+5",
    b"0x5",
    b"5x",
    b"x5",
    b"5.0",
    b"5e0",
    b"5,5",
    b"5, 5",
    b"5 5",
    b"5;5",
    b"1_0",
    b"\xd9\xa5",
    b"5\x00",
    b"\x0b5",
    b"5\x0b",
    b"'5'",
    b'"5"',
    b"NaN",
    b"",
    b"99999999999999999999",
    b"18446744073709551616",
    b"18446744073709551621",
    b"-18446744073709551611",
    b"4294967301x",
)
SIZES = (
    b"zz",
    b"-1",
    b"+1",
    b"0x1",
    b"x1",
    b" 1",
    b"1 1",
    b"1_",
    b"\t1",
    b"g",
    b"'1'",
    b"1\x00",
    b"\x001",
    b"1\r",
    b"",
    b"f" * 17,
    b"1" + b"0" * 16,
    b"\xef\xbc\x91",
)
LINES = (
    b"G@T / HTTP/1.1",
    b"G\x00T / HTTP/1.1",
    b"P\xd6ST / HTTP/1.1",
    b" POST %b HTTP/1.1" % PATH,
    b"POST\t%b HTTP/1.1" % PATH,
    b"POST %b\tHTTP/1.1" % PATH,
    b"POST %b HTTP/9.9" % PATH,
    b"POST %b HTTP/2.0" % PATH,
    b"POST %b HTTP/1.01" % PATH,
    b"POST %b HTTP/1,1" % PATH,
    b"POST %b HTTP/x.1" % PATH,
    b"POST %b HTTP / 1.1" % PATH,
    b"POST %b XTTP/1.1" % PATH,
    b"POST %b http/1.1" % PATH,
    b"POST %b HTTP/1.1 x" % PATH,
    b"POST %b HTTP/1.1\x00" % PATH,
    b"POST %b x HTTP/1.1" % PATH,
    b"POST v1/chat/completions HTTP/1.1",
    b"POST \\v1\\chat HTTP/1.1",
    b"POST /v1/\x00 HTTP/1.1",
    b"POST /v1/\xff HTTP/1.1",
    b"POST /v1/\x7f HTTP/1.1",
    b"POST ?x HTTP/1.1",
    b"POST http:// HTTP/1.1",
    b"POST http:///v1/x HTTP/1.1",
    b"POST ://x/v1 HTTP/1.1",
    b"CONNECT x:1 HTTP/1.1",
    b"CONNECT %b HTTP/1.1" % PATH,
    b"PRI * HTTP/2.0",
    b"POST",
    b"POST %b" % PATH,
    b"\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HTTP/1.1 200 OK",
)
FIELDS = (
    b"x: a\r\n b: c",
    b"x: a\r\n\tb",
    b"x:\r\n a",
    b"transfer-encoding:\r\n chunked",
    b"content-length:\r\n 5",
    b"content-length : 5",
    b"content-length\t: 5",
    b"transfer-encoding : chunked",
    b" content-length: 5",
    b"\tcontent-length: 5",
    b"nonsense",
    b": x",
    b"x y: z",
    b"x\x00: y",
    b"x\x0b: y",
    b"x\x7f: y",
    b"x\xe9: y",
    b"x(: y",
    b"x@y: z",
    b"[x]: y",
    b"x: a\x00b",
    b"x: a\rb",
    b"x: a\nb: c",
    b"x: a\n\ncontent-length: 5",
    b"x: a\r\r\ncontent-length: 5",
    b"host: y",
    b"Host: x",
)
TAILS = {
    "size and bare LF": b"2\n{}\r\n0\r\n\r\n",
    "no CRLF after a chunk": b"2\r\n{}0\r\n\r\n",
    "more than the chunk says": b"1\r\n{}\r\n0\r\n\r\n",
    "less than the chunk says": b"5\r\n{}\r\n0\r\n\r\n",
    "CR without LF after the size": b"2\r{}\r\n0\r\n\r\n",
    "NUL in an extension": b"2;a=\x00\r\n{}\r\n0\r\n\r\n",
    "LF in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "trailer without a colon": b"2\r\n{}\r\n0\r\nnonsense\r\n\r\n",
    "folded trailer": b"2\r\n{}\r\n0\r\nx: a\r\n b\r\n\r\n",
    "NUL in a trailer": b"2\r\n{}\r\n0\r\nx: \x00\r\n\r\n",
    "last chunk with LF": b"2\r\n{}\r\n0\n\n",
}

CHUNKED = b"transfer-encoding: chunked"


def cases():
    """Return the cases by name."""
    found = {}
    for coding in CODINGS:
        found[f"coding {coding!r}"] = post(b"transfer-encoding: " + coding, body=b"0\r\n\r\nX")
    for length in LENGTHS:
        found[f"length {length!r}"] = post(b"content-length: " + length, body=b"hello")
    for size in SIZES:
        found[f"chunk size {size!r}"] = post(CHUNKED, body=size + b"\r\nx\r\n0\r\n\r\n")
    for line in LINES:
        found[f"request line {line!r}"] = post(line=line)
    for field in FIELDS:
        found[f"field {field!r}"] = post(field, b"content-length: 0")
    for name, tail in TAILS.items():
        found[name] = post(CHUNKED, body=tail)
    length = b"content-length: 6"
    two = {
        "length and chunks": (length, CHUNKED),
        "chunks and length": (CHUNKED, length),
        "length 0 and chunks": (b"content-length: 0", CHUNKED),
        "lengths that differ": (length, b"content-length: 5"),
        "lengths that agree": (length, length),
        "three lengths": (length, b"x: y", length, b"content-length: 7"),
        "length in two cases": (b"Content-Length: 5", b"CONTENT-LENGTH: 6"),
        "chunked twice": (CHUNKED, CHUNKED, length),
        "chunked, then identity": (CHUNKED, b"transfer-encoding: identity"),
        "chunked, then nothing known": (CHUNKED, b"transfer-encoding: x"),
        "an odd case and a length": (b"tRANSFER-eNCODING: cHUNKED", length),
        "length and gzip": (length, b"transfer-encoding: gzip"),
        "length and identity": (length, b"transfer-encoding: identity"),
    }
    for name, headers in two.items():
        found[name] = post(*headers, body=b"0\r\n\r\nX")
    connect = b"CONNECT %b HTTP/1.1" % PATH
    found["connect with an upgrade"] = post(b"connection: upgrade", b"upgrade: x", line=connect)
    found["chunks in HTTP/1.0"] = post(
        CHUNKED, line=b"POST %b HTTP/1.0" % PATH, body=b"2\r\n{}\r\n0\r\n\r\n"
    )
    found["no host"] = post(b"content-length: 2", body=b"{}", host=b"")
    found["bare LF"] = post(b"content-length: 2", body=b"{}", end=b"\n")
    found["bare CR"] = post(b"content-length: 2", body=b"{}", end=b"\r")
    found["LF CR"] = post(b"content-length: 2", body=b"{}", end=b"\n\r")
    return found
