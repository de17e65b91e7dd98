"""Write the fuzzers' corpus: what the server says in each recorded session, a text a line, with its pauses.

    python fuzz/make_corpus.py

`tests/transcripts` has the sessions; a test holds that the corpus is theirs. In it a call is always the one that
`fuzz_session.py` has ready, and a description is a line, because a long input costs a fuzzer much and tells it nothing.
"""

import re
from pathlib import Path

from telnyx_core._wire.codec import encode
from telnyx_core.testing import Transcript

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
TRANSCRIPTS = HERE.parent / "tests" / "transcripts"
PAUSE = 5.0  # seconds; the harness takes a digit for so many of them


def texts() -> dict[str, str]:
    """Name of a file of the corpus, and what is in it."""
    return {f"{path.stem}.session": session(Transcript.from_file(str(path))) for path in TRANSCRIPTS.glob("*.jsonl")}


def session(transcript: Transcript) -> str:
    lines: list[str] = []
    last = 0.0
    for line in transcript.lines:
        if line.kind != "s2c":
            continue
        if (pauses := round((line.at - last) / PAUSE)) > 0:
            lines.append(str(min(pauses, 9)))
        last = line.at
        raw = line.record.get("raw")
        lines.append(raw if isinstance(raw, str) else shortened(encode(line.frame)))
    return "\n".join(lines)


def shortened(text: str) -> str:
    return re.sub(r'"call-\d+"', '"b1c2"', re.sub(r'"sdp":"[^"]*"', r'"sdp":"v=0\\r\\n"', text))


if __name__ == "__main__":
    for name, text in texts().items():
        (CORPUS / name).write_text(text, encoding="utf-8")
