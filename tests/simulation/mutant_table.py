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
LEASE = "node.lease.WorkerLease."
LANES = "node.lanes.OwnLanes."
LEASES = "broker.leases.Leases."
CHANNEL = "federation.channel.Channel."
INTRODUCTION = "federation.session.Introduction."
LINK = "federation.link.Link."
BROKER = "broker.machine.BrokerMachine."
SESSIONS = "broker.sessions.Sessions."
LEDGER = "broker.ledger.Ledger."
SETTLEMENT = "broker.results.Settlement."
RECOVERY = "broker.recovery.Recovery."
ENDINGS = "broker.endings.Endings."
ONCE = "broker.once.OnceFutures."
ADOPTION = "broker.adoption.Adoption."
CLAIMS = "broker.claims.Claims."
ACCOUNT = "broker.ledger.Account."
GIVEN = "broker.given.GivenSegments."
TRANSFERS = "broker.transfers.Transfers."
DEFERRALS = "broker.deferrals.Deferrals."
CACHE = "broker.segment_cache.SegmentCache."
DELIVERY = "broker.delivery."
TERMS = "federation.terms.Terms."
DISPATCH = "broker.dispatch.Dispatch."
AVOIDANCE = "broker.avoidance.Avoidance."
STAND_INS = "broker.stand_ins.StandInRequests."
QUEUE = "broker.queue.WorkQueue."
LOAD = "broker.load.Load."
WANTED = "broker.wanted.WantedWorkers."
FUNCTIONS = "broker.functions.Functions."
CODEC = "wire.codec."
WORKLOAD = "node.workload.Workload."
RECALLS = "node.workload.Recalls."
SEALED = "worker.sealed.SealedFutures."
SUBMISSIONS = "worker.submissions.Submissions."
DIGESTS = "wire.digests.SegmentDigests."
OUTCOMES = "wire.seal.OutcomeSeal."
SIMULATED = "simulation.worker.SimWorker."

OF_CHANNELS = (
    Mutant("accepts-duplicates", "a Channel acts on a message that came twice",
           CHANNEL + "accept", "sequence != self.acknowledged + 1", "sequence > self.acknowledged + 1"),
    Mutant("accepts-out-of-order", "a Channel takes a later message for the next one",
           CHANNEL + "accept", "sequence != self.acknowledged + 1", "sequence <= self.acknowledged"),
    Mutant("acks-what-it-drops", "a Channel acknowledges what it did not take in",
           CHANNEL + "accept", "self.missing, self._ack_due = True, now",
           "self.acknowledged, self.missing, self._ack_due = sequence, True, now"),
    Mutant("never-repeats", "a Channel does not repeat what is not acknowledged",
           CHANNEL + "repeat", "return list(self.unacknowledged)", "return []"),
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
    Mutant("keeps-a-dead-session", "a node acts on what a Broker has said that ended with all its Workers",
           WORKER + "_on_broker_ended", "self._session = 0", "pass"),
    Mutant("waits-for-a-dead-broker", "a node does not introduce itself to the Broker that takes a dead one's place",
           WORKER + "_on_broker_ended", "self._rejoin(rules.Rejoin(), now)", "pass"),
    Mutant("resubmits-under-old-attempt", "what is given again in a new session counts as the first attempt",
           OWN_PIECES + "give_offer", "max(1, sessions)", "1"),
    Mutant("function-not-sent-again", "in a new session a submitter takes functions for known",
           OWN_PIECES + "take_back", "self._sent.clear()", "pass"),
    Mutant("submitter-ignores-want", "a submitter does not answer Want",
           WORKER + "_on_want", "(definition := self.own.definition(want.digest)) is not None", "False"),
    Mutant("worker-never-wants", "a Worker does not ask for a function that it lacks",
           WORKER + "_on_batch", "self._say([self._definitions.hold(batch)], now)",
           "self._say([one for one in [self._definitions.hold(batch)] if type(one) is rules.Run], now)"),
    Mutant("worker-takes-stale-welcome", "a node takes a Welcome that answers an earlier Hello",
           WORKER + "_on_welcome", "not self._introduction.is_answered_by(welcome)",
           "self.linked"),
    Mutant("worker-deaf-to-new-incarnation", "a Worker does not see by a State that the Broker is another",
           WORKER + "_on_state", "self.linked and state.incarnation != self._broker_incarnation", "False"),
    Mutant("leaver-goes-on-with-heartbeats", "a node that left goes on introducing itself",
           WORKER + "_on_stranger", 'self._heartbeat_at = float("inf")', "pass"),
    Mutant("bye-is-lost", "a node that was leaving says no Bye in a new session",
           WORKER + "_begin_again", "if self._leaving:", "if False:"),
    Mutant("idle-worker-keeps-silent", "a Worker that falls idle with Demand standing does not say so",
           ASKING + "news", "idle and not self._said_idle and holds", "False"),
    Mutant("old-unmet-demand", "a Worker believes the unmet demand of an older State",
           WORKER + "_on_state", "state.number > self._unmet_number", "True"),
    Mutant("worker-never-hands-back", "a Worker does not hand back what its submitter cancels",
           WORKER + "_on_cancel", "cancel.piece in self.held", "False"),
)  # fmt: skip

