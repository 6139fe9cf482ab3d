"""A small PDF writer: pages of a given size with one coloured square each, and damaged or locked variants."""

from __future__ import annotations

from collections.abc import Sequence

# A document of one page with an empty owner password and the user password "secret" (RC4, 40 bits).
LOCK = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>" % (b"00" * 32, b"11" * 32)
COLOURS = ("1 0 0", "0 1 0", "0 0 1")


def pdf(pages: int = 1, *, size: Sequence[int] = (72, 36), locked: bool = False) -> bytes:
    """`size` in points (1/72 inch). Page n has a square of 18 points at the lower left in the n-th colour."""
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
    ]
    for number in range(pages):
        content = f"{COLOURS[number % 3]} rg 0 0 18 18 re f".encode()
        box = f"[0 0 {size[0]} {size[1]}]"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {4 + 2 * number} 0 R >>"
        objects += [page.encode(), b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)]
    if locked:
        objects.append(b"<< " + LOCK + b" >>")
    body, places = b"%PDF-1.4\n", []
    for number, data in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = b" /Encrypt %d 0 R /ID [<00> <00>]" % len(objects) if locked else b""
    trailer = b"trailer\n<< /Size %d /Root 1 0 R%s >>\n" % (len(objects) + 1, lock)
    start = b"startxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer + start
