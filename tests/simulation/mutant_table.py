"""Bugs that the protocol could have had: each names a function, a piece of its text, and the text of the bug.

A mutant whose text is not found once in its function does not apply any more; tests say so.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One bug; `where` names the function below ``fedfutures``."""

    name: str
    what: str
    where: str
    old: str
    new: str


WORKER = "node.machine.WorkerMachine."
OWN_PIECES = "node.own_pieces.OwnPieces."
ASKING = "node.asking.Asking."
CHANNEL = "federation.channel.Channel."
LINK = "federation.link.Link."
BROKER = "broker.machine.BrokerMachine."
SESSIONS = "broker.sessions.Sessions."
LEDGER = "broker.ledger.Ledger."
SETTLEMENT = "broker.results.Settlement."
RECOVERY = "broker.recovery.Recovery."
ADOPTION = "broker.adoption.Adoption."
TERMS = "federation.terms.Terms."
DISPATCH = "broker.dispatch.Dispatch."
QUEUE = "broker.queue.WorkQueue."
LOAD = "broker.load.Load."
FUNCTIONS = "broker.functions.Functions."
CODEC = "wire.codec."
WORKLOAD = "node.workload.Workload."
RECALLS = "node.workload.Recalls."
SIMULATED = "simulation.worker.SimWorker."

OF_CHANNELS = (
    Mutant("accepts-duplicates", "a Channel acts on a message that came twice",
           CHANNEL + "accept", "sequence != self._accepted + 1", "sequence > self._accepted + 1"),
    Mutant("accepts-out-of-order", "a Channel takes a later message for the next one",
           CHANNEL + "accept", "sequence != self._accepted + 1", "sequence <= self._accepted"),
    Mutant("acks-what-it-drops", "a Channel acknowledges what it did not take in",
           CHANNEL + "accept", "self._missing, self._ack_due = True, now",
           "self._accepted, self._missing, self._ack_due = sequence, True, now"),
    Mutant("never-repeats", "a Channel does not repeat what is not acknowledged",
           CHANNEL + "repeat", "return list(self._unacked)", "return []"),
    Mutant("repeats-without-pause", "a Channel repeats at once, again and again",
           CHANNEL + "repeat", "min(2 * self._wait, REPEAT_AT_MOST_SECONDS)", "0.0"),
    Mutant("ignores-missing", "a Channel that hears that something is missing waits all the same",
           CHANNEL + "hasten", "self._repeat_at is not None", "False"),
    Mutant("never-acks-alone", "a Channel acknowledges only with other messages",
           CHANNEL + "ack_is_due", "self._ack_due is not None and now >= self._ack_due", "False"),
    Mutant("bases-in-a-row", "the numbers of sessions that one Broker begins are neighbours",
           CHANNEL + "__init__", "session * SPREAD % FIRST_BASE", "session % FIRST_BASE"),
    Mutant("no-frame-is-foreign", "a Channel does not tell frames of another session from its own",
           CHANNEL + "is_foreign", "bool(number) and abs(number - mine) > WINDOW", "False"),
    Mutant("demand-counts-twice", "what is under way is not taken off a Demand that does not know of it",
           CHANNEL + "demand", "count - sum(futures for _, futures in self._given)", "count"),
)  # fmt: skip

