"""What `telnyx_core.redaction` does, where drivers look for it: reports take the same secrets out as logs do."""

from telnyx_core.redaction import DEPTH, HIDDEN, is_secret_name, redact, redact_text, redact_url

__all__ = ["DEPTH", "HIDDEN", "is_secret_name", "redact", "redact_text", "redact_url"]
