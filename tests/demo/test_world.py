"""The synthetic platform is the same for everybody who asks, plausible, and bent by incidents only from their start on."""

from __future__ import annotations

import calendar
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from contract.labels import ERROR_TYPES
from contract.settings import Settings
from demo.database.rows.others import write_hour
from demo.database.rows.text import Lines
from demo.world.catalogue import AGENT, AGENTS, DEPENDENCIES, MODEL
from demo.world.happenings import KINDS, happenings
from demo.world.model import MAX_CONVERSATION_SECONDS, MAX_TICKET_SECONDS, Conversation, Execution, Incident, WorldSpec
from demo.world.observations import observations, scores
from demo.world.world import World

ANCHOR = datetime(2026, 11, 20, 15, 0, tzinfo=UTC).timestamp()  # a Friday afternoon
HOUR, DAY = 3600.0, 86400.0
FULL = WorldSpec(7, ANCHOR)
SMALL = WorldSpec(7, ANCHOR, days=30, scale=0.05)


def conversations(world: World, since: float, until: float) -> Iterator[Conversation]:
    for index in range(int(since // HOUR), int(until // HOUR)):
        yield from world.hour(index * HOUR).conversations


def executions(world: World, since: float, until: float) -> list[Execution]:
    """Executions on production that begin in [since, until)."""
    talks = conversations(world, since - 2 * HOUR, until + HOUR)
    return [e for talk in talks for e in talk.executions if since <= e.at < until and e.environment == "production"]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


@pytest.fixture(scope="module")
def day() -> list[Conversation]:
    """A working day at full scale, the anchor's."""
    return list(conversations(World(FULL), ANCHOR - DAY, ANCHOR))


def test_equal_specs_give_equal_hours_in_whatever_order_they_are_asked() -> None:
    hours = [ANCHOR - n * HOUR for n in range(40)]
    one, other = World(SMALL), World(SMALL)
    forward = [one.hour(hour) for hour in hours]
    backward = [other.hour(hour) for hour in reversed(hours)]
    assert forward == backward[::-1]
    assert [world_hour.tickets for world_hour in forward] == [other.tickets(hour) for hour in hours]
    assert World(replace(SMALL, seed=8)).hour(ANCHOR) != one.hour(ANCHOR)


def test_the_past_of_a_longer_world_and_life_after_the_anchor_exist() -> None:
    world = World(SMALL)
    assert not world.hour(SMALL.beginning - HOUR).conversations
    assert world.hour(SMALL.beginning).start == SMALL.beginning
    later = list(conversations(world, ANCHOR + 20 * DAY, ANCHOR + 21 * DAY))
    assert later
    assert all(talk.at >= ANCHOR + 20 * DAY - HOUR for talk in later)


def test_size_of_a_working_day(day: list[Conversation]) -> None:
    assert 2150 < len(day) < 2650
    turns = [len(talk.executions) for talk in day]
    assert 2.05 < sum(turns) / len(turns) < 2.35
    calls = sum(len(e.calls) for talk in day for e in talk.executions)
    assert calls / sum(turns) > 1.5
    shares = Counter(talk.environment for talk in day)
    assert shares["production"] / len(day) == pytest.approx(0.88, abs=0.03)
    assert set(shares) == set(Settings().environments)


def test_week_day_and_growth() -> None:
    world = World(FULL)
    smaller = World(replace(FULL, scale=0.4))
    by_day = [sum(1 for _ in conversations(smaller, ANCHOR - n * DAY, ANCHOR - (n - 1) * DAY)) for n in range(7, 0, -1)]
    # Counted from Friday afternoon: the second and smaller day are Saturday's and Sunday's for their greater part.
    assert sum(by_day[1:2]) / (sum(by_day[3:7]) / 4) == pytest.approx(0.45, abs=0.07)
    noon, night = ANCHOR // DAY * DAY + 14 * HOUR, ANCHOR // DAY * DAY + 2 * HOUR
    assert world.conversation_rate(noon) / world.conversation_rate(night) == pytest.approx(2.2, abs=0.02)
    weeks = 91 * DAY
    assert world.conversation_rate(noon) / world.conversation_rate(noon - weeks) == pytest.approx(2.5, abs=0.1)
    assert world.conversation_rate(noon + weeks) > world.conversation_rate(noon)


def test_users_come_in_order_grow_and_stay_who_they_are() -> None:
    world = World(FULL)
    users = world.users(ANCHOR)
    assert len(users) == pytest.approx(2600, abs=10)
    assert len(world.users(FULL.beginning)) == pytest.approx(1040, abs=30)
    assert [user.user_id for user in users] == list(range(1, len(users) + 1))
    assert all(earlier.at <= later.at for earlier, later in pairwise(users))
    assert list(World(FULL).users(ANCHOR - DAY)) == list(users[: len(world.users(ANCHOR - DAY))])


def test_nobody_acts_before_they_came_and_some_do_much(day: list[Conversation]) -> None:
    came = {user.user_id: user.at for user in World(FULL).users(ANCHOR)}
    assert all(came[talk.user_id] <= talk.at for talk in day)
    most = Counter(talk.user_id for talk in day).most_common()
    top = sum(n for _, n in most[: len(most) // 10])
    assert 0.25 < top / len(day) < 0.75
    assert len(most) > 400


def test_shares_that_alerts_watch_are_quiet(day: list[Conversation]) -> None:
    thresholds = Settings().thresholds
    run = [e for talk in day for e in talk.executions]
    failed = sum(e.status in ("error", "timeout") for e in run) / len(run)
    assert 0.012 < failed < 0.025 < thresholds.error_ratio
    known = [talk.goal_achieved for talk in day if talk.goal_achieved is not None]
    assert thresholds.success_ratio + 0.02 < sum(known) / len(known) < 0.96
    for agent in AGENTS:
        durations = [e.duration for e in run if e.agent == agent.name and e.environment == "production"]
        assert 1.3 < percentile(durations, 0.95) < 4.6 < thresholds.response_seconds


def test_an_execution_adds_up(day: list[Conversation]) -> None:
    for e in (e for talk in day for e in talk.executions):
        assert sum(span.duration for span in e.spans if span.kind == "phase") == pytest.approx(e.duration)
        assert all(span.duration >= 0 and span.offset + span.duration <= e.duration + 1e-9 for span in e.spans)
        assert all(span.name in DEPENDENCIES for span in e.spans if span.kind == "dependency")
        assert all(e.at <= call.at and call.end <= e.end + 1e-6 for call in e.calls)
        assert all(call.first_token is None or call.at < call.first_token < call.end for call in e.calls)
        assert all(e.at <= tool.at and tool.at + tool.duration <= e.end + 1e-6 for tool in e.tools)
        assert (e.status in ("error", "timeout")) == bool(e.error_type)
        assert e.error_type in ("", *ERROR_TYPES)
        assert bool(e.answer_tokens) == (e.status == "success")


def test_calls_cost_what_their_model_asks(day: list[Conversation]) -> None:
    calls = [call for talk in day for e in talk.executions for call in e.calls]
    assert {call.model for call in calls} <= set(MODEL)
    assert any(call.cache_read_tokens for call in calls)
    for call in calls:
        model = MODEL[call.model]
        if model.input_usd is None or model.output_usd is None or model.cache_read_usd is None:
            assert call.input_cost_usd is None
            assert call.output_cost_usd is None
            continue
        sent = call.input_tokens * model.input_usd + call.cache_read_tokens * model.cache_read_usd
        received = (call.output_tokens + call.reasoning_tokens) * model.output_usd
        assert call.input_cost_usd == pytest.approx(sent / 1e6)
        assert call.output_cost_usd == pytest.approx(received / 1e6)


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_month_spends_half_to_four_fifths_of_the_budget(seed: int) -> None:
    scale = 0.2
    world = World(WorldSpec(seed, ANCHOR, days=30, scale=scale))
    talks = list(conversations(world, ANCHOR - 14 * DAY, ANCHOR))
    spent = sum((c.input_cost_usd or 0.0) + (c.output_cost_usd or 0.0) for t in talks for e in t.executions for c in e.calls)
    days = calendar.monthrange(2026, 11)[1]
    share = spent / scale / 14 * days / Settings().budgets[0].monthly_usd
    assert 0.50 < share < 0.80


def test_versions_reach_staging_before_production_and_change_every_few_weeks() -> None:
    world = World(FULL)
    came: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for deployment in world.deployments(ANCHOR + 30 * DAY):
        came[deployment.agent, deployment.version][deployment.environment] = deployment.at
    whole = [times for times in came.values() if len(times) == 3]
    assert len(whole) > 20
    assert all(times["development"] < times["staging"] < times["production"] for times in whole)
    for agent in AGENTS:
        served = [world.version(agent.name, "production", ANCHOR - n * DAY).version for n in range(90)]
        assert 3 <= len(set(served)) <= 9
    talk = next(iter(conversations(world, ANCHOR - HOUR, ANCHOR)))
    assert talk.executions[0].version == world.version(talk.agent, talk.environment, talk.at).version


def test_tickets_live_within_their_bound_and_mostly_meet_their_service_level() -> None:
    world = World(FULL)
    tickets = [ticket for n in range(14 * 24) for ticket in world.tickets(ANCHOR - n * HOUR)]
    assert len(tickets) > 800
    for ticket in tickets:
        assert ticket.changes[0].from_status is None
        assert all(a.at < b.at and a.to_status == b.from_status for a, b in pairwise(ticket.changes))
        assert ticket.changes[-1].to_status == "closed"
        assert ticket.changes[-1].at - ticket.changes[0].at <= MAX_TICKET_SECONDS
    met = sum(ticket.first_response_at <= ticket.sla_first_response_due_at for ticket in tickets)
    assert 0.88 < met / len(tickets) < 0.98
    reopened = sum(any(c.from_status == "resolved" and c.to_status == "in_progress" for c in t.changes) for t in tickets)
    assert 0.02 < reopened / len(tickets) < 0.12


def test_tickets_name_conversations_that_were_handed_over_to_them() -> None:
    world = World(FULL)
    hour = world.hour(ANCHOR - HOUR)
    talks = {talk.conversation_id: talk for talk in hour.conversations}
    linked = [ticket for ticket in hour.tickets if ticket.conversation_id is not None]
    assert linked
    for ticket in linked:
        assert ticket.conversation_id is not None
        talk = talks[ticket.conversation_id]
        assert talk.user_id == ticket.user_id
        assert talk.handoff is not None
        assert talk.handoff.ticket_id == ticket.ticket_id
        assert talk.at < ticket.changes[0].at <= talk.handoff.at


def test_happenings_come_in_order_once_and_the_same_in_any_pieces() -> None:
    world = World(replace(SMALL, incidents=(Incident("errors", ANCHOR - 4 * HOUR, ANCHOR - 3.5 * HOUR),)))
    since, until = ANCHOR - 30 * HOUR, ANCHOR + HOUR
    whole = list(happenings(world, since, until))
    assert all(a.at <= b.at for a, b in pairwise(whole))
    assert {happening.kind for happening in whole} <= set(KINDS)
    assert since < whole[0].at
    assert whole[-1].at <= until
    cuts = [since, since + 10.0, since + 3 * HOUR + 7, ANCHOR - 4 * HOUR, ANCHOR - 3.9 * HOUR, ANCHOR - 20, ANCHOR, until]
    pieces = [happening for a, b in pairwise(cuts) for happening in happenings(world, a, b)]
    assert pieces == whole
    kinds = Counter(happening.kind for happening in whole)
    assert abs(kinds["execution_started"] - kinds["execution_ended"]) < 20
    changes = [h for h in whole if h.kind == "ticket_changed" and h.detail.from_status == "resolved"]
    assert any(h.subject.changes[0].at < since for h in changes), "tickets opened long before must still change"


def test_what_langfuse_is_told(day: list[Conversation]) -> None:
    rows = [row for talk in day for row in observations(talk)]
    assert len({row.id for row in rows}) == len(rows)
    roots = {row.id: row for row in rows if row.parent_id is None}
    assert len(roots) == sum(len(talk.executions) for talk in day)
    for row in rows:
        if row.parent_id is None:
            continue
        assert roots[row.parent_id].trace_id == row.trace_id
        assert row.usage["total"] == sum(n for kind, n in row.usage.items() if kind != "total")
        assert bool(row.cost) == (MODEL[row.model or ""].input_usd is not None)
    given = [score for talk in day for score in scores(talk)]
    assert sum(score.name == "helpfulness" for score in given) / len(roots) == pytest.approx(0.2, abs=0.02)
    cut = day[0].executions[0].end
    assert [*observations(day[0], 0.0, cut), *observations(day[0], cut)] == list(observations(day[0]))


def lines_until(world: World, at: float) -> dict[str, list[str]]:
    """All rows of the last hours as they stand at a moment: everything that a person could have seen by then."""
    lines: Lines = defaultdict(list)
    for index in range(int(at // HOUR) - 3, int(at // HOUR) + 1):
        write_hour(lines, world.hour(index * HOUR), at)
    return {table: sorted(rows) for table, rows in lines.items()}


INCIDENTS = ("errors", "latency", "cost", "silence")


@pytest.mark.parametrize("kind", INCIDENTS)
def test_an_incident_changes_nothing_before_it_and_its_end_nothing_before_that(kind: str) -> None:
    start = ANCHOR - 1234.5
    calm, struck = World(FULL), World(replace(FULL, incidents=(Incident(kind, start, start + 600),)))
    assert lines_until(calm, start) == lines_until(struck, start)
    assert lines_until(calm, start + 500) != lines_until(struck, start + 500)
    cut = World(replace(FULL, incidents=(Incident(kind, start, start + 240),)))
    assert lines_until(cut, start + 239.9) == lines_until(struck, start + 239.9)


@pytest.mark.parametrize("kind", INCIDENTS)
def test_conversations_stay_within_their_bound_during_incidents(kind: str) -> None:
    world = World(replace(FULL, incidents=(Incident(kind, ANCHOR - 4 * HOUR, ANCHOR),)))
    talks = list(conversations(world, ANCHOR - 5 * HOUR, ANCHOR))
    assert all(talk.settled - talk.at <= MAX_CONVERSATION_SECONDS for talk in talks)
    assert all(a.end <= b.at for talk in talks for a, b in pairwise(talk.executions))
    assert all(talk.end >= talk.executions[-1].end for talk in talks)
    assert len({talk.conversation_id for talk in talks}) == len(talks)


def test_errors_fail_most_executions_and_bring_retries_at_once() -> None:
    start = ANCHOR - 2 * HOUR
    calm = World(FULL)
    world = World(replace(FULL, incidents=(Incident("errors", start, start + 3600),)))
    run = executions(world, start, start + 3600)
    failed = [e for e in run if e.status in ("error", "timeout")]
    assert 0.62 < len(failed) / len(run) < 0.80
    assert Counter(e.error_type for e in failed).most_common(1)[0][0] == "llm"
    assert 3.2 < len(run) / len(executions(calm, start, start + 3600)) < 5.0
    first_minute = executions(world, start, start + 60)
    assert len(first_minute) >= Settings().thresholds.minimum_queries_page
    assert any(e.status == "error" for e in executions(world, start, start + 20))
    before = [talk for talk in conversations(world, start - HOUR, start + HOUR) if talk.at < start]
    assert any(e.at >= start and e.error_type == "llm" for talk in before for e in talk.executions)
    after = executions(world, start + 3600, start + 4500)
    assert sum(e.status == "error" for e in after) / len(after) < 0.06


def test_errors_page_even_a_small_platform_at_night() -> None:
    night = ANCHOR // DAY * DAY + 3 * HOUR
    world = World(replace(SMALL, incidents=(Incident("errors", night, night + 300),)))
    run = executions(world, night, night + 60)
    assert len(run) >= Settings().thresholds.minimum_queries_page
    assert sum(e.status == "error" for e in run) / len(run) > Settings().thresholds.error_ratio_page


def test_latency_is_far_beyond_its_page_with_few_failures() -> None:
    start = ANCHOR - 2 * HOUR
    world = World(replace(FULL, incidents=(Incident("latency", start, start + 2400),)))
    run = executions(world, start, start + 2400)
    assert percentile([e.duration for e in run], 0.95) > 1.3 * Settings().thresholds.response_seconds_page
    assert sum(e.status in ("error", "timeout") for e in run) / len(run) < 0.09
    assert all(sum(s.duration for s in e.spans if s.kind == "phase") == pytest.approx(e.duration) for e in run)


def test_cost_multiplies_tokens_and_money() -> None:
    start = ANCHOR - 2 * HOUR
    calm, struck = World(FULL), World(replace(FULL, incidents=(Incident("cost", start, start + 1800),)))

    def spent(world: World) -> float:
        run = executions(world, start, start + 1800)
        return sum((c.input_cost_usd or 0.0) + (c.output_cost_usd or 0.0) for e in run for c in e.calls)

    assert spent(struck) / spent(calm) == pytest.approx(25, rel=0.02)


def test_silence_stops_production_alone() -> None:
    start = ANCHOR - 2 * HOUR
    world = World(replace(FULL, incidents=(Incident("silence", start, start + 1800),)))
    assert executions(world, start, start + 1800) == []
    others = [t for t in conversations(world, start, start + HOUR) if t.environment != "production" and t.at < start + 1800]
    assert others
    assert all(not start <= login.at < start + 1800 for login in world.hour(start).logins)
    assert executions(world, start + 1800, start + 3600)


def test_ids_are_unique_and_fit_a_bigint() -> None:
    world = World(FULL)
    hours = [world.hour(ANCHOR - n * HOUR) for n in range(12)]
    kinds: dict[str, list[int] | list[str]] = {
        "conversation": [t.conversation_id for h in hours for t in h.conversations],
        "message": [m for h in hours for t in h.conversations for e in t.executions for m in (e.question_id, e.answer_id)],
        "execution": [e.execution_id for h in hours for t in h.conversations for e in t.executions],
        "call": [c.observation_id for h in hours for t in h.conversations for e in t.executions for c in e.calls],
        "ticket": [t.ticket_id for h in hours for t in h.tickets],
        "login": [x.login_id for h in hours for x in h.logins],
    }
    for kind, ids in kinds.items():
        assert len(set(ids)) == len(ids) > 0, kind
    assert all(isinstance(n, int) and 0 < n < 2**53 for kind in ("conversation", "message", "ticket") for n in kinds[kind])
    assert all(talk.agent in AGENT for hour in hours for talk in hour.conversations)