OF_WORKERS = (
    Mutant("counts-duplicate-results", "a submitter takes results of Futures that have resolved",
           OWN_PIECES + "take", "not pending.issuperset(ids)", "False"),
    Mutant("results-not-sent-again", "in a new session a Worker does not send results again that may be lost",
           WORKER + "_begin_again", "self._finished, old)", "self._finished, Channel())"),
    Mutant("worker-says-no-holding", "in a new session a Worker does not say what it holds",
           WORKER + "_begin_again", "self._send(message, now)",
           "type(message) is messages.Holding or self._send(message, now)"),
    Mutant("submitter-gives-only-once", "in a new session a submitter does not take back what it gave",
           WORKER + "_begin_again", "if back:", "if False:"),
    Mutant("resubmits-under-old-attempt", "what is given again in a new session counts as the first attempt",
           WORKER + "_offer", "max(1, self._sessions)", "1"),
    Mutant("function-not-sent-again", "in a new session a submitter takes functions for known",
           OWN_PIECES + "take_back", "self._sent.clear()", "pass"),
    Mutant("submitter-ignores-want", "a submitter does not answer Want",
           WORKER + "_on_want", "definition is not None", "False"),
    Mutant("worker-never-wants", "a Worker does not ask for a function that it lacks",
           WORKER + "_on_batch", "self._send(messages.Want(batch.function), now)", "pass"),
    Mutant("worker-takes-stale-welcome", "a node takes a Welcome that answers an earlier Hello",
           WORKER + "_on_welcome", "self.linked or welcome.greeter != self._hello.boot + self._hello.round",
           "self.linked"),
    Mutant("worker-deaf-to-new-boot", "a Worker does not see by a State that the Broker is another",
           WORKER + "_on_state", "self.linked and state.boot != self._broker_boot", "False"),
    Mutant("leaver-goes-on-beating", "a node that left goes on introducing itself",
           WORKER + "_on_stranger", 'self._beat_at = float("inf")', "pass"),
    Mutant("bye-is-lost", "a node that was leaving says no Bye in a new session",
           WORKER + "_begin_again", "if self._leaving:", "if False:"),
    Mutant("idle-worker-keeps-silent", "a Worker that falls idle with Demand standing does not say so",
           ASKING + "news", "idle and not self._said_idle and holds", "False"),
    Mutant("old-hunger", "a Worker believes the hunger of an older State",
           WORKER + "_on_state", "state.number > self._hunger_number", "True"),
    Mutant("worker-never-hands-back", "a Worker does not hand back what its submitter cancels",
           WORKER + "_on_cancel", "cancel.piece in self.held", "False"),
)  # fmt: skip

OF_LINKS = (
    Mutant("no-beats", "nothing is sent over a link where there is nothing to say",
           LINK + "due", "self.linked and now >= self._beat_at", "False"),
    Mutant("silence-unnoticed", "a neighbour may be silent for ever",
           LINK + "falls_silent", "not self.linked or", "True or"),
    Mutant("never-forgets", "a neighbour that is silent for a minute is not forgotten",
           LINK + "is_forgotten", "return self.linked", "return False"),
    Mutant("hello-once", "a Broker says Hello once",
           LINK + "due", "self._hello_at = now +", "self._hello_at = None and"),
    Mutant("broker-takes-stale-welcome", "a Broker takes a Welcome that answers an earlier Hello, or its forerunner's",
           SESSIONS + "on_welcome", "link is None or not link.expects(welcome.greeter)", "link is None"),
    Mutant("each-hello-a-session", "a Hello that names another session begins one, even if the node is the same",
           BROKER + "_on_hello",
           "peer.boot != hello.boot:",
           "(peer.boot != hello.boot or peer.session != hello.session):"),
    Mutant("each-hello-of-a-neighbour-a-session", "the same between Brokers",
           SESSIONS + "on_hello",
           "peer.boot == hello.boot:",
           "peer.boot == hello.boot and peer.session == hello.session:"),
    Mutant("no-strangers", "a Broker does not answer those that it does not know",
           SESSIONS + "on_unknown", "self._outbox.send_unnumbered(name, Stranger())", "pass"),
    Mutant("lost-worker-returns", "a late Hello of a Worker that has ended links it again",
           SESSIONS + "on_end", "self._ended.append(name)", "pass"),
    Mutant("waits-for-no-worker", "a Broker that was started again gives out before Workers say what they hold",
           SESSIONS + "without_ended", "set(names).difference(self._ended)", "set()"),
)  # fmt: skip

