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


WORKER = "worker.machine.WorkerMachine."
CHANNEL = "federation.channel.Channel."
LINK = "federation.link.Link."
BROKER = "broker.machine.BrokerMachine."
NEIGHBOURHOOD = "broker.neighbourhood.Neighbourhood."
LOSSES = "broker.losses.Losses."
ORPHANS = "broker.orphans.Orphans."
DISPATCH = "broker.dispatch.Dispatch."
QUEUE = "broker.queue.WorkQueue."
EXCHANGE = "broker.exchange.Exchange."
FUNCTIONS = "broker.functions.Functions."
CODEC = "wire.codec."
WORKLOAD = "worker.workload.Workload."
RECALLS = "worker.workload.Recalls."
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
           WORKER + "_on_results", "not pending.issuperset(ids)", "False"),
    Mutant("results-not-sent-again", "in a new session a Worker does not send results again that may be lost",
           WORKER + "_begin_again", "self._finished, old)", "self._finished, Channel())"),
    Mutant("worker-says-no-holding", "in a new session a Worker does not say what it holds",
           WORKER + "_begin_again", "self._send(message, now)",
           "type(message) is messages.Holding or self._send(message, now)"),
    Mutant("submitter-gives-only-once", "in a new session a submitter does not take back what it gave",
           WORKER + "_begin_again", "if self._where:", "if False:"),
    Mutant("resubmits-under-old-attempt", "what is given again in a new session counts as the first attempt",
           WORKER + "_offer", "max(1, self._sessions)", "1"),
    Mutant("function-not-sent-again", "in a new session a submitter takes functions for known",
           WORKER + "_begin_again", "self._sent.clear()", "pass"),
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
           WORKER + "_announce", "idle and not self._said_idle and bool(self.held)", "False"),
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
           NEIGHBOURHOOD + "welcomed", "link is None or not link.expects(welcome.greeter)", "link is None"),
    Mutant("each-hello-a-session", "a Hello that names another session begins one, even if the node is the same",
           BROKER + "_on_hello", "peer.boot != hello.boot:",
           "(peer.boot != hello.boot or peer.session != hello.session):"),
    Mutant("each-hello-of-a-neighbour-a-session", "the same between Brokers",
           NEIGHBOURHOOD + "greeted", "peer.boot == hello.boot:",
           "peer.boot == hello.boot and peer.session == hello.session:"),
    Mutant("no-strangers", "a Broker does not answer those that it does not know",
           BROKER + "_arrived", "self.outbox.send_unnumbered(event.peer, messages.Stranger())", "pass"),
    Mutant("lost-worker-returns", "a late Hello of a Worker that has ended links it again",
           BROKER + "_lost", "self._ended.append(event.peer)", "pass"),
    Mutant("waits-for-no-worker", "a Broker that was started again gives out before Workers say what they hold",
           BROKER + "_expect", "set(event.workers) - set(self._ended)", "set()"),
)  # fmt: skip

OF_SESSIONS = (
    Mutant("collected-results-lost", "results that were to be sent together are lost with the session",
           NEIGHBOURHOOD + "_begin", "self.flush(old, now)", "pass"),
    Mutant("broker-says-no-holding", "in a new session a Broker does not say what it holds",
           NEIGHBOURHOOD + "_begin", "self._outbox.send(peer, message, now)",
           "type(message) is messages.Holding or self._outbox.send(peer, message, now)"),
    Mutant("broker-sends-results-once", "in a new session a Broker does not send results again",
           NEIGHBOURHOOD + "_begin", "self._outbox.send(peer, message, now)",
           "type(message) is messages.Results or self._outbox.send(peer, message, now)"),
    Mutant("lent-forgotten", "in a new session a Broker does not give again what it had lent",
           NEIGHBOURHOOD + "_begin", "broker.losses.give_again(peer, lot, now)", "pass"),
    Mutant("pieces-count-from-one", "in a new session pieces have numbers that were used before",
           NEIGHBOURHOOD + "_begin", "peer.pieces = old.pieces", "pass"),
    Mutant("doubtful-not-cancelled", "a neighbour that is back is not asked to drop what others do meanwhile",
           NEIGHBOURHOOD + "heard", "self._outbox.send(peer, messages.Cancel(number, ids), now)", "pass"),
    Mutant("doubtful-dropped", "results of a neighbour that was silent do not count",
           LOSSES + "take_back_from_silent",
           "peer.doubtful.setdefault(key % SHARD, []).append((piece.source, set(piece.pending)))", "pass"),
    Mutant("returned-stays-doubtful", "what a neighbour that was silent had given back is still in doubt",
           BROKER + "_on_return", "self.losses.clear_doubt(peer, back.piece, back.ids)", "pass"),
    Mutant("doubtful-cancelled", "what a neighbour that was silent drops as asked is cancelled for good",
           BROKER + "_on_rare_results", ".difference(i for i, kind in results.odd if kind == CANCELLED)", ""),
    Mutant("cancelled-by-nobody", "a Future that its holder hands back is cancelled, whoever asked for that",
           BROKER + "_settle", "if results.odd:", "if False:"),
)  # fmt: skip

