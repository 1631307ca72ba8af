"""Feedback and quality, from the rows of feedback and of conversations, and from Langfuse's rows of calls and scores."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from statistics import fmean, stdev
from typing import Any, NamedTuple

import pytest

from tests.integration.model_calls import Judged, Row, ledger
from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import close, grouped, mean, midnight, told_hour, utc
from tests.integration.tabs import Fault

RANGE = 30 * DAY
MONTH_AGO = "date_trunc('hour', :now) - interval '30 days'"
GOOD, BAD, MIXED = "#009E73", "#D55E00", "#E69F00"
SAYS_NOTHING = re.findall(
    r"\w+",
    "about after again all also and any are because been but can could did does for from get had has have her him his how "
    "into its just like more not now off one only our out over own she should some than that the their them then there these "
    "they this too was were what when where which who will with would you your",
)


class Given(NamedTuple):
    """What somebody said of an answer, and the conversation that it stands in."""

    at: datetime
    message: int
    conversation: int
    trace: str | None
    stars: int | None
    thumbs: int | None
    nps: int | None
    category: str | None
    comment: str | None
    agent: str
    intent: str
    channel: str
    outcome: str | None


def given(moment: Moment, seconds: float = RANGE) -> list[Given]:
    """Feedback of the range on conversations in production."""
    return [
        Given(utc(at), *rest)
        for at, *rest in moment.sql(
            "SELECT f.created_at, f.message_id, f.conversation_id, f.trace_id, f.rating, f.thumbs, f.nps, f.category,"
            " f.comment, a.name, c.intent, c.channel, c.outcome FROM app.feedback f"
            " JOIN app.conversations c ON c.id = f.conversation_id JOIN app.agents a ON a.id = c.agent_id"
            " WHERE c.environment = 'production' AND f.created_at BETWEEN :from AND :to",
            seconds=seconds,
        )
    ]


def rows(moment: Moment, name: str, seconds: float = RANGE, **choices: str) -> list[dict[str, Any]]:
    return moment.panel_table(f"feedback/{name}", seconds=seconds, **({"group_by": "'agent'"} | choices))


def stars(found: list[Given]) -> list[int]:
    return [row.stars for row in found if row.stars is not None]


def nps(found: list[Given]) -> float | None:
    answers = [row.nps for row in found if row.nps is not None]
    return 100 * mean((n >= 9) - (n <= 6) for n in answers) if answers else None


def up(found: list[Given]) -> float | None:
    thumbs = [row.thumbs for row in found if row.thumbs]
    return mean(thumb > 0 for thumb in thumbs) if thumbs else None


def low(found: list[Given]) -> float | None:
    return mean(n <= 2 for n in stars(found)) if stars(found) else None


def monday(at: datetime) -> datetime:
    return midnight(at) - timedelta(days=utc(at).weekday())


def content(moment: Moment) -> None:
    """Voted down: more than half of an agent's thumbs of a day, and at least ten of them."""
    agents = grouped((row for row in given(moment, DAY) if row.thumbs), lambda row: row.agent)
    down = {agent: sum(row.thumbs < 0 for row in found) for agent, found in agents.items()}
    expected = any(down[agent] >= 10 and down[agent] > 0.5 * len(found) for agent, found in agents.items())
    assert [row["Users"] for row in rows(moment, "content", DAY)] == [expected] * bool(agents)


def rating_now(moment: Moment) -> None:
    expected = moment.number(
        "SELECT avg(f.rating) FROM app.feedback f JOIN app.conversations c ON c.id = f.conversation_id"
        f" WHERE c.environment = 'production' AND f.created_at BETWEEN {MONTH_AGO} AND :now"
    )
    assert moment.panel("feedback/rating_now") == {"production": close(expected)}


def nps_now(moment: Moment) -> None:
    answers = [n for (n,) in moment.sql(
        f"SELECT nps FROM app.feedback WHERE nps IS NOT NULL AND created_at BETWEEN {MONTH_AGO} AND :now"
    )]  # fmt: skip
    expected = {"NPS": close(100 * mean((n >= 9) - (n <= 6) for n in answers)), "answers": len(answers)}
    assert moment.panel("feedback/nps_now") == expected


def thumbs_now(moment: Moment) -> None:
    assert [row["Thumbs up"] for row in rows(moment, "thumbs_now")] == [close(up(given(moment)))]