OF_LINKS = (
    Mutant("no-heartbeats", "nothing is sent over a link where there is nothing to say",
           LINK + "due", "self.linked and now >= self._heartbeat_at", "False"),
    Mutant("silence-unnoticed", "a neighbour may be silent for ever",
           LINK + "falls_silent", "not self.linked or", "True or"),
    Mutant("never-forgets", "a neighbour that is silent for a minute is not forgotten",
           LINK + "is_forgotten", "return self.linked", "return False"),
    Mutant("hello-once", "a Broker says Hello once",
           INTRODUCTION + "hello", "self.due_at = now +", "self.due_at = None and"),
    Mutant("broker-takes-stale-welcome", "a Broker takes a Welcome that answers an earlier Hello, or its forerunner's",
           SESSIONS + "on_welcome", "link is None or not link.introduction.is_answered_by(welcome)", "link is None"),
    Mutant("each-hello-a-session", "a Hello that names another session begins one, even if the node is the same",
           BROKER + "_on_hello",
           "peer.incarnation != hello.incarnation:",
           "(peer.incarnation != hello.incarnation or peer.session != hello.session):"),
    Mutant("each-hello-of-a-neighbour-a-session", "the same between Brokers",
           SESSIONS + "on_hello",
           "peer.incarnation == hello.incarnation:",
           "peer.incarnation == hello.incarnation and peer.session == hello.session:"),
    Mutant("no-strangers", "a Broker does not answer those that it does not know",
           SESSIONS + "on_unknown", "self._outbox.send_unnumbered(name, Stranger())", "pass"),
    Mutant("lost-worker-returns", "a late Hello of a Worker that has ended links it again",
           SESSIONS + "on_end", "self._ended.append(name)", "pass"),
    Mutant("waits-for-no-worker", "a Broker that was started again gives out before Workers say what they hold",
           SESSIONS + "living", "set(names).difference(self._ended)", "set()"),
)  # fmt: skip

