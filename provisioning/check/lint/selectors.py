"""Selectors: metrics and labels that exist, and matchers that can match."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser as promql

from contract.buckets import bound_matcher
from contract.labels import LABELS
from contract.metrics import Source
from provisioning.check.lint.measures import bucket_bounds
from provisioning.check.lint.model import Fault, Spot
from provisioning.check.series import Series, selected_name, series_of
from provisioning.findings import closest

Selector = Spot[promql.VectorSelector]

_EXACT = (promql.MatchOp.Equal, promql.MatchOp.NotEqual)
_POSITIVE = (promql.MatchOp.Equal, promql.MatchOp.Re)
_SPECIAL = re.compile(r"[\\.+*?()\[\]{}|^$]")
_BARE_DOT = re.compile(r"(?<=[A-Za-z0-9])\.(?=[A-Za-z0-9])")


def unknown_metric(spot: Selector) -> Iterator[Fault]:
    name = selected_name(spot.node)
    if name and name not in spot.known and ":" not in name:
        yield Fault(f"unknown metric {name}", closest(name, spot.known))


def removed_record(spot: Selector) -> Iterator[Fault]:
    name = selected_name(spot.node)
    if ":" in name and name not in spot.known:
        recorded = (other for other in spot.known if ":" in other)
        yield Fault(f"no rule records {name}", closest(name, recorded))


def unknown_label(spot: Selector) -> Iterator[Fault]:
    series = series_of(spot.node, spot.known)
    if series is None or series.labels is None:
        return
    for matcher in _matchers(spot):
        if matcher.name not in series.labels:
            yield Fault(f"{series.name} has no label {matcher.name}", closest(matcher.name, series.labels))


def impossible(spot: Selector) -> Iterator[Fault]:
    """Matchers that no value of the label meets, alone or together."""
    series = series_of(spot.node, spot.known)
    by_label: dict[str, list[promql.Matcher]] = {}
    for matcher in _written(spot):
        by_label.setdefault(matcher.name, []).append(matcher)
    for label, matchers in by_label.items():
        values = _values(label, series, spot) if series else ()
        alone = [matcher for matcher in matchers if values and not any(matches(matcher, value) for value in ("", *values))]
        for matcher in alone:
            yield Fault(_never(matcher, label), closest(matcher.value, values))
        if not alone and len(matchers) > 1 and _contradict(matchers, values):
            yield Fault(f"nothing matches {', '.join(str(matcher) for matcher in matchers)} at once", "keep one of them")
        for matcher in matchers:
            if matcher.op == promql.MatchOp.NotRe and matcher.value in (".*", "(.*)", ".*?"):
                yield Fault(f"{matcher} excludes everything", "leave the selector away, or name what is excluded")


def dead_alternative(spot: Selector) -> Iterator[Fault]:
    """One of the words of a regular expression that is no value of the label, while others are."""
    series = series_of(spot.node, spot.known)
    for matcher in _written(spot) if series else ():
        values = _values(matcher.name, series, spot) if series else ()
        words = matcher.value.split("|")
        if not values or len(words) < 2 or matcher.op in _EXACT or any(_SPECIAL.search(word) for word in words):
            continue
        dead = [word for word in words if word and word not in values]
        for word in dead if len(dead) < len(words) else ():
            yield Fault(f"label {matcher.name} is never {word!r}", closest(word, values), "warning")


def plain_regex(spot: Selector) -> Iterator[Fault]:
    for matcher in _written(spot):
        if matcher.op not in _EXACT and matcher.value and not _SPECIAL.search(matcher.value):
            sign = "=" if matcher.op == promql.MatchOp.Re else "!="
            remedy = f'{matcher.name}{sign}"{matcher.value}"'
            yield Fault(f"{matcher} is a regular expression for one word", remedy, "note")


def useless_anchor(spot: Selector) -> Iterator[Fault]:
    for matcher in _written(spot):
        value = matcher.value
        bare = value.removeprefix("^").removesuffix("$") if not value.endswith("\\$") else value.removeprefix("^")
        if matcher.op not in _EXACT and bare != value:
            remedy = f'{matcher.name}{_sign(matcher)}"{bare}"'
            yield Fault(f"{matcher}: Prometheus matches whole values, anchors do nothing", remedy, "warning")


def matches_everything(spot: Selector) -> Iterator[Fault]:
    for matcher in _written(spot):
        if matcher.op == promql.MatchOp.Re and matcher.value in (".*", "(.*)", ".*?"):
            yield Fault(f"{matcher} matches everything", "leave it away", "warning")


def bare_dot(spot: Selector) -> Iterator[Fault]:
    """A point within a word of a regular expression stands for any character, even for a new line since Prometheus 3."""
    for matcher in _written(spot):
        outside = re.sub(r"\[[^\]]*\]|\\.", "  ", matcher.value)
        if matcher.op not in _EXACT and _BARE_DOT.search(outside):
            remedy = f'{matcher.name}{_sign(matcher)}"{_BARE_DOT.sub("[.]", matcher.value)}"'
            yield Fault(f"{matcher}: a point matches any character here", remedy, "warning")


def bucket_bound(spot: Selector) -> Iterator[Fault]:
    """Matchers on `le` name bounds that the histogram has, in both spellings: "1" (Prometheus 2) and "1.0" (3)."""
    series = series_of(spot.node, spot.known)
    bounds = bucket_bounds(spot.node, spot.known) if series else ()
    for matcher in _written(spot):
        if matcher.name != "le" or not bounds or not matcher.value or matcher.value == "+Inf":
            continue
        older = [bound for bound in bounds if matches(matcher, _as_scraped(bound))]
        newer = [bound for bound in bounds if matches(matcher, _as_prometheus_3(bound))]
        positive = matcher.op in _POSITIVE
        met = (older, newer) if positive else ([b for b in bounds if b not in older], [b for b in bounds if b not in newer])
        if not any(met):
            yield _no_bucket(matcher, series, bounds)
        elif met[0] != met[1]:
            missed = sorted(set(met[0]) ^ set(met[1]))
            yield Fault(f"{matcher} misses the other spelling of a whole number", bound_matcher(missed[0]))


def _no_bucket(matcher: promql.Matcher, series: Series | None, bounds: tuple[float, ...]) -> Fault:
    name = series.name if series else "the histogram"
    try:
        wanted = float(matcher.value)
    except ValueError:
        return Fault(f"{name} has no bucket for {matcher}", f"its bounds: {', '.join(f'{b:g}' for b in bounds)}")
    near = sorted(sorted(bounds, key=lambda bound: abs(bound - wanted))[:2])
    return Fault(f"{name} has no bucket that ends at {matcher.value}", f"near: {', '.join(f'{b:g}' for b in near)}")


def _as_scraped(bound: float) -> str:
    return f"{int(bound)}" if bound == int(bound) else f"{bound:g}"


def _as_prometheus_3(bound: float) -> str:
    """As Go writes a bound for the OpenMetrics format: 1 is "1.0", a million "1e+06"."""
    if bound != int(bound):
        return f"{bound:g}"
    digits = f"{int(bound)}"
    if bound < 1e6:
        return f"{digits}.0"
    rest = digits[1:].rstrip("0")
    return f"{digits[0]}{'.' * bool(rest)}{rest}e+{len(digits) - 1:02d}"


def matches(matcher: promql.Matcher, value: str) -> bool:
    """Whether a value meets a matcher, as Prometheus 3 reads it. A pattern that only Prometheus understands matches all."""
    positive = matcher.op in _POSITIVE
    if matcher.op in _EXACT:
        return bool(matcher.value == value) == positive
    try:
        found = re.fullmatch(matcher.value, value, re.DOTALL) is not None
    except re.error:
        return True
    return found == positive


def _matchers(spot: Selector) -> list[promql.Matcher]:
    return [matcher for matcher in spot.node.matchers.matchers if matcher.name != "__name__"]


def _written(spot: Selector) -> list[promql.Matcher]:
    """Matchers whose value stands in the query; a reader's choice may be anything."""
    return [matcher for matcher in _matchers(spot) if (matcher.name, matcher.value) not in spot.question.chosen]


def _values(label: str, series: Series, spot: Selector) -> tuple[str, ...]:
    """All values that a label of a series may have; empty when they are not known."""
    if label in series.given:
        return tuple(sorted(series.given[label])) if series.always and label in series.always else ()
    if series.foreign or series.labels is None or label not in series.labels:
        return ()
    if label == "environment" and series.metric and series.metric.source is Source.PLATFORM:
        return spot.house.environments
    return LABELS[label].values if label in LABELS else ()


def _contradict(matchers: list[promql.Matcher], values: tuple[str, ...]) -> bool:
    """Whether no value meets all matchers, as far as that can be told."""
    candidates = values or tuple(matcher.value for matcher in matchers if matcher.op == promql.MatchOp.Equal)
    if not candidates:
        return False
    return not any(all(matches(matcher, value) for matcher in matchers) for value in ("", *candidates))


def _never(matcher: promql.Matcher, label: str) -> str:
    if matcher.op == promql.MatchOp.Equal:
        return f"label {label} is never {matcher.value!r}"
    return f"no value of label {label} meets {matcher}"


def _sign(matcher: promql.Matcher) -> str:
    return str(matcher)[len(matcher.name) : -len(matcher.value) - 2]
