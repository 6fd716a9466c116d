"""The drawings, as data. Arrows between states name what in the code makes the step; a test looks whether it exists."""

from __future__ import annotations

from fedfutures_launcher.remote.remote_host import TABLE, HostState

from .drawing import Arrow, Box, Figure, Sequence

NODE, ORIGIN = "fedfutures.worker.submissions:Submissions", "fedfutures.worker.origin:Origin"
BROKER, HOST = "fedfutures.broker.machine:BrokerMachine", "fedfutures.supervision.machine:HostMachine"
DISPATCH, LOAD = "fedfutures.broker.dispatch:Dispatch", "fedfutures.broker.load:Load"
RECOVERY, DELIVERY = "fedfutures.broker.recovery:Recovery", "fedfutures.broker.delivery:Delivery"
FUNCTIONS = "fedfutures.broker.functions:Functions"
SESSIONS, LINK = "fedfutures.broker.sessions:Sessions", "fedfutures.federation.link:Link"
INTRODUCTION = "fedfutures.federation.session:Introduction"


def _by(owner: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{owner}.{name}" for name in names)


PROCESSES = Figure(
    "The processes of a run on one machine, and what joins them",
    820,
    460,
    (
        Box("origin", 130, 60, "Origin\nthe user's program"),
        Box("broker", 500, 60, "Broker\nnever runs user code"),
        Box("host", 270, 250, "Host process\nforks, watches, ends"),
        Box("workers", 640, 260, "n Workers, all alike", "group", 330, 120),
        Box("one", 540, 260, "Worker 1\nexecutes Futures"),
        Box("last", 715, 260, "Worker n\nexecutes Futures"),
        Box("memory", 340, 420, "Shared memory\na private directory of files", width=560),
        Box("left", 90, 397, "", "point"),
        Box("right", 540, 397, "", "point"),
        Box("above", 90, 83, "", "point"),
    ),
    (
        Arrow("origin", "broker", "Main socket\n(DEALER-ROUTER)", both=True),
        Arrow("origin", "host", "stdin: settings, life\nstdout: facts, output, losses", both=True, at=0.5),
        Arrow("host", "broker", "fork; control pipe:\nlost Workers", at=0.62),
        Arrow("host", "one", "fork, pipes,\ncrash cells", at=0.42),
        Arrow("broker", "one", "Main", both=True, at=0.5),
        Arrow("broker", "last", "Main", both=True, at=0.5, bend=-12),
        Arrow("broker", "last", "Meta (PUB-SUB)", dashed=True, at=0.5, bend=-58),
        Arrow("one", "right", "large buffers", both=True, dashed=True, at=0.7),
        Arrow("above", "left", "large buffers", both=True, dashed=True, at=0.75),
    ),
)

FUTURE = Sequence(
    "How a Future travels",
    ("Origin", "Broker", "Worker"),
    (
        ("Worker", "Broker", "Demand"),
        ("Broker", "Origin", "Demand (summed)"),
        ("Origin", "Origin", "submit: pickled, queued"),
        ("Origin", "Broker", "Function (once per link)"),
        ("Origin", "Broker", "Batch"),
        ("Broker", "Broker", "ledger: who holds what"),
        ("Broker", "Worker", "Function (once per link)"),
        ("Broker", "Worker", "Batch (a piece cut off)"),
        ("Worker", "Worker", "loaded, run, pickled"),
        ("Worker", "Broker", "Results"),
        ("Broker", "Origin", "Results"),
        ("Origin", "Origin", "the Future resolves"),
    ),
    260,
)

UNMET = Sequence(
    "How waiting work moves to an idle Worker",
    ("Worker 1", "Broker", "Worker 2"),
    (
        ("Worker 1", "Worker 1", "runs one, holds five"),
        ("Worker 2", "Broker", "Demand (idle)"),
        ("Broker", "Broker", "queue empty for 1 ms"),
        ("Broker", "Worker 1", "State: unmet demand (Meta socket)"),
        ("Worker 1", "Broker", "Return, or Batch of its own"),
        ("Broker", "Worker 2", "Batch"),
        ("Worker 2", "Broker", "Results"),
    ),
    260,
)

FUTURE_STATES = Figure(
    "States of a Future at the Origin",
    800,
    400,
    (
        Box("start", 40, 60, "", "start"),
        Box("here", 190, 60, "Pending, here\nin Node.own"),
        Box("given", 500, 60, "Pending, given\nin Node.futures"),
        Box("running", 680, 200, "Running\nreported by a Worker"),
        Box("finished", 500, 350, "Finished\nvalue or exception", "final"),
        Box("cancelled", 150, 350, "Cancelled", "final"),
    ),
    (
        Arrow("start", "here", "submit", by=_by(ORIGIN, "submit")),
        Arrow("here", "given", "the Broker has Demand:\nBatch", by=_by(NODE, "offer")),
        Arrow("given", "running", "Running", by=_by(NODE, "_on_started")),
        Arrow("given", "finished", "Results", at=0.4, by=_by(NODE, "on_resolve")),
        Arrow("running", "finished", "Results, or\nFederation lost", by=_by(NODE, "on_resolve", "lose")),
        Arrow("given", "here", "Broker started\nagain: Reclaim", bend=-30, at=0.5, by=_by(NODE, "_on_reclaim")),
        Arrow("here", "cancelled", "cancel()", by=_by(NODE, "cancel")),
        Arrow("given", "cancelled", "cancel(): fetched back\nin time", at=0.62, by=_by(NODE, "cancel", "_settle_as")),
        Arrow("here", "finished", "Federation lost", at=0.32, by=_by(NODE, "lose")),
    ),
)

PIECE_STATES = Figure(
    "States at a Broker of Futures that a Batch brought",
    900,
    540,
    (
        Box("start", 50, 120, "", "start"),
        Box("waiting", 250, 270, "Wait for their function\nin Definitions.waiting"),
        Box("queued", 430, 120, "Queued\nin Ledger.queue"),
        Box("held", 770, 200, "Held\nin Account.held"),
        Box("orphaned", 770, 490, "Held for nobody\nPiece.intake is None"),
        Box("returned", 770, 40, "Given back\nto the neighbour that lent them", "final"),
        Box("resolved", 490, 390, "Resolved\nResults to the giver", "final"),
        Box("dropped", 200, 490, "Dropped\nwithout a word", "final"),
    ),
    (
        Arrow("start", "queued", "Batch", by=_by(BROKER, "_on_batch")),
        Arrow("start", "waiting", "Batch; function\nnot known: Want", by=_by(BROKER, "_on_batch")),
        Arrow("waiting", "queued", "Function", at=0.45, by=_by(FUNCTIONS, "on_function")),
        Arrow(
            "queued", "held", "a Worker or neighbour\nhas Demand: Batch", bend=-40, at=0.58,
            by=_by(DISPATCH, "give_out", "give_to_neighbours", "give"),
        ),
        Arrow(
            "held", "queued", "Return; holder lost or silent:\nfirst in the queue", bend=-60, at=0.46,
            by=(*_by(BROKER, "_on_return"), *_by(BROKER, "_remove", "_on_silence"), *_by(RECOVERY, "blame")),
        ),
        Arrow(
            "queued", "returned", "its Workers are idle:\nReturn", bend=-30, at=0.42, by=_by(DISPATCH, "_give_back")
        ),
        Arrow(
            "held", "resolved", "Results;\n3 crashes: poisoned", at=0.5,
            by=(*_by(BROKER, "_on_results"), *_by(RECOVERY, "blame")),
        ),
        Arrow(
            "queued", "resolved", "cancelled;\nhost given up", at=0.72,
            by=_by(RECOVERY, "cancel", "fail_queued"),
        ),
        Arrow("held", "orphaned", "submitter\ngone: Cancel", by=_by(RECOVERY, "drop_submissions")),
        Arrow(
            "orphaned", "dropped", "Results come, or the holder ends",
            by=(*_by(BROKER, "_on_results"), *_by(BROKER, "_remove")),
        ),
        Arrow("waiting", "dropped", "submitter gone", at=0.5, by=_by(RECOVERY, "drop_submissions")),
    ),
)  # fmt: skip

WORKER_STATES = Figure(
    "States of a Worker's slot at the host process",
    780,
    330,
    (
        Box("start", 40, 80, "", "start"),
        Box("starting", 220, 80, "Starting\nforked"),
        Box("ready", 600, 80, "Ready\nwelcome at the Broker"),
        Box("delayed", 220, 270, "To be started again\n0.1 s, then twice as long each time"),
        Box("surrendered", 600, 270, "Host given up\nwaiting Futures fail", "final"),
    ),
    (
        Arrow("start", "starting", "begin", by=_by(HOST, "begin")),
        Arrow("starting", "ready", "Welcome", bend=-22, by=("fedfutures.worker.process:main",)),
        Arrow("ready", "starting", "ended, in whatever way:\nreplaced at once", bend=-26,
              by=_by(HOST, "on_worker_ended")),
        Arrow("starting", "delayed", "ended\ntoo early", bend=50, by=_by(HOST, "on_worker_ended")),
        Arrow("delayed", "starting", "time", bend=50, by=_by(HOST, "tick")),
        Arrow(
            "starting", "surrendered", "5 own ends in a row,\nor the initializer raised", at=0.56,
            by=_by(HOST, "on_worker_ended", "_surrender"),
        ),
    ),
)  # fmt: skip

BROKER_STATES = Figure(
    "States of a Broker at the host process",
    780,
    360,
    (
        Box("start", 40, 80, "", "start"),
        Box("lives", 290, 80, "Lives\n_Broker.lives"),
        Box("stopped", 640, 80, "Stopped\nby a signal"),
        Box("delayed", 290, 300, "To be started again\n0.1 s, then twice as long each time"),
        Box("lost", 640, 300, "Run ended\nevery open Future: FederationLost", "final"),
    ),
    (
        Arrow("start", "lives", "begin", by=_by(HOST, "begin_brokers")),
        Arrow("lives", "stopped", "SIGSTOP", bend=-20, by=_by(HOST, "on_broker_stopped")),
        Arrow("stopped", "lives", "SIGCONT; or 5 s are over:\nkilled, started again", bend=-24,
              by=_by(HOST, "on_broker_continued", "tick", "on_broker_ended")),
        Arrow("lives", "delayed", "ended within\na second", bend=52, by=_by(HOST, "on_broker_ended")),
        Arrow("delayed", "lives", "time", bend=52, by=_by(HOST, "tick")),
        Arrow("lives", "lost", "5 own ends\nwithin 30 s", at=0.6, by=_by(HOST, "on_broker_ended")),
    ),
)  # fmt: skip

TREE = Figure(
    "A tree of Brokers: Demand flows one way, work the other, results go back the way the work came",
    900,
    620,
    (
        Box("origin", 110, 50, "Origin\nthe user's program"),
        Box("root", 480, 50, "a.broker\nthe root, on the Origin's host"),
        Box("root-workers", 790, 50, "Workers of a"),
        Box("b", 120, 270, "b.broker"),
        Box("b-workers", 120, 400, "Workers of b"),
        Box("c", 360, 270, "c.broker"),
        Box("c-workers", 360, 400, "Workers of c"),
        Box("site", 675, 415, "a site: hosts behind the access host s", "group", 420, 400),
        Box("s", 720, 270, "s.broker\nof the access host"),
        Box("s-workers", 545, 360, "Workers of s"),
        Box("t", 720, 430, "t.broker"),
        Box("t-workers", 720, 560, "Workers of t"),
        Box("u", 560, 470, "u.broker"),
        Box("u-workers", 560, 560, "Workers of u"),
    ),
    (
        Arrow("root", "origin", "Demand of all", dashed=True, bend=14, by=_by(LOAD, "_ask_origins")),
        Arrow("origin", "root", "Batches", bend=16, at=0.46, by=_by(NODE, "offer")),
        Arrow("root-workers", "root", dashed=True, bend=8),
        Arrow("root", "root-workers", bend=8, by=_by(DISPATCH, "give_out")),
        Arrow("b", "root", dashed=True, bend=8),
        Arrow("root", "b", bend=8),
        Arrow("c", "root", dashed=True, bend=8),
        Arrow("root", "c", bend=8),
        Arrow("s", "root", "Demand of\ns, t and u", dashed=True, bend=34, at=0.62, by=_by(LOAD, "_ask_neighbour")),
        Arrow("root", "s", "Batch", at=0.46, by=_by(DISPATCH, "give_to_neighbours")),
        Arrow("s", "root", "Results", bend=-34, at=0.5, by=_by(DELIVERY, "deliver")),
        Arrow("t", "s", "Demand of t", dashed=True, bend=56, at=0.5, by=_by(LOAD, "_ask_neighbour")),
        Arrow("s", "t", "Batch", at=0.5, by=_by(DISPATCH, "give_to_neighbours")),
        Arrow("t", "s", "Results", bend=-40, at=0.5, by=_by(DELIVERY, "deliver")),
        Arrow("t-workers", "t", "Demand", dashed=True, bend=48),
        Arrow("t", "t-workers", "Batch", by=_by(DISPATCH, "give_out")),
        Arrow("t-workers", "t", "Results", bend=-40, by=_by(BROKER, "_on_results")),
        Arrow("s-workers", "s", dashed=True, bend=8),
        Arrow("s", "s-workers", bend=8),
        Arrow("u", "s", dashed=True, bend=8),
        Arrow("s", "u", bend=8),
        Arrow("u-workers", "u", dashed=True, bend=8),
        Arrow("u", "u-workers", bend=8),
        Arrow("b-workers", "b", dashed=True, bend=8),
        Arrow("b", "b-workers", bend=8),
        Arrow("c-workers", "c", dashed=True, bend=8),
        Arrow("c", "c-workers", bend=8),
    ),
)

LINK_STATES = Figure(
    "The life of a link, as one end sees the other",
    900,
    400,
    (
        Box("start", 50, 70, "", "start"),
        Box("unknown", 230, 70, "Not known\nLink.linked is False"),
        Box("linked", 690, 70, "Linked\nLink.linked"),
        Box("doubted", 690, 340, "In doubt\nHello says the session it knows"),
        Box("silent", 230, 340, "Silent\nLink.silent"),
    ),
    (
        Arrow("start", "unknown", "dial", by=_by(SESSIONS, "dial")),
        Arrow(
            "unknown", "linked", "Hello, Welcome:\na session begins",
            by=_by(BROKER, "_on_hello", "_on_welcome", "_begin"),
        ),
        Arrow(
            "linked", "doubted", "Stranger, or numbers\nof another session", bend=-70,
            by=(*_by(SESSIONS, "on_foreign", "on_stranger"), *_by(LINK, "introduce")),
        ),
        Arrow(
            "doubted", "linked", "Welcome: it goes on,\nor another begins", at=0.5, bend=-66,
            by=(*_by(INTRODUCTION, "is_answered_by"), *_by(SESSIONS, "on_welcome"), *_by(BROKER, "_begin")),
        ),
        Arrow(
            "linked", "silent", "3 s of silence:\nFutures lent to it are queued", bend=24, at=0.25,
            by=(*_by(LINK, "falls_silent"), *_by(BROKER, "_on_silence")),
        ),
        Arrow(
            "silent", "linked", "heard again: Cancel of\nFutures that others run", bend=40, at=0.35,
            by=_by(BROKER, "_on_heard"),
        ),
        Arrow(
            "silent", "unknown", "60 s of silence: forgotten,\nits Futures are dropped", at=0.5,
            by=(*_by(LINK, "is_forgotten", "forget"), *_by(BROKER, "_remove")),
        ),
    ),
)  # fmt: skip

RESTART = Sequence(
    "A Broker is started again while a Worker runs a Future of the Origin",
    ("Origin", "Broker", "Worker"),
    (
        ("Broker", "Broker", "dies; its host process starts another"),
        ("Broker", "Worker", "State: another incarnation (Meta socket)"),
        ("Worker", "Broker", "Hello"),
        ("Broker", "Worker", "Welcome: a new session"),
        ("Worker", "Broker", "Holding: Futures 7 and 8 of the Origin"),
        ("Worker", "Broker", "Demand (that was all)"),
        ("Origin", "Broker", "Hello"),
        ("Broker", "Origin", "Welcome: a new session"),
        ("Origin", "Broker", "Batch: Futures 7, 8 and 9, attempt 2"),
        ("Broker", "Broker", "7 and 8 are with the Worker; 9 is queued"),
        ("Worker", "Broker", "Results: 7 and 8"),
        ("Broker", "Origin", "Results: 7 and 8"),
    ),
    290,
)

_PLACES = {
    HostState.NEW: (60, 60), HostState.CONNECTING: (260, 60), HostState.MEASURING: (540, 60),
    HostState.READY: (820, 60), HostState.FAILED: (540, 190), HostState.SERVING: (820, 190),
    HostState.WAITING: (820, 340),
    HostState.RETURNING: (1110, 340), HostState.ENTERING: (1110, 190), HostState.RESTARTING: (540, 340),
    HostState.GIVEN_UP: (820, 500), HostState.OVER: (1110, 60),
}  # fmt: skip
_BENDS = {
    (HostState.WAITING, HostState.RETURNING): 34, (HostState.RETURNING, HostState.WAITING): 34,
    (HostState.WAITING, HostState.RESTARTING): 34, (HostState.RESTARTING, HostState.WAITING): 34,
    (HostState.SERVING, HostState.GIVEN_UP): 110,
}  # fmt: skip
_ENDS = (HostState.FAILED, HostState.GIVEN_UP, HostState.OVER)
HOST_STATES = Figure(
    "The life of a remote host, as the connector sees it",
    1200,
    560,
    tuple(
        Box(
            state.name,
            *place,
            state.value.capitalize(),
            "final" if state.name in ("FAILED", "GIVEN_UP", "OVER") else "plain",
        )
        for state, place in _PLACES.items()
    ),
    tuple(
        Arrow(here.name, there.name, bend=_BENDS.get((here, there), 0))
        for here, there in dict.fromkeys((here, there) for (here, event), (there, _) in TABLE.items())
        if here is not there and {here, there} <= _PLACES.keys()
        if there is not HostState.OVER or here is HostState.SERVING
        if here is not HostState.NEW or there is HostState.CONNECTING
    ),
)
"""Made of the table itself; not drawn: the ends of the run, and the beginning after a connector that was killed."""

DRAWINGS = {
    "processes": PROCESSES,
    "future": FUTURE,
    "unmet": UNMET,
    "future-states": FUTURE_STATES,
    "piece-states": PIECE_STATES,
    "worker-states": WORKER_STATES,
    "broker-states": BROKER_STATES,
    "tree": TREE,
    "link-states": LINK_STATES,
    "restart": RESTART,
    "host-states": HOST_STATES,
}
