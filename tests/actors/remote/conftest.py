"""Servers and callers for the tests of what goes over HTTP."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from scripted_server import Behaviour, ScriptedServer

from actors.remote.http import HttpCaller


@pytest.fixture
def server() -> Iterator[Callable[[Behaviour], ScriptedServer]]:
    """Starts servers; they are stopped after the test."""
    made: list[ScriptedServer] = []

    def start(behaviour: Behaviour) -> ScriptedServer:
        made.append(ScriptedServer(behaviour))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@dataclass(frozen=True)
class TlsServer:
    """A server whose certificate only `ca_file` vouches for."""

    url: str
    ca_file: str


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    """Answers every request with `over TLS`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "8")
            self.end_headers()
            self.wfile.write(b"over TLS")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ca_file = tmp_path / "certificate.pem"
    ca_file.write_bytes(_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients that do not trust it
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield TlsServer(f"https://127.0.0.1:{made.server_port}", str(ca_file))
    made.shutdown()
    thread.join(10)
    made.server_close()


def _certificate() -> bytes:
    """A new key, and a certificate of it for this machine, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


@pytest.fixture
def caller() -> Iterator[HttpCaller]:
    made = HttpCaller()
    yield made
    made.close()
