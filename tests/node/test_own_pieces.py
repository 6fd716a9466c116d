"""Own Futures at the Broker, beside a dict that says for each Future in which piece it is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import LocalProtocolError
from fedfutures.federation.terms import FREE, Conditions
from fedfutures.node.events import Offer
from fedfutures.node.own_pieces import FUNCTIONS_KEPT, OwnPieces
from fedfutures.wire.facts import packed
from fedfutures.wire.messages import ONCE_FLAG, Function, Results

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.integers(1, 5)),
        st.tuples(st.just("take"), st.integers(1, 6), st.sets(st.integers(1, 30), max_size=8)),
        st.tuples(st.just("back")),
    ),
    max_size=30,
)


@given(STEPS)
def test_each_is_in_one_piece_until_its_outcome_came(steps: list[tuple[object, ...]]) -> None:
    own, twin, next_id, made = OwnPieces(), dict[int, int](), 1, 0
    for step in steps:
        if step[0] == "give":
            ids = list(range(next_id, next_id + int(str(step[1]))))
            next_id, made = ids[-1] + 1, made + 1
            assert own.give(b"f", ids) == made
            twin.update(dict.fromkeys(ids, made))
        elif step[0] == "take":
            piece, ids = int(str(step[1])), sorted(step[2])  # type: ignore[call-overload]
            known = [number for number in ids if twin.get(number) == piece]
            is_open = piece in twin.values()
            facts = [packed("h.1", 1, list(map(float, some))) if some else b"" for some in (ids, known)]
            taken = own.take(Results(piece, 1, ids, [str(number).encode() for number in ids], facts=facts[0]))
            outcomes = [str(number).encode() for number in known]
            assert taken == ((b"f", known, outcomes, facts[1]) if is_open else None)
            for number in known:
                del twin[number]
        else:
            assert own.take_back() == sorted(twin)
            twin.clear()
        own.check()
        assert own.where == twin
        assert own.count == len(twin)
        for piece in {*twin.values(), 99}:
            open_ones = [number for number in twin if twin[number] == piece]
            assert own.open_ones(piece, range(1, next_id)) == (sorted(open_ones) or None)


def test_a_definition_is_sent_once_in_a_session() -> None:
    own = OwnPieces()
    own.define(b"f", "first", b"body")
    own.define(b"f", "second", b"other")
    assert own.unsent_definition(b"f") == Function(b"f", "first", b"body")
    assert own.unsent_definition(b"f") is None
    assert own.definition(b"f") is not None
    own.take_back()
    assert own.unsent_definition(b"f") is not None


def test_by_piece_and_where() -> None:
    own = OwnPieces()
    own.give(b"f", [1, 2])
    own.give(b"f", [3])
    assert own.by_piece([1, 3, 2, 77]) == {1: [1, 2], 2: [3]}
    assert own.explain(3, "w") == "given to the Broker by w in piece 2"
    assert "not given away by w" in own.explain(77, "w")


def test_check_finds_a_future_in_no_piece() -> None:
    own = OwnPieces()
    own.give(b"f", [1])
    del own.where[1]
    with pytest.raises(LocalProtocolError, match="in no piece"):
        own.check()


def test_a_function_for_each_call_leaves_no_more_than_so_many_definitions() -> None:
    own = OwnPieces()
    digests = [str(number).encode() for number in range(4 * FUNCTIONS_KEPT)]
    for digest in digests:
        own.define(digest, "made", b"body")
        piece = own.give(digest, [len(digest)])
        assert own.unsent_definition(digest) is not None
        own.take(Results(piece, 1, [len(digest)], [b""]))
        own.check()
    assert sum(own.definition(digest) is not None for digest in digests) <= FUNCTIONS_KEPT + 1
    assert own.definition(digests[-1]) is not None
    own.define(digests[0], "made", b"body")
    assert own.unsent_definition(digests[0]) is not None  # the Broker may have forgotten it, too


def test_what_given_futures_need_is_kept_however_much_it_is() -> None:
    own = OwnPieces()
    digests = [str(number).encode() for number in range(3 * FUNCTIONS_KEPT)]
    pieces = []
    for number, digest in enumerate(digests):
        own.define(digest, "made", b"body")
        pieces.append(own.give(digest, [number]))
    assert all(own.definition(digest) is not None for digest in digests)
    for number, piece in enumerate(pieces):
        own.take(Results(piece, 1, [number], [b""]))
    for number in range(3 * FUNCTIONS_KEPT):
        own.define(f"later {number}".encode(), "made", b"body")
    assert not any(own.definition(digest) for digest in digests)


def test_what_starts_once_is_named_as_such_when_it_was_given_before() -> None:
    own = OwnPieces()
    own.define(b"f", "f", b"body")
    once = Conditions(flags=ONCE_FLAG)

    def given(ids: list[int], sessions: int, conditions: Conditions = once) -> list[tuple[int, list[int]]]:
        offer = Offer(b"f", ids, [b"p"] * len(ids), 0, conditions=conditions)
        return [(attempt, mine) for _, attempt, mine, *_ in own.give_offer(offer, sessions)]

    assert given([1, 2], 1) == [(1, [1, 2])]
    assert own.take_back() == [1, 2]
    assert given([1, 2, 3], 2) == [(1, [3]), (2, [1, 2])]
    assert given([4], 2, FREE) == [(2, [4])], "others are another attempt in each session"
    assert own.take_back() == [1, 2, 3, 4]
    assert given([3], 3) == [(3, [3])]
    own.take(Results(own.made, 3, [3], [b"r"]))
    assert own.again == {1, 2}
    own.check()


def test_what_was_lost_with_a_lent_worker_goes_apart_as_another_attempt() -> None:
    own = OwnPieces()
    own.define(b"f", "f", b"body")
    own.mark(2, 1, 4)
    own.mark(2, 0, 8)
    own.mark(3, 0, 0)
    given = own.give_offer(Offer(b"f", [1, 2, 3, 4], [b"a", b"b", b"c", b"d"], 0), 3)
    assert [(one.ids, one.attempt, one.crashes, one.flags, one.payloads) for one in given] == [
        ([1, 4], 3, 0, 0, [b"a", b"d"]),
        ([3], 4, 0, 0, [b"c"]),
        ([2], 5, 1, 12, [b"b"]),
    ]
    own.take(Results(given[2].number, 5, [2], [b"r"]))
    assert own.marks.keys() == {3}
    own.check()
