"""PDF files made for the tests, byte by byte."""

import io
import zlib


def make_pdf(*pages, filters="", encode=lambda content: content):
    """Return a PDF file with one line of text a page; None is a page that only shows an image."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, line in enumerate(pages):
        resources = "/Font << /F1 3 0 R >>" if line is not None else "/XObject << /I 3 0 R >>"
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * at} 0 R "
            f"/Resources << {resources} >> >>".encode()
        )
        drawn = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET" if line is not None else "/I Do"
        content = encode(drawn.encode("latin-1"))
        head = f"<< /Length {len(content)} {filters} >>\nstream\n".encode()
        bodies.append(head + content + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer << /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{start}\n".encode()
    return bytes(out + b"%%EOF\n")


def encrypted_pdf(text):
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf(text)))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb_pdf():
    """Return a small file whose one page unpacks to 300 MB."""

    def pack(content):
        packer = zlib.compressobj(9)
        blanks = b" " * (1 << 20)
        return content + b"".join(packer.compress(blanks) for _ in range(300)) + packer.flush()

    return make_pdf("", filters="/Filter /FlateDecode", encode=lambda content: pack(b""))
