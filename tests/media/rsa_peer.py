"""A far end with the certificate of SRV-002: RSA, serial number 0."""

import hashlib
import warnings

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, SRTPProtectionProfile
from OpenSSL import SSL, crypto

from tests.media.rig import Side, peer_of


class RsaCertificate(RTCCertificate):
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

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        encoded = crypto.dump_certificate(crypto.FILETYPE_ASN1, self.certificate)
        return [
            RTCDtlsFingerprint(f"sha-{bits}", hashlib.new(f"sha{bits}", encoded).digest().hex(":").upper())
            for bits in (256, 384, 512)
        ]

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *args: True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context.use_certificate(self.certificate)
            context.use_privatekey(self.key)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        context.set_tlsext_use_srtp(b":".join(profile.openssl_profile for profile in srtp_profiles))
        return context


def give_rsa_certificate(side: Side, media: int = 1) -> None:
    """Replace the certificate of a peer that has not been described yet."""
    transport = peer_of(side, media)._transceiver.receiver.transport
    transport._RTCDtlsTransport__local_certificate = RsaCertificate()