def responses(moment: Moment) -> dict[datetime, tuple[int, int]]:
    """Answers that got feedback on a day, and answers of agents on that day, of full days and today.

    Just after midnight there may be feedback on answers of the day before, and no answer yet.
    """
    since = datetime.fromtimestamp(moment.at - RANGE, UTC)
    answers = Counter(
        midnight(at)
        for (at,) in moment.sql(
            "SELECT m.created_at FROM app.messages m JOIN app.conversations c ON c.id = m.conversation_id"
            " WHERE m.role = 'assistant' AND c.environment = 'production' AND m.created_at BETWEEN :from AND :to",
            seconds=RANGE,
        )
    )
    judged: dict[datetime, set[int]] = defaultdict(set)
    for row in given(moment):
        judged[midnight(row.at)].add(row.message)
    return {day: (len(judged[day]), answers[day]) for day in answers.keys() | set(judged) if day >= since}


def response_now(moment: Moment) -> None:
    """Of the days on which anything was written or executed, which the rate is drawn of."""
    drawn = {utc(row["time"]) for row in rows(moment, "response_rate")}
    days = [counts for day, counts in responses(moment).items() if day in drawn]
    expected = sum(judged for judged, _ in days) / sum(answers for _, answers in days)
    assert [row["Response rate"] for row in rows(moment, "response_now")] == [close(expected)]


def response_rate(moment: Moment) -> None:
    expected = {day: close(judged / answers) for day, (judged, answers) in responses(moment).items() if answers}
    shown = {utc(row["time"]): row["Response rate"] for row in rows(moment, "response_rate")}
    assert {day: shown[day] for day in expected} == expected and len(expected) > 20
    assert not any(share for day, share in shown.items() if day not in expected)


def distribution(moment: Moment) -> None:
    counted = Counter(stars(given(moment)))
    shown = [(row["Stars"], row["Answers"]) for row in rows(moment, "distribution")]
    assert shown == [(f"{n} ★", counted[n]) for n in range(1, 6)] and sum(counted.values()) > 20


def average(moment: Moment) -> None:
    days = grouped((row for row in given(moment) if row.stars is not None), lambda row: midnight(row.at))
    shown = {utc(row["time"]): (row["average"], row["answers"]) for row in rows(moment, "average")}
    assert shown == {day: (close(mean(stars(found))), len(found)) for day, found in days.items()} and len(shown) > 15


def weeks(moment: Moment) -> dict[datetime, list[Given]]:
    return grouped((row for row in given(moment) if row.nps is not None), lambda row: monday(row.at))


def nps_by_week(moment: Moment) -> None:
    shown = {utc(row["time"]): row["NPS"] for row in rows(moment, "nps")}
    assert shown == {week: close(nps(found)) for week, found in weeks(moment).items()} and len(shown) >= 4


def nps_groups(moment: Moment) -> None:
    expected = [
        (
            f"{week:%d %b}",
            sum(row.nps <= 6 for row in found),
            sum(row.nps in (7, 8) for row in found),
            sum(row.nps >= 9 for row in found),
        )
        for week, found in sorted(weeks(moment).items())
    ]
    names = ("Week", "detractors", "passives", "promoters")
    assert [tuple(row[name] for name in names) for row in rows(moment, "nps_groups")] == expected


def negative(moment: Moment) -> None:
    """Of an hour: of agents of whom no thumb lies at its ends, where it may be counted or not."""
    shown = moment.panel("feedback/negative")
    hour = told_hour(moment, "agent_sentiment:feedback:rate1h", "agent:feedback_negative:ratio_rate1h")
    near = grouped((row for row in given(moment, DAY) if row.thumbs and row.at >= hour.begin), lambda row: row.agent)
    sure = {agent: rows_ for agent, rows_ in near.items() if all(hour.holds(row.at) for row in rows_)}
    rated = {row.agent for row in given(moment, 7 * 3600) if row.thumbs}
    for agent, rows_ in sure.items():
        share, name = mean(row.thumbs < 0 for row in rows_), f"{agent} · production"
        # Those eight are shown that had the greatest share within six hours, each of them over an hour.
        told = f"{name}: {shown} is shown {[(moment.at - row.at.timestamp(), row.thumbs) for row in rows_]} later"
        assert shown[name] == pytest.approx(share, abs=0.02) if name in shown else len(rated) > 8, told
    assert {name.removesuffix(" · production") for name in shown} <= near.keys()


def scores(moment: Moment) -> list[Judged]:
    """Scores of the range in production that are numbers."""
    since = datetime.fromtimestamp(moment.at - RANGE, UTC)
    return [
        score
        for score in ledger(moment).scores
        if score.at >= since and score.environment == "production" and score.value is not None
    ]


def values(found: list[Judged]) -> list[float]:
    return [score.value for score in found if score.value is not None]


def model(score: Judged) -> str:
    return score.answer.model if score.answer else "unknown"


