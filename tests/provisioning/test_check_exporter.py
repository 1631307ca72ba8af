"""Exporter and contract name the same metrics, and the check sees when they do not."""

from __future__ import annotations

from contract.catalogue import of_source
from contract.metrics import Source
from exporters.rollups.model import Fact, Stock, Yield
from provisioning.check.exporter import READ_ONLY, WITH_ROLLUPS, exporter_findings


def said(**changes: object) -> list[str]:
    return [f"{finding.place}: {finding.message}" for finding in exporter_findings(**changes)]  # type: ignore[arg-type]


def test_exporter_and_contract_name_the_same_metrics() -> None:
    assert said() == []
    assert {name for names in WITH_ROLLUPS.values() for name in names} == {
        metric.name for metric in of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER)
    }


def test_a_metric_that_nobody_gives() -> None:
    whole = {part: [name for name in names if name != "platform_users_new"] for part, names in WITH_ROLLUPS.items()}
    assert said(whole=whole) == ["contract/exporter_metrics.py: platform_users_new: no collector gives it"]


def test_a_metric_that_the_contract_does_not_have() -> None:
    (finding,) = exporter_findings(part={**READ_ONLY, "more": ("platform_user",)})
    assert "no such metric" in finding.message
    assert finding.remedy == "did you mean platform_users?"


def test_a_metric_that_two_give() -> None:
    assert said(whole={**WITH_ROLLUPS, "more": ("platform_users_new",)}) == [
        "exporter, more: platform_users_new: given by figures as well; one of them is enough"
    ]


def test_a_fact_that_gives_another_kind_or_unit() -> None:
    stock = Stock("made", labels={"role": "role"}, yields=(Yield("platform_users_created_total"),))
    assert said(declared=[stock]) == [
        "exporters/rollups/sources: made: gives platform_users_created_total as a gauge, which the contract calls a counter"
    ]
    tokens = Fact(
        "words", at="at", labels={"environment": "''", "role": "''"}, yields=(Yield("platform_message_tokens_total"),)
    )
    assert said(declared=[tokens]) == [
        "exporters/rollups/sources: words: gives platform_message_tokens_total in numbers; the contract says tokens"
    ]
