"""What is asked about the demo documents: all fields as JSON, and single fields in words."""

from __future__ import annotations

from collections.abc import Iterable

from docs_mini.words import Language

# What each key means, for the request in Russian; in English the keys speak for themselves.
RU_KEYS = {
    "number": "номер документа",
    "date": "дата",
    "seller": "поставщик",
    "buyer": "покупатель",
    "total": "итоговая сумма",
    "store": "название магазина с типом, как напечатано",
    "surname": "фамилия",
    "given_names": "имя и отчество",
    "birth_date": "дата рождения",
    "birth_place": "место рождения",
    "document_number": "номер документа",
    "expiry": "срок действия",
    "sender": "организация-отправитель",
    "recipient": "кому",
    "reference": "исходящий номер",
}

# Two fields of each kind of document.
QUESTIONS: dict[str, dict[str, dict[Language, str]]] = {
    "invoice": {
        "number": {"en": "What is the invoice number?", "ru": "Какой номер у счёта?"},
        "total": {"en": "What is the total amount due?", "ru": "Какая сумма указана к оплате всего?"},
    },
    "receipt": {
        "date": {"en": "What is the date of this receipt?", "ru": "Какая дата указана в чеке?"},
        "total": {"en": "What is the total of this receipt?", "ru": "Какой итог чека?"},
    },
    "id_card": {
        "surname": {"en": "What is the surname of the holder?", "ru": "Какая фамилия у владельца?"},
        "document_number": {"en": "What is the document number?", "ru": "Какой номер у документа?"},
    },
    "letter": {
        "date": {"en": "What is the date of this letter?", "ru": "Какая дата указана в письме?"},
        "reference": {"en": "What is the reference number?", "ru": "Какой исходящий номер у письма?"},
    },
}
ANSWER_ONLY: dict[Language, str] = {
    "en": "Answer with the text as printed, nothing else.",
    "ru": "Ответь только текстом, как он напечатан.",
}


def field_request(names: Iterable[str], language: Language) -> str:
    """Asks for one JSON object with these keys."""
    if language == "en":
        keys = ", ".join(f'"{name}"' for name in names)
        return (
            f"Read this document and return one JSON object with string values for these keys: {keys}. "
            "Copy each value as printed. Output only the JSON."
        )
    keys = ", ".join(f'"{name}" ({RU_KEYS[name]})' for name in names)
    return (
        f"Прочитай документ и верни один объект JSON со строковыми значениями для ключей: {keys}. "
        "Перепиши каждое значение так, как оно напечатано. Выведи только JSON."
    )