def evaluation_now(moment: Moment) -> None:
    groups = grouped(scores(moment), lambda score: score.name)
    often = sorted(groups, key=lambda name: (-len(groups[name]), name))[:3]
    shown = [(row["Score"], row["Mean"]) for row in rows(moment, "evaluation_now")]
    assert shown == [(name, close(fmean(values(groups[name])))) for name in often] and often


def evaluation_trend(moment: Moment) -> None:
    groups = grouped(scores(moment), lambda score: (midnight(score.at), score.name))
    shown = {(utc(row["time"]), row["metric"]): row["value"] for row in rows(moment, "evaluation_trend")}
    assert shown == {key: close(fmean(values(found))) for key, found in groups.items()} and len(shown) > 20


def evaluation_by_model(moment: Moment) -> None:
    groups = grouped(scores(moment), lambda score: (model(score), score.name))
    shown = {(row["Model"], row["metric"]): row["value"] for row in rows(moment, "evaluation_by_model")}
    assert shown == {key: close(fmean(values(found))) for key, found in groups.items()} and len(shown) > 3


def evaluations(moment: Moment) -> None:
    groups = grouped(scores(moment), lambda score: (score.name, model(score)))
    shown = {(row["Score"], row["Model"]): row for row in rows(moment, "evaluations")}
    assert shown.keys() == groups.keys()
    for key, found in groups.items():
        row, known = shown[key], values(found)
        assert (row["Scores"], row["Mean"], row["Lowest"]) == (len(known), close(fmean(known)), min(known))
        assert row["Spread"] == (pytest.approx(stdev(known), abs=1e-6) if len(known) > 1 else None)
        assert abs(row["Newest"] - max(score.at for score in found)) < timedelta(milliseconds=2)


def groups(moment: Moment) -> None:
    for choice, key in (("agent", "agent"), ("intent", "intent"), ("channel", "channel"), ("category", "category")):
        expected = {
            name: (
                len(found), close(mean(stars(found)) if stars(found) else None), close(low(found)), close(up(found)),
                close(nps(found)),
                sum(row.nps is not None for row in found),
            )
            for name, found in grouped(given(moment), lambda row, key=key: getattr(row, key) or "none").items()
        }  # fmt: skip
        names = ("Feedback", "Stars", "1 or 2 stars", "Thumbs up", "NPS", "Asked")
        shown = {row["Group"]: tuple(row[name] for name in names) for row in rows(moment, "groups", group_by=f"'{choice}'")}
        assert shown == expected and len(shown) > 1, choice


def conversations(moment: Moment) -> None:
    rated = grouped((row for row in given(moment) if row.stars is not None), lambda row: row.conversation)
    shown = rows(moment, "conversations")
    for row in shown:
        found = rated[int(row["Conversation"])]
        worst = sorted(found, key=lambda one: (one.stars, -one.at.timestamp()))
        assert row["Stars"] == close(mean(stars(found)))
        assert row["Trace"] == next((one.trace for one in worst if one.trace is not None), None)
        assert row["About"] == next((one.category for one in worst if one.category is not None), None)
        assert (row["Agent"], row["Intent"], row["Outcome"]) == (found[0].agent, found[0].intent, found[0].outcome)
        assert utc(row["Rated"]) == max(one.at for one in found)
    lowest = sorted(mean(stars(found)) for found in rated.values())[:100]
    assert [row["Stars"] for row in shown] == close(lowest) and len(shown) > 20


def rated_calls(moment: Moment) -> list[tuple[Given, Row]]:
    """Rated answers of the range, each with every call of its trace that wrote something."""
    of_trace = grouped((row for row in ledger(moment).rows if row.chat), lambda row: row.trace)
    return [(row, call) for row in given(moment) if row.stars is not None and row.trace for call in of_trace[row.trace]]


def answers(pairs: list[tuple[Given, Row]]) -> list[Given]:
    """Each rated answer once, however many calls it took."""
    return list({row.message: row for row, _ in pairs}.values())


def _against(moment: Moment, name: str, column: str, figure: Any, within: float) -> None:
    found = grouped(rated_calls(moment), lambda pair: (pair[1].model, f"{pair[0].at:%Y-%m-%d}"))
    expected = {
        key: (
            len(pairs),
            close(mean(row.stars for row in answers(pairs) if row.stars is not None)),
            figure([call for _, call in pairs]),
        )
        for key, pairs in found.items()
        if figure([call for _, call in pairs]) is not None
    }
    shown = {(row["Model"], row["Day"]): (row["Calls"], row["Stars"], row[column]) for row in rows(moment, name)}
    assert shown.keys() == expected.keys() and len(shown) > 20
    for key, (calls, rating, value) in expected.items():
        assert shown[key][:2] == (calls, rating)
        assert shown[key][2] == pytest.approx(value, abs=within)


