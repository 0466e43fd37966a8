"""The section of the configuration that chooses symbols by rules."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spreadlake.config.sections import Section, Symbol

ContractKind = Literal["PERPETUAL", "TRADIFI_PERPETUAL"]


def _listed(value: Any) -> Any:
    """One value stands for a list of it."""
    return [value] if isinstance(value, str) else value


def _check_quote(quote: str) -> str:
    if not quote.isalnum() or quote != quote.upper():
        raise ValueError(f"{quote!r} is not an asset as the exchange writes it, e.g. USDT")
    return quote


Quote = Annotated[str, AfterValidator(_check_quote)]


class UniverseSettings(Section):
    """Which contracts of the exchange are captured where symbols are "all" (or left out).

    Looked at again every `look_minutes`. A symbol comes in at `min_quote_volume` and goes out a
    fifth below it; at the border of `top` it goes out a tenth of `top` below it, and comes in for
    certain a tenth above.
    """

    quote: Annotated[list[Quote], BeforeValidator(_listed)] = Field(
        [], description="what the contracts are quoted in, one asset or a list; empty: any"
    )
    contract: Annotated[list[ContractKind], BeforeValidator(_listed)] = Field(
        ["PERPETUAL"],
        min_length=1,
        description="kinds of contracts, one or a list: PERPETUAL (crypto), TRADIFI_PERPETUAL "
        "(stocks, metals, with market hours)",
    )
    min_quote_volume: float = Field(
        0.0, ge=0, description="least quote volume of the last 24 hours; 0: any"
    )
    top: int = Field(
        0,
        ge=0,
        description="at most so many, those with the greatest quote volume; 0: all of them",
    )
    include: list[Symbol] = Field(
        [], description="symbols that are always captured, beside those of the other rules"
    )
    exclude: list[Symbol] = Field([], description="symbols that are never captured")
    look_minutes: float = Field(
        60.0,
        ge=0.1,
        le=1440,
        description="minutes between two looks at what the exchange lists and how it trades",
    )

    @model_validator(mode="after")
    def _one_side(self) -> "UniverseSettings":
        excluded = set(self.exclude)
        for symbol in self.include:
            if symbol in excluded:
                raise ValueError(f"include and exclude both name {symbol}; leave it in one of them")
        return self

    @property
    def words(self) -> str:
        """The rules in one line."""
        parts = [f"contracts {' and '.join(self.contract)}"]
        parts += [f"in {' and '.join(self.quote)}"] if self.quote else []
        if self.min_quote_volume:
            parts.append(f"24 h volume from {self.min_quote_volume:,.0f}")
        parts += [f"top {self.top} by it"] if self.top else []
        parts += [f"{len(self.include)} always"] if self.include else []
        parts += [f"{len(self.exclude)} never"] if self.exclude else []
        return ", ".join(parts)
