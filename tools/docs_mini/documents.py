"""The four kinds of demo documents: what is printed, and the fields that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from docs_mini.page import Cell, Page
from docs_mini.words import LABELS, WORDS, Language


@dataclass(frozen=True, kw_only=True)
class Document:
    """`fields`: name -> text exactly as printed."""

    page: Page
    fields: dict[str, str]


Maker = Callable[[Random, Language], Document]


def money(cents: int, language: Language) -> str:
    """1,234.50 or 1 234,50."""
    text = f"{cents // 100:,}.{cents % 100:02d}"
    return text if language == "en" else text.replace(",", " ").replace(".", ",")


def date(rng: Random, language: Language, *, first: int = 2019, last: int = 2024) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(first, last)
    return f"{day:02d}/{month:02d}/{year}" if language == "en" else f"{day:02d}.{month:02d}.{year}"


def address(rng: Random, language: Language) -> str:
    words = WORDS[language]
    street, city, house = rng.choice(words.streets), rng.choice(words.cities), rng.randint(2, 98)
    return f"{house} {street}, {city}" if language == "en" else f"{city}, {street}, д. {house}"


def phone(rng: Random) -> str:
    return f"555-{rng.randint(10, 99)}-{rng.randint(10, 99)}"


def invoice(rng: Random, language: Language) -> Document:
    words, label = WORDS[language], LABELS[language]
    seller, buyer = rng.sample(words.firms, 2)
    number = f"{rng.choice(('A', 'B', 'K', 'M'))}-{rng.randint(1000, 9999)}"
    day = date(rng, language)
    page = Page(width=900, height=1120, face=rng.choice(("sans", "dejavu", "pt")), rng=rng)
    page.left(seller, size=30, bold=True)
    page.left(address(rng, language), size=20)
    page.left(f"{label['tel']} {phone(rng)}", size=20)
    page.gap(24)
    page.left(f"{label['invoice']} {number}", size=34, bold=True)
    page.left(f"{label['date']} {day}")
    page.gap(16)
    page.left(f"{label['buyer']} {buyer}")
    page.left(address(rng, language), size=20)
    page.gap(24)
    total = _table(page, rng, language)
    page.gap(30)
    page.left(label["terms"], size=20)
    page.gap(70)
    page.signature(x=330, y=page.y + 8, rng=rng)
    page.stamp(x=700, y=page.y, radius=70)
    page.left(f"{label['manager']}: {rng.choice(words.people)[0]}")
    page.gap(60)
    page.cut()
    fields = {"number": number, "date": day, "seller": seller, "buyer": buyer, "total": total}
    return Document(page=page, fields=fields)


def _table(page: Page, rng: Random, language: Language) -> str:
    """Prints the items and the sums; returns the total as printed."""
    words, label = WORDS[language], LABELS[language]
    page.rule()
    columns = (page.margin, 540, 690, page.right)

    def line(texts: tuple[str, str, str, str], *, bold: bool = False) -> None:
        cells = [
            Cell(text=text, x=x, anchor=anchor)
            for text, x, anchor in zip(texts, columns, "lrrr", strict=True)
        ]
        page.row(*cells, size=21, bold=bold)

    line((label["item"], label["qty"], label["price"], label["amount"]), bold=True)
    page.rule(width=1)
    subtotal = 0
    for name in rng.sample(words.services, rng.randint(3, 5)):
        count, price = rng.randint(1, 9), rng.randint(20, 900) * 50
        subtotal += count * price
        line((name, str(count), money(price, language), money(count * price, language)))
    page.rule()
    tax = subtotal // 5
    total = money(subtotal + tax, language)
    page.pair(label["subtotal"], money(subtotal, language))
    page.pair(label["tax"], money(tax, language))
    page.pair(label["total"], total, size=26, bold=True)
    return total


def receipt(rng: Random, language: Language) -> Document:
    words, label = WORDS[language], LABELS[language]
    shop, number, day = rng.choice(words.shops), f"{rng.randint(1, 9999):04d}", date(rng, language)
    page = Page(width=700, height=1300, face=rng.choice(("mono", "ptmono")), rng=rng, margin=50)
    page.centre(shop, size=28, bold=True)
    page.centre(address(rng, language), size=21)
    page.centre(f"{label['tel']} {phone(rng)}", size=21)
    page.gap(14)
    page.centre(f"{label['receipt']} {number}", size=24, bold=True)
    page.pair(day, f"{rng.randint(9, 20):02d}:{rng.randint(0, 59):02d}")
    page.rule()
    cents = 0
    for name in rng.sample(words.goods, rng.randint(4, 7)):
        price = rng.randint(90, 900) * (10 if language == "en" else 100)
        cents += price
        page.pair(name, money(price, language))
    page.rule()
    total, paid = money(cents, language), (cents // 5000 + 1) * 5000
    page.pair(label["sum"], total, size=30, bold=True)
    page.pair(label["cash"], money(paid, language))
    page.pair(label["change"], money(paid - cents, language))
    page.gap(24)
    page.centre(label["thanks"])
    page.gap(16)
    page.bars(rng=rng)
    page.cut()
    return Document(page=page, fields={"store": shop, "number": number, "date": day, "total": total})


def id_card(rng: Random, language: Language) -> Document:
    words, label = WORDS[language], LABELS[language]
    surname, given = rng.choice(words.people)
    fields = {
        "surname": surname.upper(),
        "given_names": given.upper(),
        "birth_date": date(rng, language, first=1950, last=2003),
        "birth_place": rng.choice(words.cities).upper(),
        "document_number": f"{rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(100000, 999999)}",
        "expiry": date(rng, language, first=2026, last=2034),
    }
    page = Page(width=1000, height=660, face=rng.choice(("sans", "pt", "dejavu")), rng=rng, margin=40)
    page.draw.rounded_rectangle((12, 12, 988, 648), radius=28, outline=110, width=3)
    page.centre(label["country"], size=32, bold=True)
    page.centre(label["card"], size=22)
    page.rule()
    page.photo(x=50, y=page.y + 20, width=270, height=360)
    for name, value in fields.items():
        page.row(Cell(text=label[name], x=370), size=20)
        page.row(Cell(text=value, x=370), size=29, bold=True)
        page.gap(12)
    return Document(page=page, fields=fields)


def letter(rng: Random, language: Language) -> Document:
    words, label = WORDS[language], LABELS[language]
    sender = rng.choice(words.firms)
    (author, author_given), (recipient, recipient_given) = rng.sample(words.people, 2)
    day, reference = date(rng, language), f"{rng.randint(10, 99)}/{rng.randint(100, 999)}"
    page = Page(width=900, height=1180, face=rng.choice(("serif", "sans", "pt")), rng=rng, margin=80)
    page.centre(sender, size=30, bold=True)
    page.centre(address(rng, language), size=20)
    page.rule()
    page.gap(14)
    page.pair(f"{label['reference']} {reference}", day, size=23)
    page.gap(14)
    to = f"{recipient_given} {recipient}"
    page.left(f"{label['to']} {to}", size=23)
    page.left(f"{label['subject']} {rng.choice(words.subjects)}", size=23, bold=True)
    page.gap(24)
    page.left(f"{label['greeting']} {to}," if language == "en" else f"{label['greeting']} {to}!", size=23)
    for paragraph in rng.sample(words.paragraphs, 4):
        page.gap(14)
        page.paragraph(paragraph, size=23)
    page.gap(30)
    page.left(label["closing"], size=23)
    page.gap(50)
    page.signature(x=90, y=page.y - 20, rng=rng)
    page.left(f"{author_given} {author}", size=23)
    page.gap(40)
    page.cut()
    fields = {"sender": sender, "recipient": to, "date": day, "reference": reference}
    return Document(page=page, fields=fields)


MAKERS: dict[str, Maker] = {"invoice": invoice, "receipt": receipt, "id_card": id_card, "letter": letter}
