"""The HTTP server: what it answers, and that no client holds up another one."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace

import pytest
from serving import CERTIFICATES, IMPATIENT, PATIENT, request, serving, trusting, until

from contract.data_plane import Tls
from exporters.access import tls_context
from exporters.server import HEAD_BYTES, Request, Response

GREAT = b"0123456789abcdef" * (1 << 20)
"""More than the buffers between two sockets hold."""


def echo(asked: Request) -> Response:
    return Response(f"{asked.method} {asked.path} {asked.headers.get('x-word', '')}".encode())


def great(asked: Request) -> Response:
    return Response(GREAT) if asked.path == "/great" else echo(asked)


def tls(**more: str) -> ssl.SSLContext:
    names = {"certificate_file": "first.pem", "key_file": "first.key", **more}
    return tls_context(Tls.model_validate(names), CERTIFICATES)


def ended(client: socket.socket) -> bool:
    """Whether the server has left, politely or not."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_answers_and_keeps_the_connection() -> None:
    with serving(echo) as at:
        first = request("/metrics?x=1", "X-Word: two words")
        last = request("/last", "Connection: close")
        answers = at.ask(first + last)
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        assert b"GET /metrics two words" in answers
        assert answers.endswith(b"\r\n\r\nGET /last ")
        assert at.ask(request("/old", version="1.0")).endswith(b"\r\n\r\nGET /old ")
        whole = at.ask(request("http://exporter:9464/metrics?x=http://1", "X-Word: one", "X-Word: two", "Connection: close"))
        assert whole.endswith(b"\r\n\r\nGET /metrics one, two"), "a whole address, and a header of two lines"
        head = at.ask(request("/", "Connection: close", method="HEAD"))
        assert b"Content-Length: 7" in head
        assert head.endswith(b"\r\n\r\n"), "a HEAD has no body"
        assert at.server.refused == 0


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (request("/", "X-Long: " + "x" * 2 * HEAD_BYTES), "431 Request Header Fields Too Large"),
        (request("/", "Content-Length: 3") + b"abc", "413 Request Entity Too Large"),
        (request("/", "Content-Length: 3", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", "4"),
        (request("/", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + request("/hid"), "413"),
    ],
)
def test_what_is_no_plain_request_is_refused_in_one_line(text: bytes, status: str) -> None:
    with serving(echo) as at:
        answer = at.ask(text)
        assert answer.startswith(f"HTTP/1.1 {status}".encode())
        assert at.server.refused == 1
        assert at.get("/next") == b"GET /next "


def test_only_reading_is_allowed_and_a_page_that_fails_is_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    with serving(broken) as at:
        refused = at.ask(request("/", "Connection: close", method="DELETE"))
        assert refused.startswith(b"HTTP/1.1 405 Method Not Allowed")
        assert b"Allow: GET, HEAD" in refused
        assert at.ask(request("/x", "Connection: close")).startswith(b"HTTP/1.1 500 Internal Server Error")
    assert [record.__dict__["pairs"] for record in caplog.records] == [{"path": "/x", "problem": "ZeroDivisionError"}]


def test_silent_and_half_spoken_clients_are_left_after_their_time() -> None:
    with serving(echo, IMPATIENT) as at:
        silent, half = at.connect(), at.connect()
        half.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert ended(silent)
        assert ended(half)
        assert at.server.refused == 2
        silent.close()
        half.close()


def test_a_connection_between_requests_ends_without_being_counted() -> None:
    with serving(echo, replace(PATIENT, idle=0.2)) as at, at.connect() as client:
        client.sendall(request("/"))
        received = b""
        while data := client.recv(4096):
            received += data
        assert received.endswith(b"GET / ")
        assert at.server.refused == 0


def test_a_client_that_does_not_read_is_left_and_holds_up_nobody() -> None:
    with serving(great) as at, at.connect() as lazy:
        lazy.sendall(request("/great"))
        assert at.get("/other") == b"GET /other "
        assert at.get("/great") == GREAT, "one that reads gets all of it"
    with serving(great, replace(PATIENT, answer=0.2)) as at:
        several = [at.connect() for _ in range(3)]
        for client in several:
            client.sendall(request("/great"))
        until(lambda: at.server.refused == 3)
        for client in several:
            client.close()


def test_at_the_limit_the_one_that_has_been_silent_longest_gives_way() -> None:
    with serving(echo, connections=4) as at:
        idle = at.connect()
        idle.sendall(request("/kept"))
        assert idle.recv(4096).endswith(b"GET /kept ")
        silent = [at.connect() for _ in range(40)]
        assert [at.get(f"/{number}") for number in range(8)] == [f"GET /{number} ".encode() for number in range(8)]
        assert at.server.refused >= 37
        idle.sendall(request("/again"))
        assert idle.recv(4096).endswith(b"GET /again "), "one that has behaved well is kept"
        for client in (idle, *silent):
            client.close()


def test_when_all_are_slow_readers_the_slowest_gives_way() -> None:
    with serving(great, connections=3) as at:
        lazy = [at.connect() for _ in range(3)]
        for client in lazy:
            client.sendall(request("/great"))
            assert client.recv(1)
        assert at.get("/other") == b"GET /other "
        assert at.server.refused == 1
        for client in lazy:
            client.close()


def test_fifty_at_once_all_get_their_answer() -> None:
    with serving(great) as at:
        found: list[bytes] = []
        clients = [threading.Thread(target=lambda: found.append(at.get("/x"))) for _ in range(50)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(20)
        assert found == [b"GET /x "] * 50


def test_silent_clients_of_tls_hold_up_nobody_and_are_left_after_their_time() -> None:
    with serving(echo, tls=tls()) as at:
        silent = [at.connect() for _ in range(20)]
        with trusting().wrap_socket(at.connect(), server_hostname="localhost") as client:
            assert at.get("/secret", client) == b"GET /secret "
        for one in silent:
            one.close()
    with serving(echo, IMPATIENT, tls=tls()) as at:
        silent = [at.connect() for _ in range(20)]
        for one in silent:
            assert ended(one)
            one.close()
        until(lambda: at.server.refused == 20)


def test_who_speaks_no_tls_is_refused() -> None:
    with serving(echo, tls=tls()) as at, at.connect() as client:
        client.sendall(request("/"))
        assert b"HTTP" not in client.recv(4096)
        until(lambda: at.server.refused == 1)


def test_a_great_page_goes_through_tls() -> None:
    with serving(great, tls=tls()) as at:
        client = trusting().wrap_socket(at.connect(), server_hostname="localhost")
        assert at.get("/great", client) == GREAT


def test_only_clients_with_a_certificate_where_one_is_wanted() -> None:
    with serving(echo, tls=tls(client_ca_file="authority.pem")) as at:
        with trusting().wrap_socket(at.connect(), server_hostname="localhost") as stranger:
            assert ended(stranger), "in TLS 1.3 a client learns it when it reads"
        until(lambda: at.server.refused == 1)
        client = trusting("client").wrap_socket(at.connect(), server_hostname="localhost")
        assert at.get("/", client) == b"GET / "


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() -> None:
    def number(client: ssl.SSLSocket) -> object:
        return (client.getpeercert() or {})["serialNumber"]

    with serving(echo, tls=tls()) as at:
        old = trusting().wrap_socket(at.connect(), server_hostname="localhost")
        old.sendall(request("/old"))
        assert old.recv(4096).endswith(b"GET /old ")
        at.server.tls = tls(certificate_file="second.pem", key_file="second.key")
        new = trusting().wrap_socket(at.connect(), server_hostname="localhost")
        assert (number(old), number(new)) == ("01", "02")
        assert at.get("/new", new) == b"GET /new "
        assert at.get("/old", old) == b"GET /old "


def test_the_end_waits_for_running_answers_only() -> None:
    with serving(great) as at:
        silent, reader = at.connect(), at.connect()
        reader.sendall(request("/great"))
        received = bytearray(reader.recv(1000))
        ending = threading.Thread(target=at.end)
        ending.start()
        assert silent.recv(1) == b"", "who is silent is left at once"
        while data := reader.recv(1 << 20):
            received += data
        assert received.endswith(GREAT)
        ending.join(30)
        assert not ending.is_alive(), "who has got an answer is waited for no more"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", at.port), 1)
        silent.close()
        reader.close()
