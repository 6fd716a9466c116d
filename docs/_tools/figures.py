"""The drawings, as data. Arrows between states name what in the code makes the step; a test looks whether it exists."""

from __future__ import annotations

from .drawing import Arrow, Box, Figure, Sequence

NODE, ORIGIN = "fedfutures.worker.node:Node", "fedfutures.worker.origin:Origin"
BROKER, HOST = "fedfutures.broker.machine:BrokerMachine", "fedfutures.host.machine:HostMachine"


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
        Arrow("host", "one", "fork, pipes,\nblack box", at=0.42),
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

HUNGER = Sequence(
    "How waiting work moves to an idle Worker",
    ("Worker 1", "Broker", "Worker 2"),
    (
        ("Worker 1", "Worker 1", "runs one, holds five"),
        ("Worker 2", "Broker", "Demand (idle)"),
        ("Broker", "Broker", "queue empty for 1 ms"),
        ("Broker", "Worker 1", "State: hunger (Meta socket)"),
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
        Arrow("start", "here", "submit", by=_by(ORIGIN, "submit_defined")),
        Arrow("here", "given", "the Broker has Demand:\nBatch", by=_by(NODE, "offer")),
        Arrow("given", "running", "Running", by=_by(NODE, "_started")),
        Arrow("given", "finished", "Results", at=0.4, by=_by(NODE, "_resolve")),
        Arrow("running", "finished", "Results, or\nFederation lost", by=_by(NODE, "_resolve", "lose")),
        Arrow("here", "cancelled", "cancel()", by=_by(NODE, "cancel")),
        Arrow("given", "cancelled", "cancel(): fetched back\nin time", at=0.62, by=_by(NODE, "cancel", "_settle_odd")),
        Arrow("here", "finished", "Federation lost", at=0.32, by=_by(NODE, "lose")),
    ),
)

PIECE_STATES = Figure(
    "States at a Broker of Futures that a Batch brought",
    860,
    470,
    (
        Box("start", 50, 90, "", "start"),
        Box("waiting", 250, 230, "Wait for their function\nin waiting"),
        Box("queued", 430, 90, "Queued\nin queue"),
        Box("held", 740, 160, "Held\nin Peer.held"),
        Box("orphaned", 740, 420, "Held for nobody\nPiece.source is None"),
        Box("resolved", 470, 330, "Resolved\nResults to the giver", "final"),
        Box("dropped", 200, 420, "Dropped\nwithout a word", "final"),
    ),
    (
        Arrow("start", "queued", "Batch", by=_by(BROKER, "_on_batch")),
        Arrow("start", "waiting", "Batch; function\nnot known: Want", by=_by(BROKER, "_on_batch")),
        Arrow("waiting", "queued", "Function", at=0.45, by=_by(BROKER, "_on_function")),
        Arrow("queued", "held", "a Worker has Demand:\nBatch", bend=36, at=0.45, by=_by(BROKER, "_dispatch", "_give")),
        Arrow(
            "held", "queued", "Return; its Worker was lost:\nfirst in the queue", bend=56, at=0.48,
            by=_by(BROKER, "_on_return", "_remove", "_blame"),
        ),
        Arrow("held", "resolved", "Results;\n3 crashes: poisoned", at=0.52, by=_by(BROKER, "_on_results", "_blame")),
        Arrow(
            "queued", "resolved", "cancelled;\nhost given up", at=0.62, by=_by(BROKER, "_cancel_queued", "_fail_queued")
        ),
        Arrow("held", "orphaned", "submitter\ngone: Cancel", by=_by(BROKER, "_drop_submissions")),
        Arrow("orphaned", "dropped", "Results come, or its Worker ends", by=_by(BROKER, "_on_results", "_remove")),
        Arrow("waiting", "dropped", "submitter gone", at=0.5, by=_by(BROKER, "_drop_submissions")),
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
        Box("surrendered", 600, 270, "Host given up\nthe Broker fails what waits", "final"),
    ),
    (
        Arrow("start", "starting", "begin", by=_by(HOST, "begin")),
        Arrow("starting", "ready", "Welcome", bend=-22, by=("fedfutures.worker.process:main",)),
        Arrow("ready", "starting", "ended, in whatever way:\nreplaced at once", bend=-26, by=_by(HOST, "ended")),
        Arrow("starting", "delayed", "ended\ntoo early", bend=50, by=_by(HOST, "ended")),
        Arrow("delayed", "starting", "time", bend=50, by=_by(HOST, "tick")),
        Arrow(
            "starting", "surrendered", "5 failed in a row,\nor the initializer raised", at=0.56,
            by=_by(HOST, "ended", "_surrender"),
        ),
    ),
)  # fmt: skip

DRAWINGS = {
    "processes": PROCESSES,
    "future": FUTURE,
    "hunger": HUNGER,
    "future-states": FUTURE_STATES,
    "piece-states": PIECE_STATES,
    "worker-states": WORKER_STATES,
}