OF_SESSIONS = (
    Mutant("collected-results-lost", "results that were to be sent together are lost with the session",
           BROKER + "_begin", "self.delivery.flush(old, now)", "pass"),
    Mutant("broker-says-no-holding", "in a new session a Broker does not say what it holds",
           ADOPTION + "say_what_is_held",
           "self._outbox.send(peer, message, now)",
           "type(message) is Holding or self._outbox.send(peer, message, now)"),
    Mutant("broker-sends-results-once", "in a new session a Broker does not send results again",
           ADOPTION + "say_what_is_held",
           "self._outbox.send(peer, message, now)",
           "type(message) is Results or self._outbox.send(peer, message, now)"),
    Mutant("lent-forgotten", "in a new session a Broker does not give again what it had lent",
           BROKER + "_begin",
           "self.dispatch.give_again(self.load.peers[peer.name], lot, now, self.recovery.once.wait)", "pass"),
    Mutant("pieces-count-from-one", "in a new session pieces have numbers that were used before",
           ADOPTION + "say_what_is_held",
           "account.finished[:] =", "account.last_piece = 0\n    account.finished[:] ="),
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
           BROKER + "_on_silence", "self.recovery.on_silence(peer.name, len(self.peers.workers), now)", "pass"),
    Mutant("dead-worker-keeps-all", "nothing is taken back from a Worker that died",
           BROKER + "_remove", "self.recovery.take_back_all(name, len(self.peers.workers), now, how=how)", "pass"),
    Mutant("same-attempt-again", "what is taken back goes out under the same attempt",
           TERMS + "after_loss", "self.attempt + 1", "self.attempt"),
    Mutant("crashes-not-counted", "a Future that kills its Workers does so for ever",
           TERMS + "after_crash", "self.crashes + 1", "self.crashes"),
    Mutant("innocents-blamed", "all that a dead Worker held counts as crashed",
           LEDGER + "take_back_all", "piece.terms.after_loss()", "piece.terms.after_crash()"),
    Mutant("parents-blamed", "a crash counts against the Future inside of which another one crashed",
           RECOVERY + "blame", "lost.nested and not", "False and not"),
    Mutant("parents-not-apart", "one that crashes inside of its parent does so again, and takes it along each time",
           TERMS + "after_crash_of_another", "self.conditions.plus(flag)", "self.conditions"),
    Mutant("waiting-not-apart", "one that waits where what it has submitted crashes waits there again",
           RECOVERY + "blame", "if account.intakes:", "if False:"),
    Mutant("one-crash-more", "a Future is poisoned at the fourth crash",
           RECOVERY + "blame", "terms.crashes >= CRASH_LIMIT", "terms.crashes > CRASH_LIMIT"),
    Mutant("suspects-in-company", "a Future that has crashed a Worker travels with others",
           DISPATCH + "_portion", "if count and lot.terms.crashes:", "if False:"),
    Mutant("leaver-keeps-intakes", "what a submitter gave stays when it has left",
           BROKER + "_remove", "self.recovery.drop_submissions(name, now)", "pass"),
    Mutant("leaver-work-goes-on", "holders are not told that a submitter has left",
           RECOVERY + "drop_submissions",
           "self._recall(self._ledger.close(name), now, running=", "self._ledger.close(name), ("),
    Mutant("hopeless-wait", "nobody is told when no Worker will come",
           BROKER + "step", "recovery.gave_up is not None and load.is_deserted()", "False"),
    Mutant("second-attempt-goes-on", "a late result does not cancel the attempt that took its place",
           RECOVERY + "_settle_late", "self._recall(recalls, now)", "pass"),
    Mutant("late-result-wins-again", "a late result is passed on though another was first",
           RECOVERY + "_settle_late", "results = only(results, found)", "pass"),
    Mutant("cancelled-runs-again", "what was cancelled and comes back runs once more",
           LEDGER + "take_back", "[i for i, _ in taken if i in piece.unwanted]", "[]"),
    Mutant("broker-keeps-cancel", "a Broker does not pass Cancel on to who holds the Futures",
           RECOVERY + "cancel", "self._recall(recalls, now, running=cancel.running)", "pass"),
)  # fmt: skip

