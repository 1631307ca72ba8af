"""Where Grafana is, with which token, and what is told when that is not right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract.settings import Settings
from provisioning.findings import InputError, Unreachable
from provisioning.targets.grafana.client import TOKEN_VARIABLE, URL_VARIABLE, Client, connected
from tests.grafana.server import TOKEN, GrafanaServer


def settings(**grafana: str) -> Settings:
    return Settings.model_validate({"sources": {"grafana": grafana}})


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def test_address_and_token_come_from_the_configuration(server: GrafanaServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    client = connected(settings(url=server.url, token_file=str(tmp_path / "token")))
    assert client.get("/api/folders") == []


def test_the_environment_comes_first(server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, f"{server.url}/")
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert connected(settings(url="http://127.0.0.1:1", token_file="absent")).get("/api/folders") == []


@pytest.mark.parametrize(
    ("variables", "file", "words"),
    [
        ({}, None, f"no token for Grafana: set {TOKEN_VARIABLE}, or sources.grafana.token_file"),
        ({}, "absent", "sources.grafana.token_file: .*absent: No such file"),
        ({URL_VARIABLE: "grafana.example.com", TOKEN_VARIABLE: "t"}, None, f"{URL_VARIABLE}: 'grafana.example.com' is not an"),
        ({URL_VARIABLE: "http://admin:canary@g", TOKEN_VARIABLE: "t"}, None, f"{URL_VARIABLE}: an address with a user"),
        ({TOKEN_VARIABLE: "can ary"}, None, f"{TOKEN_VARIABLE} holds no token"),
    ],
)
def test_what_is_missing_or_wrong_is_told(
    variables: dict[str, str], file: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as raised:
        connected(settings(**({"token_file": str(tmp_path / file)} if file else {})))
    assert re.search(words, str(raised.value))
    assert "canary" not in str(raised.value).replace(" ", "")


def test_a_login_page_in_front_of_grafana_is_told(server: GrafanaServer) -> None:
    server.goes_wrong("GET", "/api/folders", page="<html>Please log in</html>")
    with pytest.raises(Unreachable, match="is not Grafana: text/html where JSON was expected; is a login page in front of it"):
        Client(server.url, TOKEN).get("/api/folders")


def test_https_is_not_left_away(server: GrafanaServer) -> None:
    with pytest.raises(Unreachable, match=r"its certificate is not trusted|does not answer"):
        Client(server.url.replace("http:", "https:"), TOKEN, lambda _seconds: None).get("/api/folders")


def test_a_login_in_netrc_does_not_take_the_place_of_the_token(
    server: GrafanaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert Client(server.url, TOKEN).get("/api/folders") == []


def test_a_token_is_not_sent_to_where_grafana_points(server: GrafanaServer) -> None:
    server.goes_wrong("GET", "/api/folders", code=307, headers={"Location": "/api/search"})
    with pytest.raises(Unreachable, match="points to /api/search instead of answering"):
        Client(server.url, TOKEN).get("/api/folders")
    assert server.seen == [("GET", "/api/folders")]
