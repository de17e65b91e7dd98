"""What one pair of credentials decides: which pairs are checked, and which is chosen."""

from random import Random

import pytest

from telnyx_core.ice import Address, Candidate, CandidateType, Credentials, Timing
from telnyx_core.ice.candidate import local_candidate
from telnyx_core.ice.checklist import Base, Pair, PairState
from telnyx_core.ice.generation import MAX_REMOTE, Generation, Search

TIMING = Timing()
HOST = Address("10.0.0.1", 1)
BASE = Base(local_candidate(CandidateType.HOST, HOST, HOST, 65_535), 65_535)
FAR = Credentials("far", "far-password-of-22-chars")


def candidate(port: int, priority: int = 100, kind: CandidateType = CandidateType.HOST) -> Candidate:
    return Candidate(f"f{port}", 1, "udp", priority, Address("192.0.2.1", port), kind)


def generation(*, described: bool = True) -> Generation:
    made = Generation(TIMING, Credentials.fresh(Random(1)))
    made.remote = FAR if described else None
    return made


def paired(it: Generation, port: int, priority: int = 100, kind: CandidateType = CandidateType.HOST) -> Pair:
    remote = candidate(port, priority, kind)
    it.add_remote(remote)
    pair = it.pair_up(BASE, remote, 0.0, controlling=True)
    assert pair is not None
    return pair


def test_nothing_is_checked_before_the_far_ends_description() -> None:
    it = generation(described=False)
    assert not it.wanted(paired(it, 1))
    assert it.patience_at is None


def test_addresses_of_two_families_make_no_pair() -> None:
    it = generation()
    remote = Candidate("6", 1, "udp", 1, Address("2001:db8::1", 1), CandidateType.HOST)
    assert it.pair_up(BASE, remote, 0.0, controlling=True) is None


def test_what_was_learned_from_a_check_gives_way_to_what_is_told_and_never_the_other_way_round() -> None:
    it = generation()
    learned = it.learn_remote(Address("192.0.2.1", 1), 7)
    assert learned is not None
    assert learned.type is CandidateType.PEER_REFLEXIVE
    assert it.add_remote(candidate(1))
    assert it.learn_remote(Address("192.0.2.1", 1), 9) == candidate(1)
    assert not it.add_remote(candidate(1, 5))


def test_candidates_are_bounded_whoever_brings_them() -> None:
    it = generation()
    for port in range(1, MAX_REMOTE + 1):
        assert it.learn_remote(Address("192.0.2.1", port), 1) is not None
    assert it.full
    assert it.learn_remote(Address("192.0.2.1", 9_999), 1) is None


def test_the_others_wait_for_the_pair_that_is_followed_once() -> None:
    it = generation()
    one, other = paired(it, 1), paired(it, 2)
    it.follow(one, 5.0)
    assert (it.following, it.follow_until) == (one, 5.0 + TIMING.follow)
    assert [it.wanted(one), it.wanted(other)] == [True, False]
    one.state = PairState.FAILED
    assert it.following is None
    assert it.wanted(other)
    it.followed = None
    it.follow(one, 6.0)
    assert it.followed is None, "it has had its turn"


def test_with_a_selected_pair_nothing_is_checked_but_what_is_looked_for() -> None:
    it = generation()
    worse, chosen, better = (paired(it, port, 100 * port) for port in (1, 2, 3))
    it.pair = chosen
    assert not any(map(it.wanted, (worse, chosen, better)))
    it.look(Search.BETTER, 0.0)
    assert [each for each in (worse, chosen, better) if it.wanted(each)] == [better]
    it.look(Search.ANY, 0.0)
    assert [each for each in (worse, chosen, better) if it.wanted(each)] == [worse, better]


def test_a_controlling_agent_nominates_what_is_selected_or_what_the_far_end_has_chosen() -> None:
    it = generation()
    one, other = paired(it, 1), paired(it, 2)
    it.follow(one, 0.0)
    assert not it.nominee(one)
    one.heard = True
    assert it.nominee(one)
    it.pair = other
    assert [it.nominee(one), it.nominee(other)] == [False, True]


@pytest.mark.parametrize(
    ("chosen_at", "other_at", "now", "moves"),
    [
        (None, 1.0, 1.0, True),
        (1.0, 1.1, 1.1, True),
        (1.0, 0.9, 1.1, False),
        (1.0, None, 1.1, False),
        (1.0, None, 1.3, True),
    ],
    ids=["the chosen never was", "insists on the better", "had it before", "does not nominate it", "has left"],
)
def test_a_far_end_is_followed_to_the_pair_that_it_insists_on(
    chosen_at: float | None, other_at: float | None, now: float, moves: bool
) -> None:
    it = generation()
    chosen, better = paired(it, 1, 100), paired(it, 2, 200)
    it.pair, chosen.nominated_at, better.nominated_at = chosen, chosen_at, other_at
    assert it.prefers(better, now) is moves
    assert not it.prefers(chosen, now)


def test_a_worse_pair_of_two_that_are_nominated_at_once_is_left_alone() -> None:
    it = generation()
    worse, chosen = paired(it, 1, 100), paired(it, 2, 200)
    it.pair, chosen.nominated_at, worse.nominated_at = chosen, 1.0, 1.0
    assert not it.prefers(worse, 1.0)


def test_when_the_best_is_selected() -> None:
    it = generation()
    relayed, direct = paired(it, 1, 10, CandidateType.RELAYED), paired(it, 2, 200)
    assert it.decision_at(it.best(controlling=True), controlling=True) is None
    relayed.state, it.success_at = PairState.SUCCEEDED, 1.0
    best = it.best(controlling=True)
    assert best is relayed
    assert it.decision_at(best, controlling=True) == 1.0 + TIMING.relay_acceptance
    direct.state = PairState.FAILED
    assert it.decision_at(best, controlling=True) == 1.0
    assert it.decision_at(best, controlling=False) == 1.0 + TIMING.unnominated
    it.hasty = True
    assert it.decision_at(best, controlling=False) == 1.0


def test_a_controlling_agent_takes_no_other_pair_while_one_is_followed() -> None:
    it = generation()
    followed, other = paired(it, 1), paired(it, 2)
    it.follow(followed, 0.0)
    other.state = PairState.SUCCEEDED
    assert it.best(controlling=True) is None
    assert it.best(controlling=False) is other
    followed.state = PairState.SUCCEEDED
    assert it.best(controlling=True) is followed


def test_when_the_selected_pair_is_lost_all_are_checked_again() -> None:
    it = generation()
    one, other = paired(it, 1), paired(it, 2)
    one.state, other.state, it.success_at = PairState.SUCCEEDED, PairState.FAILED, 1.0
    it.lose(7.0)
    assert {one.state, other.state} == {PairState.WAITING}
    assert it.hasty
    assert it.success_at is None
    assert it.patience_at == 7.0 + TIMING.patience