OF_LEASES = (
    Mutant("lent-workers-have-room", "a Broker gives a Worker that it has lent Futures of others",
           "broker.load.PeerLoad.room_now", "or self.is_lent ", ""),
    Mutant("lent-for-good", "a Broker never wants a Worker back that it has lent",
           LEASES + "look", "self._outbox.send(self._peers[worker], TakeBack(lease.number), now)", "pass"),
    Mutant("end-of-lease-unsaid", "a Worker does not say to its Broker that its lease has ended",
           LEASE + "end", "said.append(LeaseEnded(self.number, self._count))", "pass"),
    Mutant("lost-with-its-lane", "a Future that was on a lane is forgotten when its Worker dies",
           LANES + "_settle", "return [rules.Reclaim([future])]", "return []"),
    Mutant("taken-runs-again", "what a Worker has taken when its lease ends goes to the Broker, too",
           LANES + "_on_last", "if lane.piece > taken", "if True"),
    Mutant("not-taken-is-waited-for", "what a Worker has not taken when its lease ends stays on the lane",
           LANES + "_on_last", "if lane.piece > taken", "if False"),
    Mutant("crashes-over-lanes-uncounted", "a Worker that crashes under a Future on a lane does not count",
           LEASES + "_ending", "crashes=1, flags=ALONE_FLAG", "crashes=0, flags=ALONE_FLAG"),
    Mutant("killed-over-lanes-blamed", "a Future on a lane is blamed for whatever ends its Worker",
           LEASES + "_ending", "if how.blame else LeaseEnded(number)", "if True else LeaseEnded(number)"),
    Mutant("taken-after-the-lease", "a Worker takes Futures from its lane after it has said that it takes none",
           LEASE + "arrived", "not self.is_open or", "False or"),
    Mutant("leaver-keeps-its-lane", "a Worker that leaves gives nothing back of what came over its lane",
           LEASE + "leave", "said += self.give_back(number, ids)", "pass"),
    Mutant("lent-while-it-waits", "a Worker stays lent while its Future waits for others",
           LEASE + "take_load", "if waits or load.own or", "if"),
    Mutant("lease-outlives-its-broker", "a Worker stays lent though the Broker that has lent it is gone",
           WORKER + "_begin_again", "self._say(self.lease.end(), now)", "pass"),
    Mutant("ends-of-workers-unsaid", "nobody says to a submitter how a Worker has ended that it was lent",
           LEASES + "_tell", "self._outbox.send(submitter, ended, now)", "pass"),
    Mutant("lanes-run-on", "a Future on a lane that is not to run on does",
           LEASES + "cancel", "self._outbox.act(EndForCancel(worker, cancel.piece, cancel.ids, begun=False))", "pass"),
    Mutant("lanes-of-a-dead-broker", "what is on a lane is forgotten when all of its host have ended",
           WORKER + "_on_broker_ended", "self._actions.extend(self.lanes.abandon())", "pass"),
)  # fmt: skip

OF_LIMITS = (
    Mutant("late-runs-again", "a Future that was over its time limit runs again",
           RECOVERY + "blame", "if lost.ended_for is not None and not lost.blame:", "if False:"),
    Mutant("late-takes-others-along", "what travelled with a Future that was over its time limit is lost",
           RECOVERY + "_settle_ended", "self._ledger.settle(piece, [why.number])",
           "self._ledger.settle(piece, list(piece.pending))"),
    Mutant("hungry-run-again", "a Future that used more than its Worker may runs again",
           RECOVERY + "_settle_ended", "(bound := why.bound or conditions.memory)", "(bound := conditions.memory)"),
    Mutant("memory-limit-is-lost", "a Broker forgets how much memory a Future may use",
           "federation.terms.terms_of", "batch.memory, tuple(batch.avoid)", "0, tuple(batch.avoid)"),
    Mutant("limit-is-lost", "a Broker passes a Future on without its time limit",
           DISPATCH + "give", "terms.priority, *terms.conditions.on_wire()", "terms.priority, 0"),
    Mutant("limited-go-back-unsaid", "a Worker in which a Future waits drops limited ones, and does not say so",
           WORKLOAD + "unfit", "found.append(GiveBack(piece.number, ids))", "pass"),
    Mutant("waiting-workers-get-limited", "a Broker gives limited ones to whoever has room",
           DISPATCH + "give_alone", "if taker.starts in (ANY, ALONE)", "if True"),
    Mutant("no-stand-ins", "nobody asks for stand-ins",
           DISPATCH + "give_alone", "self._outbox.act(AskStandIn())", "pass"),
    Mutant("stand-ins-without-end", "a Broker asks for stand-ins though it has some that are free",
           STAND_INS + "wanted", "min(waiting - free, futures)", "futures"),
    Mutant("stand-ins-run-all", "a Broker gives a stand-in what may share a Worker",
           DISPATCH + "give_out", "if load.starts < ALONE", "if True"),
    Mutant("avoided-hosts-run-it", "a Broker gives its own Workers what is to avoid its host",
           DISPATCH + "_give_elsewhere", "if avoidance.is_better_elsewhere(lot):", "if False:"),
    Mutant("avoided-is-forgotten", "a Broker forgets which hosts a Future avoids",
           "federation.terms.terms_of", "tuple(batch.avoid)", "()"),
    Mutant("waits-for-other-hosts", "what avoids a host waits for others when there are none any more",
           DISPATCH + "_give_elsewhere", "self.place(lot, now)", "pass"),
    Mutant("goes-back-to-avoided", "what avoids a host is given back to it as soon as Workers are idle there",
           AVOIDANCE + "may_go", "host_of(neighbour) not in avoid", "True"),
    Mutant("demand-hides-waits", "a Worker does not say that a Future waits in it",
           ASKING + "news", "and load.starts == self._starts", ""),
)  # fmt: skip

