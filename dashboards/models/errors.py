"""Which calls fail, why, and which are refused because there are too many."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.models import LLM_ERROR_RATIO, LLM_FAILURES, LLM_RATE_LIMITED_RATIO
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.models.live import LATELY, NO_TRAFFIC, ONLY, asked


def ratio(settings: Settings) -> Panel:
    limit = settings.thresholds.model_error_ratio
    return TimeSeries(
        name="error_ratio",
        title=f"Error ratio by model (alert above {limit:.0%})",
        description=(
            "Model calls that failed / model calls, over five minutes; the line is where the alert begins, once there are "
            "enough calls. One model: look at its provider's status; all: the network, or a key that ran out."
        ),
        targets=(asked(LLM_ERROR_RATIO),),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        always_last=LATELY,
        calculations=ONLY,
    )


def kinds() -> Panel:
    return TimeSeries(
        name="error_kinds",
        title="Failed calls by kind of error",
        description=(
            "Failed model calls per second, over five minutes, by kind. `rate limit`: too many at once; timeout: a slow "
            "provider, or answers that are too long; validation: the prompt or the context is not what the model takes; "
            "auth: a key."
        ),
        targets=(asked(LLM_FAILURES, ("error_type",)),),
        unit="ops",
        soft_maximum=0.01,
        minimum=0,
        no_value="no call failed in range",
        style="bars",
        stacked=True,
        always_last=LATELY,
        calculations=ONLY,
    )


def rate_limited(settings: Settings) -> Panel:
    limit = settings.thresholds.rate_limited_ratio
    return TimeSeries(
        name="rate_limited",
        title=f"Rate-limited calls (alert above {limit:.0%})",
        description=(
            "Calls that the provider refused because of a rate limit / model calls, over five minutes. Above the line: "
            "spread jobs over the day, ask for a higher limit, or send a part to another model."
        ),
        targets=(asked(LLM_RATE_LIMITED_RATIO),),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        always_last=LATELY,
        calculations=ONLY,
    )
