"""A far end with the certificate of SRV-002: RSA, serial number 0."""

import hashlib
import warnings

from attrs import evolve
from OpenSSL import SSL, crypto

from telnyx_drivers._webrtc.dtls import Fingerprint
from tests.media.rig import Side, peer_of


class RsaCertificate:
    """Offers nothing but RSA, as a server with such a key has to."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # `cryptography` builds no certificate with serial number 0; the deprecated way does.
            warnings.simplefilter("ignore")
            self.key = crypto.PKey()
            self.key.generate_key(crypto.TYPE_RSA, 2048)
            self.certificate = crypto.X509()
            self.certificate.set_version(2)
            self.certificate.set_serial_number(0)
            self.certificate.gmtime_adj_notBefore(-3600)
            self.certificate.gmtime_adj_notAfter(3600)
            self.certificate.get_subject().CN = "FreeSWITCH"
            self.certificate.set_issuer(self.certificate.get_subject())
            self.certificate.set_pubkey(self.key)
            self.certificate.sign(self.key, "sha256")

    @property
    def fingerprint(self) -> Fingerprint:
        encoded = crypto.dump_certificate(crypto.FILETYPE_ASN1, self.certificate)
        return "sha-256", hashlib.sha256(encoded).digest().hex(":").upper()

    def install(self, connection: SSL.Connection) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            connection.use_certificate(self.certificate)
            connection.use_privatekey(self.key)


def give_rsa_certificate(side: Side, media: int = 1) -> None:
    """Replace the certificate of a peer that has not been described yet."""
    peer, certificate = peer_of(side, media), RsaCertificate()
    peer._ground.dtls.certificate = certificate
    peer._end = evolve(peer._end, fingerprint=certificate.fingerprint[1])