OF_FACTS = (
    Mutant("facts-of-the-first", "where results are joined, the facts of the first pass on",
           DELIVERY + "joined", "facts.joined((one.facts, len(one.ids)) for one in parts)", "first.facts"),
    Mutant("attempts-are-losses", "a Worker counts an attempt too many",
           WORKLOAD + "results", "piece.terms.crashes + 1", "piece.terms.crashes + 2"),
)  # fmt: skip

OF_CANCELS = (
    Mutant("cancelled-run-on", "a Broker takes the cancel of what runs for that of what waits",
           RECOVERY + "cancel", "running=cancel.running", "running=False"),
    Mutant("neighbours-let-run-on", "a Broker does not tell others that what runs is to end",
           RECOVERY + "_recall", "Cancel(piece.number, ids, running)", "Cancel(piece.number, ids)"),
    Mutant("begun-unheard", "a Broker does not hear of cancelled Futures that wait in the middle",
           ENDINGS + "on_running", "begun=True", "begun=False"),
    Mutant("bereft-run-on", "what a cancelled Future has submitted runs on elsewhere",
           RECOVERY + "drop_submissions", "running=self.endings.forget(name)",
           "running=self.endings.forget(name) and False"),
)  # fmt: skip

OF_ONCE = (
    Mutant("once-lost-runs-again", "what may start once only runs again when its Worker has ended",
           ONCE + "give_up", "in self.pieces(name)", "in ()"),
    Mutant("once-begun-unknown", "nobody heeds which of these a Worker had begun",
           ONCE + "give_up", "(piece.number, i) == how.begun", "False"),
    Mutant("once-from-the-silent", "what a silent neighbour may have begun is taken back from it",
           RECOVERY + "on_silence", "keeps_once=True", "keeps_once=False"),
    Mutant("once-named-as-new", "a submitter gives what may have begun to a new Broker as if it were new",
           OWN_PIECES + "give_offer", "(i in self.again) is (attempt > 1)", "attempt == 1"),
    Mutant("once-two-at-a-time", "a Worker is given several of these",
           DISPATCH + "_portion", "elif count and lot.terms.is_once:", "elif False:"),
)  # fmt: skip

OF_ORPHANS = (
    Mutant("orphans-not-claimed", "what a submitter names is given out though somebody holds it",
           BROKER + "_on_batch", "if self.adoption.orphans:", "if False:"),
    Mutant("late-holding-ignored", "a Holding that comes after the Batch is not matched with it",
           ADOPTION + "_match", "lot.terms.submitter == submitter and not", "False and"),
    Mutant("orphan-cancelled-stays", "an orphan that its holder has dropped is still taken for held",
           ADOPTION + "on_results",
           "self.forget(name, results.piece, [i for i, kind in results.odd if kind == CANCELLED])",
           "pass"),
    Mutant("orphan-outcomes-dropped", "results that come before their Futures are named are lost",
           ADOPTION + "on_results", "orphan.outcomes[i] = outcome, odd.get(i, VALUE), known", "pass"),
    Mutant("orphan-returned-stays", "an orphan that its holder has given back is still taken for held",
           SETTLEMENT + "_forget", "self._adoption.forget(name, number, ids)", "pass"),
    Mutant("orphans-of-the-silent", "orphans of a silent neighbour are waited for",
           BROKER + "_on_silence", "self.adoption.on_peer_lost(peer.name)", "pass"),
    Mutant("orphans-never-expire", "what nobody names is never asked back",
           ADOPTION + "expire", "now >= orphan.until", "False"),
    Mutant("two-hold-one", "two peers that hold the same Future both are its holder",
           ADOPTION + "_is_free", "home is None", "True"),
)  # fmt: skip