def seconds(calls: list[Row]) -> float | None:
    known = [call.seconds for call in calls if call.seconds is not None]
    return mean(known) if known else None


def dollars(calls: list[Row]) -> float | None:
    known = [call.cost for call in calls if call.cost is not None]
    return math.fsum(known) / len(known) if known else None


def rating_latency(moment: Moment) -> None:
    _against(moment, "rating_latency", "Latency", seconds, 2e-3)


def rating_cost(moment: Moment) -> None:
    _against(moment, "rating_cost", "Cost per call", dollars, 1e-6)


def rating_by_model(moment: Moment) -> None:
    found = grouped(rated_calls(moment), lambda pair: pair[1].model)
    shown = {row["Model"]: row for row in rows(moment, "rating_by_model")}
    assert shown.keys() == found.keys()
    for name, pairs in found.items():
        row, rated, calls = shown[name], answers(pairs), [call for _, call in pairs]
        assert row["Answers"] == len(rated)
        assert row["Stars"] == close(mean(given_.stars for given_ in rated if given_.stars is not None))
        assert row["1 or 2 stars"] == close(low(rated))
        assert row["Latency"] == pytest.approx(seconds(calls), abs=2e-3)
        assert row["Cost each"] == (None if dollars(calls) is None else pytest.approx(dollars(calls), abs=1e-6))
        assert row["Tokens each"] == close(mean(call.total for call in calls))


def written(moment: Moment) -> list[Given]:
    """Feedback with a comment, where comments may be seen at all."""
    [(shown,)] = moment.sql("SELECT count(comment) > 0 FROM analytics.feedback")
    return [row for row in given(moment) if row.comment is not None] if shown else []


def sentiment(row: Given) -> str:
    if row.stars is None:
        return {1: "positive", -1: "negative"}.get(row.thumbs or 0, "neutral")
    return "positive" if row.stars >= 4 else "negative" if row.stars <= 2 else "neutral"


def comment_terms(moment: Moment) -> None:
    said: dict[str, list[int]] = defaultdict(list)
    for row in written(moment):
        for term in set(re.findall(r"[\w'-]+", (row.comment or "").lower())):
            if 3 <= len(term) <= 24 and term not in SAYS_NOTHING:
                said[term].append(row.stars or 0)
    for row in rows(moment, "comment_terms"):
        term, shown = re.fullmatch(r"(.+) \((.+) ★\)", row["term"]).groups()  # type: ignore[union-attr]
        assert row["comments"] == len(said[term])
        assert float(shown) == pytest.approx(mean(said[term]), abs=0.0500001)
        assert row["colour"] == (GOOD if float(shown) >= 4 else BAD if float(shown) <= 2 else MIXED)
    counts = sorted((len(found) for found in said.values()), reverse=True)
    assert [row["comments"] for row in rows(moment, "comment_terms")] == counts[:15]


def comment_sentiment(moment: Moment) -> None:
    counted = Counter((midnight(row.at), sentiment(row)) for row in written(moment))
    assert {(utc(row["time"]), row["metric"]): row["value"] for row in rows(moment, "comment_sentiment")} == counted


def comments(moment: Moment) -> None:
    newest = sorted(written(moment), key=lambda row: row.at, reverse=True)[:100]
    shown = [(utc(r["Written"]), r["Agent"], r["Stars"], r["Sentiment"], r["Comment"]) for r in rows(moment, "comments")]
    assert shown == [(row.at, row.agent, row.stars, sentiment(row), row.comment) for row in newest]


_FIGURES = (
    content, rating_now, nps_now, thumbs_now, response_now, evaluation_now, distribution, average, nps_groups, response_rate,
    negative, evaluation_trend, evaluation_by_model, evaluations, groups, conversations, rating_latency, rating_cost,
    rating_by_model, comment_terms, comment_sentiment, comments,
)  # fmt: skip
FIGURES = {**{f"feedback/{figure.__name__}": figure for figure in _FIGURES}, "feedback/nps": nps_by_week}
FAULTS = (
    Fault("feedback/nps", "f.nps <= 6", "f.nps <= 7"),
    Fault("feedback/response_rate", "u.answers", "u.messages"),
    Fault("feedback/average", "avg(f.rating)", "avg(coalesce(f.thumbs, 0) + 3)"),
    Fault("feedback/conversations", "ORDER BY 2, 3 DESC", "ORDER BY 2 DESC, 3 DESC"),
    Fault("feedback/evaluation_now", "t.value IS NOT NULL", "t.value > 0"),
    Fault("feedback/rating_cost", "t.type = 'GENERATION'", "t.type <> 'GENERATION'"),
)