OF_SESSIONS = (
    Mutant("collected-results-lost", "results that were to be sent together are lost with the session",
           BROKER + "_begin", "self.delivery.flush(old, now)", "pass"),
    Mutant("broker-says-no-holding", "in a new session a Broker does not say what it holds",
           BROKER + "_begin",
           "self.outbox.send(peer, message, now)",
           "type(message) is messages.Holding or self.outbox.send(peer, message, now)"),
    Mutant("broker-sends-results-once", "in a new session a Broker does not send results again",
           BROKER + "_begin",
           "self.outbox.send(peer, message, now)",
           "type(message) is messages.Results or self.outbox.send(peer, message, now)"),
    Mutant("lent-forgotten", "in a new session a Broker does not give again what it had lent",
           BROKER + "_begin", "self.dispatch.give_again(self.load.peers[peer.name], lot, now)", "pass"),
    Mutant("pieces-count-from-one", "in a new session pieces have numbers that were used before",
           BROKER + "_begin", "account.finished.clear()", "account.finished.clear()\n    account.last_piece = 0"),
    Mutant("doubtful-not-cancelled", "a neighbour that is back is not asked to drop what others do meanwhile",
           RECOVERY + "recall_doubtful", "self._outbox.send(peer, Cancel(number, ids), now)", "pass"),
    Mutant("doubtful-dropped", "results of a neighbour that was silent do not count",
           RECOVERY + "doubt",
           "doubtful.setdefault(piece.number, []).append((piece.intake.source, set(piece.pending)))",
           "pass"),
    Mutant("returned-stays-doubtful", "what a neighbour that was silent had given back is still in doubt",
           SETTLEMENT + "_forget", "self._recovery.clear_doubt(name, number, ids)", "pass"),
    Mutant("doubtful-cancelled", "what a neighbour that was silent drops as asked is cancelled for good",
           RECOVERY + "settle_doubtful", ".difference(i for i, kind in results.odd if kind == CANCELLED)", ""),
    Mutant("cancelled-by-nobody", "a Future that its holder hands back is cancelled, whoever asked for that",
           SETTLEMENT + "_settle", "if results.odd:", "if False:"),
)  # fmt: skip

OF_LOSSES = (
    Mutant("silent-keeps-all", "nothing is taken back from a silent neighbour",
           BROKER + "_on_silence", "self.recovery.take_back_all(peer.name, len(self.peers.workers), now)", "pass"),
    Mutant("dead-worker-keeps-all", "nothing is taken back from a Worker that died",
           BROKER + "_remove", "self.recovery.take_back_all(name, len(self.peers.workers), now)", "pass"),
    Mutant("same-attempt-again", "what is taken back goes out under the same attempt",
           TERMS + "after_loss", "self.attempt + 1", "self.attempt"),
    Mutant("crashes-not-counted", "a Future that kills its Workers does so for ever",
           TERMS + "after_crash", "self.crashes + 1", "self.crashes"),
    Mutant("innocents-blamed", "all that a dead Worker held counts as crashed",
           LEDGER + "take_back_all", "piece.terms.after_loss()", "piece.terms.after_crash()"),
    Mutant("one-crash-more", "a Future is poisoned at the fourth crash",
           RECOVERY + "blame", "terms.crashes >= CRASH_LIMIT", "terms.crashes > CRASH_LIMIT"),
    Mutant("suspects-in-company", "a Future that has crashed a Worker travels with others",
           DISPATCH + "give_out", "if lot.terms.crashes:", "if False:"),
    Mutant("leaver-keeps-intakes", "what a submitter gave stays when it has left",
           BROKER + "_remove", "self.recovery.drop_submissions(name, now)", "pass"),
    Mutant("leaver-work-goes-on", "holders are not told that a submitter has left",
           RECOVERY + "drop_submissions", "self._recall(self._ledger.close(name), now)", "self._ledger.close(name)"),
    Mutant("hopeless-wait", "nobody is told when no Worker will come",
           BROKER + "step", "recovery.gave_up is not None and load.is_deserted()", "False"),
    Mutant("second-attempt-goes-on", "a late result does not cancel the attempt that took its place",
           RECOVERY + "_settle_late", "self._recall(recalls, now)", "pass"),
    Mutant("late-result-wins-again", "a late result is passed on though another was first",
           RECOVERY + "_settle_late", "results = only(results, found)", "pass"),
    Mutant("cancelled-runs-again", "what was cancelled and comes back runs once more",
           LEDGER + "take_back", "[i for i, _ in taken if i in piece.unwanted]", "[]"),
    Mutant("broker-keeps-cancel", "a Broker does not pass Cancel on to who holds the Futures",
           RECOVERY + "cancel", "self._recall(recalls, now)", "pass"),
)  # fmt: skip