OF_SEALS = (
    Mutant("outcomes-unchecked", "an outcome is opened whatever its seal",
           SEALED + "opened", "stamp.open(task, kind, outcome)", "outcome[:-16]"),
    Mutant("exceptions-unchecked", "only values need a seal",
           SEALED + "opened", "kind in OF_WORKERS", "kind == VALUE"),
    Mutant("outcomes-of-any-task", "one Future can be given the outcome of another",
           OUTCOMES + "_digest", "task.ljust(SEAL_BYTES)", "bytes(SEAL_BYTES)"),
    Mutant("outcomes-of-any-kind", "a value can be passed off as an exception",
           OUTCOMES + "_digest", "(kind, ", "(0, "),
    Mutant("outcomes-altered", "the seal is not over the outcome itself",
           OUTCOMES + "_digest", "begun.update(outcome)", "pass"),
    Mutant("broken-outcome-waits", "a Future whose outcome has a wrong seal never resolves",
           SUBMISSIONS + "opened", "self._settle(future, broken_seal(call, number))", "pass"),
    Mutant("segments-unchecked", "the bytes of a large value from another host are used whatever they are",
           DIGESTS + "checking", "not status.st_mode & OF_HERE", "False"),
    Mutant("segments-without-digest", "a segment that has no digest needs none",
           DIGESTS + "checking", "status) != digest", "status) != digest and digest"),
    Mutant("digests-by-name-alone", "another file under the name of a segment is not looked at",
           DIGESTS + "_digest", "status.st_ino, status.st_mtime_ns, status.st_ctime_ns", "0, 0, 0"),
    Mutant("seals-kept-for-ever", "a node keeps the seals of tasks that have outcomes",
           SEALED + "opened", "self._seals.pop(number, None)", "self._seals.get(number)"),
)  # fmt: skip

