"""Who may read the exporter's pages, and the certificate that it shows: both made of files that the configuration names."""

from __future__ import annotations

import base64
import hmac
import ssl
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.credentials import CredentialError, secret_in

if TYPE_CHECKING:
    from contract.data_plane import Exporter, Tls


def _digest(word: bytes) -> bytes:
    return sha256(word).digest()


class Access:
    """Compares what a client shows with what the files held when this was made; how long that takes tells nothing.

    The files hold the password and the token as they are. Raises CredentialError when one cannot be read.
    """

    def __init__(self, exporter: Exporter, directory: Path = Path()) -> None:
        self._expected: dict[str, bytes] = {}
        if basic := exporter.basic_auth:
            password = _secret("exporter.basic_auth.password_file", directory / basic.password_file)
            self._expected["basic"] = _digest(f"{basic.username}:{password}".encode())
        if file := exporter.bearer_token_file:
            self._expected["bearer"] = _digest(_secret("exporter.bearer_token_file", directory / file).encode())

    @property
    def open(self) -> bool:
        """Whether everybody may read."""
        return not self._expected

    @property
    def challenges(self) -> tuple[tuple[str, str], ...]:
        """The headers that tell a client how it may show who it is."""
        return tuple(("WWW-Authenticate", f'{scheme.title()} realm="observatory"') for scheme in self._expected)

    def allows(self, authorization: str) -> bool:
        """Whether an Authorization header is one of those expected; any is when none is expected."""
        scheme, _, shown = authorization.strip().partition(" ")
        word = shown.strip().encode("latin-1", "replace")
        if scheme.lower() == "basic":
            try:
                word = base64.b64decode(word, validate=True)
            except ValueError:
                word = b""
        return self.open or hmac.compare_digest(_digest(word), self._expected.get(scheme.lower(), b""))


def _secret(key: str, path: Path) -> str:
    try:
        return secret_in(path)
    except CredentialError as problem:
        raise CredentialError(f"{key}: {problem}") from None


def tls_context(tls: Tls, directory: Path = Path()) -> ssl.SSLContext:
    """What is needed to answer over TLS 1.2 or later. With `client_ca_file` only clients with a certificate of that authority
    get through the handshake, whatever page they want. Raises CredentialError when a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    certificate, key = directory / tls.certificate_file, directory / tls.key_file
    for name, path in (("certificate_file", certificate), ("key_file", key)):
        _secret(f"exporter.tls.{name}", path)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()
        raise CredentialError(f"exporter.tls: {certificate} and {key} are no certificate and its key: {why}") from None
    if tls.client_ca_file:
        authority = directory / tls.client_ca_file
        _secret("exporter.tls.client_ca_file", authority)
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError as error:
            why = (error.reason or str(error)).replace("_", " ").lower()
            raise CredentialError(f"exporter.tls.client_ca_file: {authority} holds no certificate: {why}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_passphrase() -> str:
    raise CredentialError(
        "exporter.tls.key_file: the key is encrypted; give one without a passphrase, readable by the exporter only"
    )
