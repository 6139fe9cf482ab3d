"""How the VQA scorers clean an answer before they compare it: punctuation, number words, articles, contractions."""

from __future__ import annotations

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_DIGIT_COMMA = re.compile(r"(?<=\d),+(?=\d)")
_FULL_STOP = re.compile(r"\.(?!\d)")
_MAX_FULL_STOPS = 32  # the scorers pass a regex flag as the count of `sub`: later ones stay
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())}

# Words that the scorers write with an apostrophe where it was left out; they know these forms only.
_APOSTROPHES = """
ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't
it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't
somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd
they'll
they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've who'd
who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
# Two apostrophes, either of which may be missing, but not both.
_DOUBLE = """
couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've
something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've
"""
_ODD = {
    "somebody'd": "somebodyd",
    "ow's'at": "'ow's'at",
    "'ows'at": "'ow's'at",
    "'ow'sat": "'ow's'at",
    "yall'll": "y'all'll",
    "y'allll": "y'all'll",
    "yall'd've": "y'all'd've",
    "y'alld've": "y'all'd've",
    "y'all'dve": "y'all'd've",
}


def _contractions() -> dict[str, str]:
    table = {word.replace("'", ""): word for word in _APOSTROPHES.split()} | _ODD
    for word in _DOUBLE.split():
        stem, middle, end = word.split("'")
        table[f"{stem}{middle}'{end}"] = table[f"{stem}'{middle}{end}"] = word
    return table


CONTRACTIONS = _contractions()


def clean(text: str) -> str:
    """The processor of VQA v2 as VLMEvalKit keeps it: case and commas are treated after the punctuation."""
    flat = text.replace("\n", " ").replace("\t", " ").strip()
    return _words(_without_punctuation(flat))


def clean_evalai(text: str) -> str:
    """The EvalAI processor of M4C and TextVQA: lower case, no commas and question marks, `'s` cut off, first."""
    flat = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return clean(flat)


def _without_punctuation(text: str) -> str:
    """A sign goes without trace if it touches a blank anywhere (or a number has a comma), else leaves a blank."""
    in_number = _DIGIT_COMMA.search(text) is not None
    result = text
    for sign in _PUNCTUATION:
        beside_blank = f"{sign} " in text or f" {sign}" in text
        result = result.replace(sign, "" if beside_blank or in_number else " ")
    return _FULL_STOP.sub("", result, count=_MAX_FULL_STOPS)


def _words(text: str) -> str:
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)