OF_CLAIMS = (
    Mutant("claims-all-believed", "a peer may claim whatever it names, at any time",
           CLAIMS + "explained", "believed = [i for i in holding.ids if i in lent]", "believed = list(holding.ids)"),
    Mutant("claims-recovery-never-ends", "what peers claim is believed long after a restart",
           CLAIMS + "is_recovering", "now < self._recovery_ends", "self._recovery_ends > 0"),
    Mutant("claims-any-session", "a neighbour that begins sessions anew is believed each time",
           CLAIMS + "on_first_session", "name not in self._met", "True"),
    Mutant("claims-believed-again", "what was lent in the session before may be claimed twice",
           CLAIMS + "explained", "lent.difference_update(believed)", "pass"),
    Mutant("claims-unproven", "another host need not prove that it was given a Future",
           ADOPTION + "_proven", "compare_digest(proof, proof_of(payload))", "True"),
    Mutant("claims-without-outcome", "another host is waited for though it proves nothing",
           ADOPTION + "_proven", "in OF_WORKERS", "is not None"),
    Mutant("claims-numbers-unbounded", "a peer may use up all numbers of pieces",
           CLAIMS + "explained", "holding.piece >= LAST_NUMBER", "False"),
    Mutant("results-of-no-piece", "results of a piece that was never given are no offence",
           ACCOUNT + "require_given", "number > self.last_piece", "False"),
    Mutant("running-of-others", "a neighbour says that Futures run that it does not hold",
           ACCOUNT + "find", "(here := [i for i in ids if i in piece.pending])", "(here := ids)"),
    Mutant("segments-read-by-all", "a neighbour reads segments that it was not told of",
           TRANSFERS + "on_get", "peer.given.may_read(get.name)", "True"),
    Mutant("gone-where-not-yet", "a Broker whose host was started again says that what it lent is not to be had",
           TRANSFERS + "on_get", "if not is_here and lender and", "if False and"),
    Mutant("segments-dropped-by-all", "a neighbour removes segments of others",
           GIVEN + "drop", "if name in self._results", "if True"),
    Mutant("results-name-anything", "a result may name segments of others, which go with it",
           DEFERRALS + "_is_foreign", "self.is_here(segment)", "False"),
    Mutant("alone-is-believed", "a segment goes with one Batch though others need it",
           CACHE + "_is_alone", "self._cached[name].users <= {source}", "True"),
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
    Mutant("idle-after-return", "a neighbour that gives work back is still taken for idle",
           LOAD + "on_return", "load.idle = 0", "pass"),
    Mutant("returns-without-a-word", "who gives something back takes its idle Workers for known there",
           LOAD + "note_given_back", "max(0, load.idle - count), 0", "max(0, load.idle - count), load.told_idle"),
    Mutant("overdue-is-soon", "what waits behind Futures that take longer than expected is taken for started soon",
           LOAD + "_is_overdue", "not self._changed and", "False and"),
    Mutant("asker-asked-for-itself", "a neighbour's own Demand comes back to it",
           LOAD + "_ask_neighbour", "+ survey.others - load.room", "+ survey.others"),
    Mutant("asker-idle-for-itself", "a neighbour is told of its own idle Workers",
           LOAD + "_ask_neighbour", "survey.idle_beyond(load.idle) if", "survey.idle + survey.others_idle if"),
    Mutant("asks-for-what-is-queued", "what is queued here is not taken off the Demand",
           LOAD + "_ask_neighbour", "goal - queued", "goal"),
    Mutant("demand-believed-standing", "a Broker does not take off what its Demand has brought",
           LOAD + "on_batch", "load.asked -= len(batch.ids)", "pass"),
    Mutant("no-unmet-demand", "Workers do not hear that others are idle",
           "broker.unmet.UnmetDemand.look", "if works:", "if False:"),
    Mutant("last-worker-not-told", "a neighbour with a backlog is not told that no Worker is left",
           LOAD + "_ask_neighbour", "bool(workers) is not bool(load.told_workers)", "False"),
    Mutant("no-spare", "neighbours do not hear that there is something to be had",
           LOAD + "_publish_to", "spare, size = survey.spare_beyond(load.movable),", "spare, size = 0,"),
    Mutant("more-than-room", "a Worker is given one Future more than it asked for",
           "federation.schedule.portion", "min(room, by_duration", "min(room + 1, by_duration"),
    Mutant("long-for-who-asks-for-one", "a Worker where nothing may wait is given a long piece",
           "federation.schedule.portion", "if room > 1 and", "if room and"),
    Mutant("long-to-the-end", "Workers are given long pieces until nothing is left",
           "federation.schedule.horizon", "backlog * mean < workers * MUCH_SECONDS", "False"),
    Mutant("long-for-the-first", "the first Workers are given long pieces, and nothing is left for the others",
           "federation.schedule.horizon", "or queued * mean < workers * LONG_HORIZON_SECONDS", ""),
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
           CODEC + "decode_all", "found.append(_READERS[parts[0]](parts))",
           "found.append(_READERS[parts[0]](parts))\n        found[-1] = found[-1][0], 0, found[-1][2]"),
    Mutant("codec-loses-odd", "errors arrive as values",
           CODEC + "decode_all", "found.append(_READERS[parts[0]](parts))",
           "found.append(_READERS[parts[0]](parts))\n        if hasattr(found[-1][2], 'odd'):\n"
           "            found[-1][2].odd = []"),
    Mutant("codec-loses-priority", "the priority of a Batch is lost",
           CODEC + "decode_all", "found.append(_READERS[parts[0]](parts))",
           "found.append(_READERS[parts[0]](parts))\n        if type(found[-1][2]) is messages.Batch:\n"
           "            found[-1][2].priority = 0"),
)  # fmt: skip

