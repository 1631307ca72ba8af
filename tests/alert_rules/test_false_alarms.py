"""What looks like trouble and is none: no alert tells it."""

from __future__ import annotations

from typing import Any

import pytest

from alert_rules.catalogue import ALERTS
from alert_rules.rules import expression, rule
from contract.settings import Settings
from provisioning.check.excerpts import read_by
from recording_rules import registry

pytestmark = pytest.mark.usefixtures("on_a_disk")
SETTINGS = Settings()
STEP = 2
"""Minutes between samples, of which some hundreds are a day."""
DAY, HOUR = 24 * 60 // STEP, 60 // STEP
PLATFORM = 'environment="production",instance="127.0.0.1:9470",job="platform"'
MODEL = f'{PLATFORM},gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="new"'
LOOKUPS = f'cache_operations_total{{{PLATFORM},cache="answers",operation="get",result="%s"}}'
CALLS = f'gen_ai_client_operation_duration_seconds_count{{{MODEL},error_type=""}}'
TOKENS = f'gen_ai_client_token_usage_sum{{{MODEL},gen_ai_token_type="input"}}'
CHUNK = f'gen_ai_client_operation_time_to_first_chunk_seconds_bucket{{{MODEL},le="%s"}}'
AGENT = 'agent="billing",environment="production",instance="e",job="exporter"'
QUERIES = f'agent_queries_total{{{PLATFORM},agent="billing",status="success",version="1"}}'
EXECUTIONS = f'platform_executions_total{{{AGENT},status="success",version="1"}}'
HANDOFFS = f'platform_handoffs_total{{{AGENT},reason="policy"}}'
ENDED = f'platform_conversations_ended_total{{{AGENT},goal="achieved"}}'


def after_a_day(now: float, then: float = 0.0) -> str:
    """A counter that grows by so much between samples: for a day, and from then on."""
    return f"1000+{then:g}x{DAY} {1000 + then * DAY + now:g}+{now:g}x{3 * HOUR}"


STORIES: dict[str, tuple[str, dict[str, str]]] = {
    "one target of two is away: TargetDown tells it": (
        "ScrapeShrank",
        {
            f"scrape_samples_scraped{{{PLATFORM}}}": f"1000x{2 * HOUR} 0x{2 * HOUR}",
            f"up{{{PLATFORM}}}": f"1x{2 * HOUR} 0x{2 * HOUR}",
        },
    ),
    "a cache that hardly anybody asked yesterday": (
        "CacheHitRatioDropped",
        {LOOKUPS % "hit": after_a_day(1000, 1), LOOKUPS % "miss": after_a_day(1000)},
    ),
    "a model that was only tried yesterday is used": (
        "ModelTokensPerCallJumped",
        {CALLS: after_a_day(100, 1), TOKENS: after_a_day(100_000, 10)},
    ),
    "its first answers were to short questions": (
        "ModelFirstChunkSlower",
        {
            CALLS: after_a_day(100, 1),
            CHUNK % "0.01": after_a_day(0, 1),
            CHUNK % "2.56": after_a_day(100, 1),
            CHUNK % "+Inf": after_a_day(100, 1),
        },
    ),
    "the exporter moves to another address": (
        "SourceLosesEvents",
        {
            QUERIES: f"1000+20x{5 * HOUR}",
            **{
                name.replace('instance="e"', f'instance="{instance}"'): values
                for name in (EXECUTIONS, f"langfuse_traces_total{{{AGENT}}}")
                for instance, values in (("a", f"1000+20x{2 * HOUR} stale"), ("b", f"_x{2 * HOUR} 1800+20x{3 * HOUR}"))
            },
        },
    ),
    "an exporter is installed beside a platform that was scraped before": (
        "SourceLosesEvents",
        {QUERIES: f"1000+20x{5 * HOUR}", EXECUTIONS: f"_x{2 * HOUR} 1800+20x{3 * HOUR}"},
    ),
    "the exporter is away for half an hour": (
        "SourceLosesEvents",
        {QUERIES: f"1000+20x{5 * HOUR}", EXECUTIONS: f"1000+20x{2 * HOUR} stale _x{HOUR // 2} 2520+20x{3 * HOUR}"},
    ),
    "the database is away for half an hour: the exporter serves what it knew for ten minutes, and then nothing": (
        "SourceLosesEvents",
        {QUERIES: f"1000+20x{5 * HOUR}", EXECUTIONS: f"1000+20x{2 * HOUR} 2200x5 stale _x{HOUR // 3} 2540+20x{3 * HOUR}"},
    ),
    "a service level was taken out of the configuration": (
        "SloSeriesMissing",
        {'slo:sli_errors:rate5m{environment="production",scope="all",slo="former",team="agents"}': f"0x{HOUR} stale"},
    ),
    "yesterday two conversations ended": (
        "AgentHandoffsJumped",
        {HANDOFFS: after_a_day(50, 0.01), ENDED: after_a_day(100, 0.1)},
    ),
}


@pytest.mark.parametrize(("name", "series"), STORIES.values(), ids=STORIES)
def test_it_is_not_told(built: Any, name: str, series: dict[str, str]) -> None:
    alert = next(alert for alert in ALERTS if alert.name == name)
    recorded = [group for group in read_by(expression(alert, SETTINGS), registry.rule_groups(SETTINGS)) if group["rules"]]
    groups = [*recorded, {"name": "alerts", "interval": "1m", "rules": [rule(alert, SETTINGS)]}]
    moments = range(0, STEP * (DAY + 3 * HOUR), STEP)
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP}m",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [
            {
                "interval": f"{STEP}m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": f"{at}m", "alertname": name, "exp_alerts": []} for at in moments],
            }
        ],
    }
    built.write_test("rules.yml", {"groups": groups})
    done = built.run("test", "rules", built.write_test("story.yml", document))
    assert done.returncode == 0, done.stdout + done.stderr
