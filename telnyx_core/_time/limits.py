"""Bounds on everything that the far end or the application can make grow, each with its reason."""

from typing import Final

MAX_FRAME_CHARS: Final = 1_048_576
"""A frame is an SDP of a few kilobytes; a megabyte is a fault or an attack."""

MAX_FRAME_PARTS: Final = 65_536
"""Brackets and commas: each may stand for an object of sixty bytes, and a frame has some hundreds."""

MAX_LIVE_CALLS: Final = 1_024
"""Far above what one process can carry in media; of a flood of invites each is ten kilobytes."""

MAX_PENDING_REQUESTS: Final = 16_384
"""A few for each live call; beyond it the server answers nothing any more."""

MAX_TOMBSTONES: Final = 8_192
"""Ended calls remembered for 150 s (SIG-471): more than fifty a second."""

MAX_UNATTENDED: Final = 256
"""Debug frames without a reply: minutes of them, so the server does not reply to them at all."""

MAX_QUEUED_CANDIDATES: Final = 64
"""Remote candidates waiting for the remote description; an interface gives two or three."""

MAX_QUEUED_MODIFIES: Final = 16
"""Hold commands waiting behind one in flight (CALL-134)."""

MAX_QUEUED_DIGITS: Final = 256
"""Runs of digits of one call that wait for a pause to be over, or for a path to send them over; at the shortest pause
they take two minutes."""

MAX_SENT_BYTES: Final = 1_000_000
"""The server drops the socket at a longer frame (PS-029), and with it every call."""

MAX_NAME_CHARS: Final = 256
"""Call ids, methods and gateway states worth remembering; longer ones are not ours."""

MAX_WORDS_CHARS: Final = 1_024
"""Names, numbers, causes and errors of the server: longer ones are cut. A call keeps them, and its tombstone too."""

MAX_HEADERS: Final = 128
"""Of one call; a SIP message has some dozens."""

MAX_HEADERS_CHARS: Final = 16_384
"""Of one call's headers, and of its client state: far more than one SIP message carries. What is beyond is left out."""

MAX_SDP_CHARS: Final = 131_072
"""A description of audio has two to eight thousand; a ringing call keeps it."""

MAX_SPEED_TEST_BYTES: Final = 1_048_576
"""Ten seconds of a call's audio each second. Everything else that is said waits behind it, and the driver holds it."""

MAX_MARKED_CHARS: Final = 4_096
"""Of one call's headers in the store: a SIP message seldom has more, and a hundred calls fit into the file."""

MAX_ID_CHARS: Final = 1_024
"""Routing tokens, session ids and report ids have some forty; a longer one would make every later URL too long."""

MAX_UTTERANCES: Final = 512
"""Of the transcript of a conversation with an assistant: an hour of talk. The oldest are left out."""

MAX_SAID_CHARS: Final = 32_768
"""Of one utterance: half an hour of speech without a pause. What is beyond is left out."""

MAX_IMAGES: Final = 16
"""Of one utterance. Their URLs may hold the pictures themselves."""

MAX_TRANSCRIPT_CHARS: Final = 4_194_304
"""Of all texts and images of a transcript: four frames full of pictures. The oldest utterances are left out."""
