"""Journals of calls on the rig: real ones, in no time."""

from collections.abc import Callable
from pathlib import Path

from telnyx_core.testing.rig import Rig
from telnyx_drivers._services.journal import Journal, RecordedSession


def keep_journal(path: Path, story: Callable[[Rig], object], **options: object) -> Path:
    """Let ``story`` happen to a session that writes itself down."""
    rig = Rig(login="bob", password="pl4nt3d-S3cret", **options)
    journal = Journal(path)
    rig.session = RecordedSession(rig.session.options, journal=journal)
    rig.always("ping")
    rig.metered = True
    story(rig)
    journal.close()
    return path