OF_LOSSES = (
    Mutant("silent-keeps-all", "nothing is taken back from a silent neighbour",
           NEIGHBOURHOOD + "tick", "self._broker.losses.take_back_from_silent(peer, now)", "pass"),
    Mutant("dead-worker-keeps-all", "nothing is taken back from a Worker that died",
           LOSSES + "remove", "self._broker.put_back(lot)", "pass"),
    Mutant("same-attempt-again", "what is taken back goes out under the same attempt",
           "broker.ledger.Piece.lot", "self.attempt + lost", "self.attempt"),
    Mutant("crashes-not-counted", "a Future that kills its Workers does so for ever",
           "broker.ledger.Piece.lot", "self.crashes + crashed", "self.crashes"),
    Mutant("innocents-blamed", "all that a dead Worker held counts as crashed",
           LOSSES + "taken", "lost=lost) if ids", "lost=lost, crashed=lost) if ids"),
    Mutant("one-crash-more", "a Future is poisoned at the fourth crash",
           LOSSES + "blame", "lot.crashes >= CRASH_LIMIT", "lot.crashes > CRASH_LIMIT"),
    Mutant("suspects-in-company", "a Future that has crashed a Worker travels with others",
           DISPATCH + "give_out", "if lot.crashes:", "if False:"),
    Mutant("leaver-keeps-intakes", "what a submitter gave stays when it has left",
           LOSSES + "remove", "self._drop_submissions(peer.name, now)", "pass"),
    Mutant("leaver-work-goes-on", "holders are not told that a submitter has left",
           LOSSES + "_drop_submissions",
           "self._outbox.send(self._broker.peers[holder], messages.Cancel(key % SHARD, list(piece.pending)), now)",
           "pass"),
    Mutant("hopeless-wait", "nobody is told when no Worker will come",
           BROKER + "step", "self.gave_up is not None and self.losses.is_hopeless()", "False"),
    Mutant("second-attempt-goes-on", "a late result does not cancel the attempt that took its place",
           LOSSES + "settle_late", "self._outbox.send(peer, messages.Cancel(key % SHARD, ids), now)", "pass"),
    Mutant("late-result-wins-again", "a late result is passed on though another was first",
           LOSSES + "settle_late", "results = only(results, found)", "pass"),
    Mutant("cancelled-runs-again", "what was cancelled and comes back runs once more",
           LOSSES + "taken", "[number for number in ids if number in piece.unwanted]", "[]"),
    Mutant("broker-keeps-cancel", "a Broker does not pass Cancel on to who holds the Futures",
           BROKER + "_on_cancel",
           "self.outbox.send(self.peers[holder], messages.Cancel(key % SHARD, ids), now)", "pass"),
)  # fmt: skip

OF_ORPHANS = (
    Mutant("orphans-not-claimed", "what a submitter names is given out though somebody holds it",
           BROKER + "_on_batch", "len(self.orphans)", "False"),
    Mutant("late-holding-ignored", "a Holding that comes after the Batch is not matched with it",
           ORPHANS + "enter", "lot.submitter == holding.submitter and not", "False and"),
    Mutant("orphan-cancelled-stays", "an orphan that its holder has dropped is still taken for held",
           ORPHANS + "results",
           "self.forget(peer, results.piece, [i for i, kind in results.odd if kind == CANCELLED])", "pass"),
    Mutant("orphan-outcomes-dropped", "results that come before their Futures are named are lost",
           ORPHANS + "results", "orphan.outcomes[i] = outcome, odd.get(i, VALUE)", "pass"),
    Mutant("orphan-returned-stays", "an orphan that its holder has given back is still taken for held",
           BROKER + "_on_return", "self.orphans.forget(peer, back.piece, back.ids)", "pass"),
    Mutant("orphans-of-the-silent", "orphans of a silent neighbour are waited for",
           LOSSES + "take_back_from_silent", "self._broker.orphans.peer_gone(peer)", "pass"),
    Mutant("orphans-never-expire", "what nobody names is never asked back",
           ORPHANS + "expire", "now >= orphan.until", "False"),
    Mutant("two-hold-one", "two peers that hold the same Future both are its holder",
           ORPHANS + "enter", "if (holding.submitter, i) not in self._where", ""),
)  # fmt: skip

