"""Which figures are watched for being unlike themselves: the section `anomalies` of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from contract.signals import SIGNALS
from contract.signals.model import Quantile, Rate, Ratio, Signal
from contract.values import Amount, Section

WINDOW = "5m"
"""Over which every watched figure is taken."""


class Anomaly(Section):
    """One figure that is held against its own past, by environment and by the labels of `by`.

    `strategy` adaptive takes the mean and the standard deviation of the last day, robust the median and the median deviation,
    which a few wild hours do not move. `sensitivity` is how many deviations are usual; a smaller number finds more. With less
    than `minimum` in five minutes the figure says nothing: events, tokens or USD for what is counted, and the number of
    events that a share or a quantile is made of. A figure that is `tolerance` (in its own unit) away from the usual is usual.
    `team` is told.
    """

    signal: str
    name: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,39})?$")] = ""
    by: tuple[str, ...] = ()
    strategy: Literal["adaptive", "robust"] = "adaptive"
    direction: Literal["both", "high", "low"] = "both"
    sensitivity: Annotated[float, Field(ge=1, le=20)] = 3.0
    minimum: Amount = 30.0
    tolerance: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    team: str = "platform"

    @property
    def label(self) -> str:
        """The value of the label `anomaly`."""
        return self.name or self.signal

    @property
    def asked(self) -> Signal:
        return SIGNALS[self.signal]

    @property
    def traffic(self) -> Rate | None:
        """The events that a share or a quantile is made of; None for what is itself a count."""
        signal = self.asked
        if isinstance(signal, Ratio):
            return signal.whole
        if isinstance(signal, Quantile):
            return Rate(f"{signal.key}_events", "Events", "Observations per second", "ops", signal.metric_name, signal.matches)
        return None

    def watches(self, side: Literal["high", "low"]) -> bool:
        return self.direction in ("both", side)

    @field_validator("signal")
    @classmethod
    def _is_a_figure_that_has_a_usual(cls, key: str) -> str:
        if key not in SIGNALS:
            raise ValueError(f"there is no signal {key!r}; there are for example agent_queries, llm_cost and agent_error_ratio")
        if not isinstance(SIGNALS[key], Rate | Ratio | Quantile):
            raise ValueError(f"signal {key} is neither a rate nor a share nor a quantile, so nothing says how much it rests on")
        if "environment" not in SIGNALS[key].labels:
            raise ValueError(f"signal {key} has no label environment, and anomalies are told by environment")
        return key

    @model_validator(mode="after")
    def _can_be_asked(self) -> Anomaly:
        known = self.asked.labels - {"environment", "le"}
        for label in self.by:
            if label not in known:
                raise ValueError(
                    f"by: signal {self.signal} has no label {label!r} beside environment; {', '.join(sorted(known))}"
                )
        if isinstance(self.asked, Quantile) and self.direction != "high":
            raise ValueError(f"direction: {self.signal} is a quantile, and answers that are faster than usual are no trouble")
        return self


DEFAULTS = (
    Anomaly(name="traffic", signal="agent_queries", minimum=50),
    Anomaly(name="cost", signal="llm_cost", direction="high", minimum=0.2, team="finance"),
    Anomaly(name="tokens", signal="llm_tokens", direction="high", minimum=100_000, team="finance"),
    Anomaly(name="latency", signal="agent_latency_p95", strategy="robust", direction="high", sensitivity=5, tolerance=1.0),
    Anomaly(name="errors", signal="agent_error_ratio", strategy="robust", direction="high", sensitivity=5, tolerance=0.03),
)
"""Traffic, cost, tokens, latency and errors of each environment."""


def _names_are_unique(anomalies: tuple[Anomaly, ...]) -> tuple[Anomaly, ...]:
    labels = [anomaly.label for anomaly in anomalies]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"two anomalies are called {twice[0]}; give one of them another name")
    return anomalies


Anomalies = Annotated[tuple[Anomaly, ...], AfterValidator(_names_are_unique)]
