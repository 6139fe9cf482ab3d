"""Invented names, goods and phrases of the demo documents. Any likeness to real people or firms is chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ru"]


@dataclass(frozen=True, kw_only=True)
class Words:
    """Pools to draw from, one instance a language."""

    firms: tuple[str, ...]
    shops: tuple[str, ...]
    people: tuple[tuple[str, str], ...]  # surname, given names
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    goods: tuple[str, ...]
    services: tuple[str, ...]
    subjects: tuple[str, ...]
    paragraphs: tuple[str, ...]


EN = Words(
    firms=(
        "Larkfield Instruments Ltd",
        "Quillstone Paper Works",
        "Brindle & Moss Joinery",
        "Aldermoor Survey Group",
        "Tamsin Hollow Optics",
        "Redwater Pump Company",
        "Northgate Tile Studio",
        "Pellworth Data Services",
    ),
    shops=("GREEN LANTERN GROCERY", "OLD MILL HARDWARE", "HARBOUR STREET BAKERY", "PAPER CRANE STATIONERS"),
    people=(
        ("Hartwell", "Miriam Jane"),
        ("Okonedo", "Samuel"),
        ("Fairbrook", "Alice Ruth"),
        ("Venner", "Thomas Cole"),
        ("Castellan", "Nora"),
        ("Dunmore", "Peter Alan"),
        ("Wexley", "Irene May"),
    ),
    streets=(
        "Tannery Lane",
        "Beacon Road",
        "Mill Crescent",
        "Orchard Street",
        "Ferry Walk",
        "Station Parade",
    ),
    cities=("Ashcombe", "Port Merrow", "Lindenvale", "Greyhaven", "Kestrel Bay"),
    goods=(
        "Rye bread",
        "Olive oil 0.5 l",
        "Ground coffee",
        "Paper towels",
        "Apple juice 1 l",
        "Notebook A5",
        "Light bulb 60 W",
        "Cheddar 250 g",
        "Garden twine",
        "Box of nails",
    ),
    services=(
        "Pressure gauge PG-40",
        "Calibration on site",
        "Oak shelf 120 cm",
        "Annual service visit",
        "Ceramic tile, grey",
        "Lens cleaning kit",
        "Soil survey, stage 1",
        "Delivery and packing",
        "Hinge set, brass",
        "Data backup, 12 months",
    ),
    subjects=(
        "Change of delivery date",
        "Results of the site inspection",
        "Invitation to the annual meeting",
        "Return of faulty goods",
    ),
    paragraphs=(
        "Thank you for your letter of last week. We have looked into the matter and spoken with the people "
        "who were on duty that day.",
        "The new date suits our workshop, and the van will reach you before noon. Please make sure that the "
        "side gate is open and that someone can sign for the boxes.",
        "We enclose two copies of the report. Keep one for your records and send the other back to us with "
        "your signature within fourteen days.",
        "Should any part be missing or damaged, tell us at once by telephone. We will replace it at no cost "
        "to you.",
        "The meeting will take place in the reading room on the second floor. Tea and a light lunch will be "
        "served at one o'clock.",
    ),
)

RU = Words(
    firms=(
        'ООО "Берёзовый Двор"',
        'ООО "Техприбор-Сервис"',
        'АО "Северная Линия"',
        'ООО "Кедровый Мост"',
        'ООО "Студия Плитки"',
        'АО "Волжский Насос"',
        'ООО "Точная Оптика"',
    ),
    shops=('МАГАЗИН "ТРИ ЯБЛОКА"', 'ПЕКАРНЯ "У МОСТА"', 'ХОЗТОВАРЫ "МАСТЕР"', 'КНИЖНАЯ ЛАВКА "СТРАНИЦА"'),
    people=(
        ("Лебяжьева", "Мария Олеговна"),
        ("Тростников", "Павел Ильич"),
        ("Заречная", "Анна Петровна"),
        ("Корабельников", "Степан Юрьевич"),
        ("Полынин", "Артём Денисович"),
        ("Вересова", "Ирина Львовна"),
        ("Громадин", "Фёдор Антонович"),
    ),
    streets=("ул. Садовая", "ул. Речная", "пер. Тихий", "ул. Заводская", "пр. Строителей", "ул. Цветочная"),
    cities=("г. Приозёрск-2", "г. Светлый Яр", "г. Новоречье", "г. Каменный Брод", "г. Долинск-7"),
    goods=(
        "Хлеб ржаной",
        "Молоко 1 л",
        "Кофе молотый",
        "Тетрадь 48 л.",
        "Лампа 60 Вт",
        "Сыр 250 г",
        "Чай чёрный",
        "Гвозди, 1 кг",
        "Яблоки, 1 кг",
        "Мыло детское",
    ),
    services=(
        "Манометр МП-40",
        "Поверка на объекте",
        "Полка дубовая 120 см",
        "Выезд мастера",
        "Плитка серая, м2",
        "Набор для чистки",
        "Доставка и упаковка",
        "Петли латунные",
        "Обслуживание, 1 год",
        "Насос НЦ-8",
    ),
    subjects=(
        "О переносе срока поставки",
        "О результатах осмотра объекта",
        "Приглашение на общее собрание",
        "О возврате товара",
    ),
    paragraphs=(
        "Благодарим за Ваше письмо. Мы изучили вопрос и поговорили с сотрудниками, которые работали в этот "
        "день.",
        "Новая дата нам подходит, машина прибудет до полудня. Просим открыть боковые ворота и назначить "
        "человека, который подпишет документы.",
        "Прилагаем два экземпляра отчёта. Один оставьте себе, второй верните нам с подписью в течение "
        "четырнадцати дней.",
        "Если какая-либо часть отсутствует или повреждена, сразу сообщите нам по телефону. Мы заменим её "
        "бесплатно.",
        "Собрание пройдёт в читальном зале на втором этаже. В час дня участников ждёт чай и лёгкий обед.",
    ),
)

WORDS: dict[Language, Words] = {"en": EN, "ru": RU}

# What the forms themselves say.
LABELS: dict[Language, dict[str, str]] = {
    "en": {
        "invoice": "INVOICE No.",
        "date": "Date:",
        "buyer": "Bill to:",
        "item": "Description",
        "qty": "Qty",
        "price": "Price",
        "amount": "Amount",
        "subtotal": "Subtotal",
        "tax": "VAT 20%",
        "total": "TOTAL DUE",
        "terms": "Payment within 14 days. Please quote the invoice number.",
        "manager": "Manager",
        "receipt": "RECEIPT No.",
        "tel": "Tel.",
        "sum": "TOTAL",
        "cash": "CASH",
        "change": "CHANGE",
        "thanks": "THANK YOU FOR YOUR VISIT!",
        "country": "REPUBLIC OF NORTHLAND",
        "card": "IDENTITY CARD / SPECIMEN",
        "surname": "Surname",
        "given_names": "Given names",
        "birth_date": "Date of birth",
        "birth_place": "Place of birth",
        "document_number": "Document No.",
        "expiry": "Valid until",
        "reference": "Our ref:",
        "to": "To:",
        "subject": "Subject:",
        "greeting": "Dear",
        "closing": "Yours sincerely,",
    },
    "ru": {
        "invoice": "СЧЁТ №",
        "date": "Дата:",
        "buyer": "Покупатель:",
        "item": "Наименование",
        "qty": "Кол-во",
        "price": "Цена",
        "amount": "Сумма",
        "subtotal": "Итого",
        "tax": "НДС 20%",
        "total": "ВСЕГО К ОПЛАТЕ",
        "terms": "Оплата в течение 14 дней. Укажите номер счёта в платеже.",
        "manager": "Директор",
        "receipt": "КАССОВЫЙ ЧЕК №",
        "tel": "Тел.",
        "sum": "ИТОГ",
        "cash": "НАЛИЧНЫМИ",
        "change": "СДАЧА",
        "thanks": "СПАСИБО ЗА ПОКУПКУ!",
        "country": "РЕСПУБЛИКА СЕВЕРИЯ",
        "card": "УДОСТОВЕРЕНИЕ / ОБРАЗЕЦ",
        "surname": "Фамилия",
        "given_names": "Имя, отчество",
        "birth_date": "Дата рождения",
        "birth_place": "Место рождения",
        "document_number": "Номер документа",
        "expiry": "Действителен до",
        "reference": "Исх. №",
        "to": "Кому:",
        "subject": "Тема:",
        "greeting": "Здравствуйте,",
        "closing": "С уважением,",
    },
}
