"""When a node's process does what: the times that its threads and its simulated twin keep."""

from __future__ import annotations

HELPER_AFTER_SECONDS = 0.010
"""The helper thread drives when nobody else has for so long."""
HELPER_LOOKS_SECONDS = 0.1
"""While somebody drives for long, the helper thread looks this often whether that is still so."""
CANCEL_WAITS_SECONDS = 1.0
"""So long ``cancel`` waits for the Broker's answer at most."""
END_WAITS_SECONDS = 5.0
"""So long ``cancel(running=True)`` waits for the end at most; it takes a few tenths where nothing else fails."""
END_AGAIN_SECONDS = 0.5
"""Meanwhile it asks again so often: a Broker that was started again has forgotten the question."""
PUMP_EVERY_SECONDS = 0.010
"""Between Futures, the main thread drives as often as that."""
RECALL_SECONDS = 1.0
"""A Worker that may run only its own Futures, and has given them away, asks for them so often."""
CUT_SECONDS = 0.050
"""A slice that takes so long is cut: twice what slices are planned to take at most."""
REPORT_SECONDS = 0.100
"""A Future that runs for so long is said to be running: it can no longer be cancelled."""
LOOK_SECONDS = 0.25
"""While one runs on, the helper thread looks again after so long."""
HURRY_SECONDS = 0.0005
"""Where Futures are shorter, what has arrived is run before anything else is said: the submitter may be waiting."""
BATCH_FUTURES_AT_MOST = 1024
