"""Bugs sown by hand in the ICE agent: each has to be found by the tests of this directory.

``python -m tests.ice.mutants [WORD ...]`` sows them one at a time in a copy and prints what found each; it ends with
status 1 if any was not found. That they can still be sown is checked with every test run.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.mutants.mutants import Mutant
from tests.mutants.run import copy_with, run_tests

TESTS: Final = [f"tests/ice/test_{name}.py" for name in ("agent", "turn", "foreign", "stun", "worlds")]

MUTANTS: Final = (
    Mutant(
        "a pair is nominated once",
        "ice/consent.py",
        "        if nominates and (self.nominate_until is None or now < self.nominate_until):",
        "        if False:",
    ),
    Mutant(
        "nominations end as soon as the path is confirmed",
        "ice/agent.py",
        "            self._consent.nominate_until = now + self.timing.nominate_after\n\n    def restart",
        "            self._consent.nominate_until = now\n\n    def restart",
    ),
    Mutant(
        "other pairs are checked although one works",
        "ice/generation.py",
        "            return self.search is Search.ANY and pair is not self.pair",
        "            return pair is not self.pair",
    ),
    Mutant(
        "an answer is taken from anywhere",
        "ice/checks.py",
        "if sent is None or sent.pair.way != (base, source) or sent.generation.remote is None:",
        "if sent is None or sent.generation.remote is None:",
    ),
    Mutant(
        "the signature of an answer is not looked at",
        "ice/checks.py",
        "if not message.verify(sent.generation.remote.password.encode()) or message.unknown(_KNOWN):",
        "if message.unknown(_KNOWN):",
    ),
    Mutant(
        "the signature of a check is not looked at",
        "ice/agent.py",
        "if generation is None or not message.verify(generation.local.password.encode()):",
        "if generation is None:",
    ),
    Mutant(
        "packets renew consent",
        "ice/consent.py",
        "        self._heard_at, self._packets = now, True",
        "        self._heard_at, self._packets = now, True\n        self.answered_at = now",
    ),
    Mutant(
        "the pair that the far end has checked gets no precedence",
        "ice/agent.py",
        "        if generation.pair is None and not (relays and pair.relayed):\n            generation.follow",
        "        if False:\n            generation.follow",
    ),
    Mutant(
        "a restart lets the old pair go",
        "ice/agent.py",
        "        self._current.search = None\n        self._current = self._generation()",
        "        self._forget_path()\n        self._current = self._generation()",
    ),
    Mutant(
        "the old generation is forgotten as soon as the new one works",
        "ice/agent.py",
        "            self._previous_until = now + self.timing.consent_expires",
        "            self._previous = None",
    ),
    Mutant(
        "after a restart every pair is checked",
        "ice/generation.py",
        "        if self.preferred == pair.way and self.pair is None:",
        "        if False:",
    ),
    Mutant(
        "with relays alone STUN servers are asked",
        "ice/gathering.py",
        "        elif self.reflexive and servers:",
        "        elif servers:",
    ),
    Mutant(
        "with relays alone the host's own addresses are used",
        "ice/agent.py",
        "            if not self.relay_only:\n",
        "            if True:\n",
    ),
    Mutant(
        "with relays alone the description shows the mapped address",
        "ice/agent.py",
        "server=host, hidden=self.relay_only)",
        "server=host)",
    ),
    Mutant(
        "a role conflict is not settled",
        "ice/checks.py",
        "            self.take_role(controlling=not self.controlling)\n        return keeps",
        "            pass\n        return keeps",
    ),
    Mutant(
        "487 is an error like any other",
        "ice/agent.py",
        "elif error is not None and error[0] == 487:",
        "elif error is not None and error[0] == 999:",
    ),
    Mutant(
        "a far end that knows the password fills the memory",
        "ice/generation.py",
        "        if known is None and not self.full:",
        "        if known is None:",
    ),
    Mutant(
        "data is taken from whoever sends it",
        "ice/agent.py",
        "if each is not None and each.heard), None)",
        "if each is not None), None)",
    ),
    Mutant(
        "checks that come before the description are forgotten",
        "ice/agent.py",
        "        early, generation.early = generation.early, []",
        "        early = []",
    ),
    Mutant(
        "checks are not paced",
        "ice/checklist.py",
        "        self._free_at = now + self.timing.pacing",
        "        self._free_at = now",
    ),
    Mutant(
        "a controlled agent waits for a nomination without an end",
        "ice/generation.py",
        "            return self.success_at + self.timing.unnominated",
        "            return None",
    ),
    Mutant(
        "a relayed pair is taken before a direct one has answered",
        "ice/generation.py",
        "(self.timing.relay_acceptance if best.relayed and direct else 0.0)",
        "0.0",
    ),
    Mutant(
        "when an address goes, the other pairs stay as they are",
        "ice/generation.py",
        "        self.hasty, self.success_at, self.news_at = True, None, now\n        for pair in self.checklist:\n"
        "            pair.state, pair.interval = PairState.WAITING, 0.0",
        "        self.hasty, self.success_at, self.news_at = True, None, now",
    ),
    Mutant(
        "a stale nonce is not replaced",
        "ice/turn.py",
        "        asks = code == 438 or (code == 401 and not request.signed)",
        "        asks = code == 401 and not request.signed",
    ),
    Mutant(
        "permissions are not refreshed",
        "ice/turn.py",
        "                    self._permit(Address(host, 0), now)",
        "                    pass",
    ),
    Mutant(
        "an allocation is not given back",
        "ice/turn.py",
        "        if ready:\n            self._leave(now)\n        elif asked:",
        "        if asked:",
    ),
    Mutant(
        "what stands behind the signature is believed",
        "ice/stun.py",
        "        elif signed is None and signed_sha256 is None:",
        "        else:",
    ),
)


def found(mutant: Mutant, directory: Path) -> str | None:
    """Which test has found it."""
    run = run_tests(copy_with(mutant, directory, "tests/ice"), "--tb=line", "--hypothesis-seed=0", *TESTS)
    failed = re.search(r"^FAILED (?:\S*/)?(\S+)", run.stdout, re.MULTILINE)
    return failed[1] if failed else None


def main() -> int:
    words = sys.argv[1:]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for mutant in MUTANTS:
            if not words or any(word in mutant.story for word in words):
                by = found(mutant, Path(folder))
                missed += by is None
                print(f"{mutant.story}: {by or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