OF_ORPHANS = (
    Mutant("orphans-not-claimed", "what a submitter names is given out though somebody holds it",
           BROKER + "_on_batch", "if self.adoption.orphans:", "if False:"),
    Mutant("late-holding-ignored", "a Holding that comes after the Batch is not matched with it",
           ADOPTION + "on_holding", "lot.terms.submitter == holding.submitter and not", "False and"),
    Mutant("orphan-cancelled-stays", "an orphan that its holder has dropped is still taken for held",
           ADOPTION + "on_results",
           "self.forget(name, results.piece, [i for i, kind in results.odd if kind == CANCELLED])",
           "pass"),
    Mutant("orphan-outcomes-dropped", "results that come before their Futures are named are lost",
           ADOPTION + "on_results", "orphan.outcomes[i] = outcome, odd.get(i, VALUE)", "pass"),
    Mutant("orphan-returned-stays", "an orphan that its holder has given back is still taken for held",
           SETTLEMENT + "_forget", "self._adoption.forget(name, number, ids)", "pass"),
    Mutant("orphans-of-the-silent", "orphans of a silent neighbour are waited for",
           BROKER + "_on_silence", "self.adoption.on_peer_lost(peer.name)", "pass"),
    Mutant("orphans-never-expire", "what nobody names is never asked back",
           ADOPTION + "expire", "now >= orphan.until", "False"),
    Mutant("two-hold-one", "two peers that hold the same Future both are its holder",
           ADOPTION + "on_holding", "if (holding.submitter, i) not in self._where", ""),
)  # fmt: skip

OF_SHARING = (
    Mutant("barred-ignored", "what came back over a link goes over it again",
           TERMS + "after_return", "(*self.barred, neighbour)", "self.barred"),
    Mutant("returned-attempt-forgotten", "a Return does not say what became of the attempt",
           TERMS + "after_return", "max(self.attempt, attempt)", "self.attempt"),
    Mutant("nothing-given-back", "an idle neighbour is not given back what it lent",
           DISPATCH + "_returnable", "not load.idle", "True"),
    Mutant("idle-after-batch", "a neighbour that gives work is still taken for idle",
           LOAD + "on_batch", "load.idle = 0", "pass"),
    Mutant("asker-asked-for-itself", "a neighbour's own Demand comes back to it",
           LOAD + "_ask_neighbour", "+ survey.others - load.room", "+ survey.others"),
    Mutant("asker-idle-for-itself", "a neighbour is told of its own idle Workers",
           LOAD + "_ask_neighbour", "survey.idle_beyond(load.idle) if", "survey.idle + survey.others_idle if"),
    Mutant("asks-for-what-is-queued", "what is queued here is not taken off the Demand",
           LOAD + "_ask_neighbour", "goal - queued", "goal"),
    Mutant("demand-believed-standing", "a Broker does not take off what its Demand has brought",
           LOAD + "on_batch", "load.asked -= len(batch.ids)", "pass"),
    Mutant("no-hunger", "Workers do not hear that others are idle",
           LOAD + "_consider_hunger", "if survey.working:", "if False:"),
    Mutant("no-spare", "neighbours do not hear that there is something to be had",
           LOAD + "_publish_to", "spare, size = survey.spare_beyond(load.movable),", "spare, size = 0,"),
    Mutant("more-than-room", "a Worker is given one Future more than it asked for",
           "federation.schedule.portion", "min(room, by_duration", "min(room + 1, by_duration"),
    Mutant("greedy-neighbour", "a neighbour is given all that there is",
           DISPATCH + "_share_of", "min(max(count, load.idle), load.room,", "min("),
    Mutant("stale-survey", "what a Worker has room for is counted as it was when it came",
           LOAD + "_note", "self._changed.add(load)", "pass"),
    Mutant("stale-balance", "what changes at neighbours and Origins is not looked at",
           LOAD + "_note", "self._news = True", "pass"),
    Mutant("priority-ignored", "the lowest priority goes first",
           QUEUE + "head", "self._order[0]", "self._order[-1]"),
    Mutant("unfair-queue", "the Origin that came first is served first",
           QUEUE + "_by_charge", "sorted(level, key=lambda root: self.charged.get((root, to), 0.0))", "list(level)"),
)  # fmt: skip