OF_SHARING = (
    Mutant("barred-ignored", "what came back over a link goes over it again",
           BROKER + "_on_return", "lot.barred += (peer.name,)", "pass"),
    Mutant("returned-attempt-forgotten", "a Return does not say what became of the attempt",
           BROKER + "_on_return", "max(lot.attempt, back.attempt)", "lot.attempt"),
    Mutant("nothing-given-back", "an idle neighbour is not given back what it lent",
           DISPATCH + "_returnable", "not peer.idle", "True"),
    Mutant("idle-after-batch", "a neighbour that gives work is still taken for idle",
           BROKER + "_on_batch", "peer.idle = 0", "pass"),
    Mutant("asker-asked-for-itself", "a neighbour's own Demand comes back to it",
           EXCHANGE + "_ask_neighbour", "+ survey.others - peer.room", "+ survey.others"),
    Mutant("asker-idle-for-itself", "a neighbour is told of its own idle Workers",
           EXCHANGE + "_ask_neighbour", "survey.idle_beyond(peer) if", "survey.idle + survey.others_idle if"),
    Mutant("asks-for-what-is-queued", "what is queued here is not taken off the Demand",
           EXCHANGE + "_ask_neighbour", "goal - queued", "goal"),
    Mutant("demand-believed-standing", "a Broker does not take off what its Demand has brought",
           BROKER + "_on_batch", "peer.asked -= len(batch.ids)", "pass"),
    Mutant("no-hunger", "Workers do not hear that others are idle",
           EXCHANGE + "_consider_hunger", "if survey.working:", "if False:"),
    Mutant("no-spare", "neighbours do not hear that there is something to be had",
           EXCHANGE + "_publish_to", "spare, size = survey.spare_beyond(peer),", "spare, size = 0,"),
    Mutant("more-than-room", "a Worker is given one Future more than it asked for",
           "federation.schedule.portion", "min(room, by_duration", "min(room + 1, by_duration"),
    Mutant("greedy-neighbour", "a neighbour is given all that there is",
           DISPATCH + "_share_of", "min(max(count, peer.idle), peer.room,", "min("),
    Mutant("priority-ignored", "the lowest priority goes first",
           QUEUE + "head", "self._order[0]", "self._order[-1]"),
    Mutant("unfair-queue", "the Origin that came first is served first",
           QUEUE + "_by_charge", "sorted(level, key=lambda root: self._charged.get((root, to), 0.0))", "list(level)"),
)  # fmt: skip

OF_FUNCTIONS = (
    Mutant("constants-without-tiebreak", "of two new values of a constant each Broker keeps its own",
           FUNCTIONS + "on_constant", "(known.version, known.body) >= (constant.version, constant.body)",
           "known.version >= constant.version"),
    Mutant("broker-ignores-want", "a Broker does not send a function that it has on Want",
           FUNCTIONS + "on_want", "self._send(peer, function, now)", "pass"),
    Mutant("want-not-passed-on", "a Broker that lacks a function does not ask where the Futures came from",
           "broker.machine.BrokerMachine._sources_of", "[self.peers[name] for name in sorted(sources)]", "[]"),
    Mutant("waits-without-asking", "a Broker does not ask for the function of what it was given",
           FUNCTIONS + "defer", "all(other.giver[0] != lot.giver[0] for other in lots)", "False"),
    Mutant("wants-not-remembered", "a Broker forgets who lacks a function that it has to ask for",
           FUNCTIONS + "on_want", "peer.wants.add(digest)", "pass"),
    Mutant("wants-not-said-again", "in a new session a Broker does not ask again for functions",
           FUNCTIONS + "on_new_session", "self._outbox.send(peer, messages.Want(digest), now)", "pass"),
    Mutant("one-giver-asked", "a Broker asks for a function only whoever gave Futures of it first",
           FUNCTIONS + "defer", "all(other.giver[0] != lot.giver[0] for other in lots)", "not lots"),
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