OF_WORKLOADS = (
    Mutant("given-back-pieces-stay", "a piece that a Worker has given back whole stays in its table",
           WORKER + "_give_back", "self.workload.settle(back.piece, back.ids)",
           "self.workload.pieces[back.piece].pending.difference_update(back.ids)"),
    Mutant("never-says-while-much-waits", "a Worker says nothing of what has finished until little waits",
           WORKLOAD + "reports_now", "quiet >= HORIZON_SECONDS or", ""),
    Mutant("keeps-outcomes-of-once", "a Worker keeps outcomes of what starts once at most with the others",
           WORKLOAD + "reports_now", "any(piece.finished and piece.terms.is_once for piece in self.pieces.values())",
           "False"),
    Mutant("keeps-what-others-want", "a Worker gives nothing back though Workers elsewhere are idle",
           WORKLOAD + "surplus", "min(most, unmet)", "0"),
    Mutant("lacking-is-idle", "a Worker that waits for a function says that it is idle, and not that it runs then",
           WORKLOAD + "load", "bool(self.lacking) or", ""),
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

OF_STANDING = (
    Mutant("wants-none-for-the-queue", "a Broker asks for no Worker for what waits in its queue",
           WANTED + "_could_run", "waiting = self._ledger.queue.count +", "waiting ="),
    Mutant("wants-none-for-neighbours", "a Broker asks for no Worker for what neighbours can spare",
           WANTED + "_could_run", " + survey.others_spare", ""),
    Mutant("wants-for-ever", "a Broker never says that it could use fewer Workers than before",
           WANTED + "_say", "if count >= self.said:", "if (count := max(count, self.said)) >= self.said:"),
    Mutant("closed-without-workers", "a Broker that has no Worker yet asks Origins for nothing",
           LOAD + "_ask_origins", "+ survey.others, self.open_for)", "+ survey.others, 0)"),
    Mutant("asks-nothing-without-slots", "a Broker whose host has no slots asks Origins for nothing",
           LOAD + "stay_open", "0 if slots is None else max(1, slots)", "slots or 0"),
    Mutant("not-there-without-workers", "neighbours do not hear that a host could have a Worker",
           LOAD + "_look", "takers or int(self.has_slots)", "takers"),
    Mutant("hides-what-is-for-others", "neighbours do not hear of Futures that wait for other hosts",
           LOAD + "_look", " + lent_only", ""),
    Mutant("withdrawn-keeps-what-waits", "a Worker that is one too many keeps what it has not started",
           SIMULATED + "_service", "locked_in=locked_in or leaving", "locked_in=locked_in"),
    Mutant("withdrawn-asks-for-more", "a Worker that is one too many asks for more",
           SIMULATED + "_service", "NO_MORE if leaving else load", "load"),
)  # fmt: skip

OF_LIES = (
    Mutant("believes-any-load", "a Broker tells others the sum of what neighbours say that they can spare",
           LOAD + "on_state", "min(state.spare, BELIEVED_AT_MOST)", "state.spare"),
    Mutant("believes-any-backlog", "a Broker tells Workers the sum of what neighbours say that they keep",
           LOAD + "on_batch", "min(batch.backlog, BELIEVED_AT_MOST)", "batch.backlog"),
    Mutant("attempts-without-end", "a Broker counts attempts up to what no message can say",
           TERMS + "after_loss", "min(self.attempt + 1, MAX_COUNT)", "self.attempt + 1"),
)  # fmt: skip

ALL: tuple[Mutant, ...] = (
    *OF_CHANNELS, *OF_WORKERS, *OF_LINKS, *OF_SESSIONS, *OF_LOSSES, *OF_LEASES, *OF_LIMITS, *OF_ONCE, *OF_FACTS,
    *OF_CANCELS, *OF_ORPHANS, *OF_CLAIMS,
    *OF_SEALS, *OF_SHARING, *OF_FUNCTIONS, *OF_WORKLOADS, *OF_LOCKS, *OF_STANDING, *OF_LIES,
)  # fmt: skip
BY_NAME = {mutant.name: mutant for mutant in ALL}