OF_FUNCTIONS = (
    Mutant("constants-without-tiebreak", "of two new values of a constant each Broker keeps its own",
           FUNCTIONS + "on_constant", "(known.version, known.body) >= (constant.version, constant.body)",
           "known.version >= constant.version"),
    Mutant("broker-ignores-want", "a Broker does not send a function that it has on Want",
           FUNCTIONS + "on_want", "self._send(peer, function, now)", "pass"),
    Mutant("want-not-passed-on", "a Broker that lacks a function does not ask where the Futures came from",
           FUNCTIONS + "_sources_of", "[self._peers[name] for name in sorted(givers)]", "[]"),
    Mutant("waits-without-asking", "a Broker does not ask for the function of what it was given",
           FUNCTIONS + "defer", "if not known:", "if False:"),
    Mutant("wants-not-remembered", "a Broker forgets who lacks a function that it has to ask for",
           FUNCTIONS + "on_want", "peer.wants.add(digest)", "pass"),
    Mutant("wants-not-said-again", "in a new session a Broker does not ask again for functions",
           FUNCTIONS + "on_new_session", "self._outbox.send(peer, messages.Want(digest), now)", "pass"),
    Mutant("one-giver-asked", "a Broker asks for a function only whoever gave Futures of it first",
           FUNCTIONS + "defer",
           "any(other.intake.giver == giver for other in self._ledger.parked.get(digest, ()))",
           "digest in self._ledger.parked"),
    Mutant("codec-loses-acks", "the acknowledgement in a header is lost",
           CODEC + "decode_all", "found.append(reader(parts))",
           "found.append(reader(parts))\n        found[-1] = found[-1][0], 0, found[-1][2]"),
    Mutant("codec-loses-odd", "errors arrive as values",
           CODEC + "decode_all", "found.append(reader(parts))",
           "found.append(reader(parts))\n        if hasattr(found[-1][2], 'odd'):\n            found[-1][2].odd = []"),
    Mutant("codec-loses-priority", "the priority of a Batch is lost",
           CODEC + "decode_all", "found.append(reader(parts))",
           "found.append(reader(parts))\n        if type(found[-1][2]) is messages.Batch:\n"
           "            found[-1][2].priority = 0"),
)  # fmt: skip

OF_WORKLOADS = (
    Mutant("given-back-pieces-stay", "a piece that a Worker has given back whole stays in its table",
           WORKER + "_give_back", "self.workload.settle(back.piece, back.ids)",
           "self.workload.pieces[back.piece].pending.difference_update(back.ids)"),
    Mutant("keeps-what-others-hunger-for", "a Worker gives nothing back though Workers elsewhere are idle",
           WORKLOAD + "surplus", "min(most, hunger)", "0"),
    Mutant("priority-ignored-by-workers", "a Worker starts pieces in the order of their coming",
           WORKLOAD + "enqueue", "if self.has_priorities:", "if False:"),
    Mutant("reports-again-and-again", "a Future that runs on is said to be running at each look",
           WORKLOAD + "report", "self.reported = running", "pass"),
)  # fmt: skip

OF_LOCKS = (
    Mutant("keeps-what-it-may-not-start", "a Worker whose lock is held by who waits keeps the Futures of others",
           WORKLOAD + "surplus", "if not (locked_in or stuck", "if not (stuck"),
    Mutant("never-recalls", "such a Worker does not ask for its own Futures that nobody has started",
           RECALLS + "due", "return wanted", "return []"),
    Mutant("gives-what-it-recalled", "such a Worker offers what it has just asked for",
           SIMULATED + "_service", "not (locked_in and self.resting)", "True"),
)  # fmt: skip

ALL: tuple[Mutant, ...] = (
    *OF_CHANNELS, *OF_WORKERS, *OF_LINKS, *OF_SESSIONS, *OF_LOSSES, *OF_ORPHANS, *OF_SHARING, *OF_FUNCTIONS,
    *OF_WORKLOADS, *OF_LOCKS,
)  # fmt: skip
BY_NAME = {mutant.name: mutant for mutant in ALL}
