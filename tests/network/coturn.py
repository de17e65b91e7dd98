"""coturn as Debian packages it, started on loopback with everything of its own in a scratch folder."""

import datetime
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telnyx_core.options import IceServer

PROGRAM = shutil.which("turnserver")
LISTENS_ON = "127.0.0.1"
RELAYS_FROM = "127.0.0.5"
"""An address of its own, so that whoever sees it knows that it saw the relay."""
USER, CREDENTIAL, REALM = "relay-user", "relay-credential", "telnyx-rtc.test"


@define(eq=False)
class Coturn:
    """Running from construction to `stop`."""

    folder: Path
    port: int = field(init=False)
    tls_port: int = field(init=False)
    _process: "subprocess.Popen[bytes]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        assert PROGRAM is not None, "checked by the fixture"
        self.port, self.tls_port = free_ports(2)
        certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        make_certificate(certificate, key)
        settings = self.folder / "turnserver.conf"
        settings.write_text(
            f"""
            listening-ip={LISTENS_ON}
            relay-ip={RELAYS_FROM}
            listening-port={self.port}
            tls-listening-port={self.tls_port}
            realm={REALM}
            lt-cred-mech
            user={USER}:{CREDENTIAL}
            cert={certificate}
            pkey={key}
            allow-loopback-peers
            no-cli
            no-dtls
            no-rfc5780
            no-stun-backward-compatibility
            simple-log
            log-file={self.folder / "turnserver.log"}
            pidfile={self.folder / "turnserver.pid"}
            userdb={self.folder / "turndb"}
            """.replace("            ", "")
        )
        settings.chmod(0o600)
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([PROGRAM, "-c", str(settings)], stdin=quiet, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 10
        while not (_listens(self.port) and _listens(self.tls_port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"coturn does not start:\n{self.log}")
            time.sleep(0.02)

    def server(self, transport: str = "udp", *, credential: str = CREDENTIAL) -> IceServer:
        """What an application would configure to reach it by UDP, TCP or TLS."""
        url = (
            f"turns:{LISTENS_ON}:{self.tls_port}?transport=tcp"
            if transport == "tls"
            else f"turn:{LISTENS_ON}:{self.port}?transport={transport}"
        )
        return IceServer(url, USER, credential)

    @property
    def trust(self) -> ssl.SSLContext:
        """Verifies what TLS must: this authority, and the address in its certificate."""
        return ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))

    @property
    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("turnserver*.log"))

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, over UDP or TCP, at the moment."""
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < 2 * number:
            stream = socket.socket()
            stream.bind((LISTENS_ON, 0))
            datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets += [stream, datagram]
            try:
                datagram.bind(stream.getsockname())
            except OSError:
                for each in (sockets.pop(), sockets.pop()):
                    each.close()
        return [each.getsockname()[1] for each in sockets[::2]]
    finally:
        for each in sockets:
            each.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LISTENS_ON, port)) == 0


def make_certificate(certificate: Path, key: Path) -> None:
    """Self-signed, for `LISTENS_ON`."""
    import ipaddress

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "coturn of a test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LISTENS_ON))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key.chmod(0o600)
