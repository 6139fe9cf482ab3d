"""A price table: what a model asks per token, image and request, and what this site's machines cost."""

from __future__ import annotations

import re
from datetime import date as Date
from pathlib import PurePath
from typing import Any

from pydantic import Field, field_validator
from vlmhb_stages.specs import Price

from vlmhb.cards.frameworks import framework_key
from vlmhb.modelcard import Frozen, ModelCard
from vlmhb.pricing.machines import Amount, Amounts, MachinePrices, ResourcePrices

STALE_DAYS = 180
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class ModelPrice(Amounts):
    """In the table's currency. Tokens per million; images each; requests each."""

    input: Amount = 0.0
    output: Amount = 0.0
    cached_input: Amount | None = None
    image_input: Amount | None = None
    per_request: Amount = 0.0
    per_image: Amount = 0.0
    source: str = ""  # where this one stands, if not where the table's do


class PriceTable(Frozen):
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    date: Date
    source: str = Field(min_length=1)
    models: dict[str, ModelPrice] = {}
    resources: ResourcePrices = ResourcePrices()
    origin: str = ""  # the file; filled on load

    @field_validator("currency", mode="before")
    @classmethod
    def _capitals(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("date", mode="before")
    @classmethod
    def _a_day(cls, value: Any) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValueError("must be a day")
        return value

    @field_validator("models", "resources", mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    def price_of(self, model: ModelCard) -> Price | None:
        """None: the table does not have it. `framework/name` goes before the name alone, and that before the name
        that is sent to the server."""
        found = self._entry(model)
        if found is None:
            return None
        return Price(
            currency=self.currency, source=self.source_of(found), **found.model_dump(exclude={"source"})
        )

    @property
    def machines(self) -> MachinePrices | None:
        """None where the table has no prices of machines."""
        if self.resources.is_empty:
            return None
        source = f"{PurePath(self.origin).name}, {self.date.isoformat()}: {self.source}"
        return MachinePrices(currency=self.currency, source=source, **self.resources.model_dump())

    def source_of(self, found: ModelPrice) -> str:
        """As reports tell it: which file, of which day, after whom."""
        return f"{PurePath(self.origin).name}, {self.date.isoformat()}: {found.source or self.source}"

    def _entry(self, model: ModelCard) -> ModelPrice | None:
        names = (model.name, str(model.params.get("model", "")))
        framework = framework_key(model.framework)
        for name in names:
            for key, price in self.models.items():
                head, slash, tail = key.partition("/")
                if slash and tail == name and framework_key(head) == framework:
                    return price
        return next((self.models[name] for name in names if name in self.models), None)

    def age_days(self, today: Date) -> int:
        return (today - self.date).days

    def warnings(self, today: Date) -> tuple[str, ...]:
        age = self.age_days(today)
        if age > STALE_DAYS:
            return (f"{self.origin}: these prices are {age} days old ({self.date}); check them",)
        if age < 0:
            return (f"{self.origin}: these prices are dated in the future ({self.date})",)
        return ()
