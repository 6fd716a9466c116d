"""What one look at the peers shows, and what a neighbour is told of this side of its link."""

from __future__ import annotations

from fedfutures.broker.survey import Survey

NOTHING = (0, 0, 0, 0, 0)


def test_a_worker_that_counts_something_else_replaces_what_it_counted() -> None:
    survey = Survey()
    survey.count(NOTHING, (1, 6, 1, 0, 0))
    survey.count(NOTHING, (0, 0, 4, 1, 4))
    assert (survey.working, survey.own_movable, survey.room, survey.idle, survey.idle_room) == (1, 6, 5, 1, 4)
    survey.count((1, 6, 1, 0, 0), (0, 0, 2, 1, 2))
    assert (survey.working, survey.own_movable, survey.room, survey.idle, survey.idle_room) == (0, 0, 6, 2, 6)


def test_each_look_at_the_neighbours_begins_anew_and_leaves_the_workers_alone() -> None:
    survey = Survey()
    survey.count(NOTHING, (1, 6, 1, 0, 0))
    for movable in (20, 3):
        survey.begin_others(movable)
        survey.add_other(3, 1, 2, 7)
        survey.add_other(1, 0, 4, 2)
        assert (survey.others, survey.others_idle, survey.others_workers, survey.others_spare) == (4, 1, 6, 9)
        assert (survey.movable, survey.own_movable, survey.room) == (movable, 6, 1)


def test_a_neighbour_is_told_all_but_what_is_behind_itself() -> None:
    survey = Survey()
    survey.workers = 4
    survey.count(NOTHING, (0, 6, 2, 1, 2))
    survey.begin_others(16)
    near, far = (3, 1, 2, 7), (1, 2, 3, 1)  # room, idle, workers, movable
    for other in (near, far):
        survey.add_other(*other)
    told = [
        (survey.idle_beyond(idle), survey.workers_beyond(workers), survey.spare_beyond(movable))
        for _, idle, workers, movable in (near, far)
    ]
    assert told == [(1 + 2, 4 + 3, 16 + 1), (1 + 1, 4 + 2, 16 + 7)]
