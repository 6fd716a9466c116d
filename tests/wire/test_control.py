"""The page of control frames: its codes, its bytes, and that it is whole."""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

import pytest

from fedfutures.wire import messages
from fedfutures.wire.checking import CHECKS
from fedfutures.wire.control import (
    CONTROL_CODES,
    AcceptBroker,
    AddHost,
    AskHostProcess,
    AskRun,
    BeginHost,
    BeginRun,
    BeginServer,
    BrokerAccepts,
    BrokerBound,
    BrokerGivenUp,
    BrokerRestarted,
    CancelFuture,
    CloseStream,
    ControlFrame,
    DialBroker,
    EndRun,
    EndServer,
    EndWorker,
    ExpectPeers,
    FederationSize,
    ForkWorker,
    Heartbeat,
    HoldOutput,
    HostAdded,
    HostComes,
    HostLeaves,
    HostProcessEnded,
    HostProcessGone,
    HostProcessSays,
    HostReady,
    HostRemoved,
    HostStarted,
    HostsThere,
    HostTable,
    KeepNote,
    KeyRevoked,
    LinkState,
    MoreWanted,
    NoMoreWorkers,
    Notice,
    NoWorkersLeft,
    OpenSession,
    OpenStream,
    Probe,
    ProbeReply,
    RelayBroker,
    RemoveHost,
    ResizeHost,
    ResizeRun,
    RevokeKey,
    RunNews,
    RunPlanned,
    RunReport,
    RunSays,
    ServerReady,
    ServerStatus,
    SlotsWanted,
    StandInWanted,
    StartHost,
    StartRefused,
    StatusWanted,
    StreamCredit,
    StreamData,
    TemplateReady,
    TryPorts,
    WatchHosts,
    WatchRun,
    WithdrawWorker,
    WorkerContinued,
    WorkerEnded,
    WorkerForked,
    WorkerOutput,
    WorkerStopped,
    WorkersWanted,
)
from fedfutures.wire.framing import pack

GOLDEN: list[tuple[ControlFrame, str]] = [
    (Probe("/d", ["numpy"]), "9301a22f6491a56e756d7079"),
    (BeginHost({"host": "h"}), "920281a4686f7374a168"),
    (DialBroker(1, "n.broker", "m", "p", "e", "K"), "970301a86e2e62726f6b6572a16da170a165a14b"),
    (RelayBroker(0, "n.broker", "K"), "940400a86e2e62726f6b6572a14b"),
    (AcceptBroker(0, "n.broker", "K"), "940500a86e2e62726f6b6572a14b"),
    (HoldOutput(True), "9206c3"),
    (Heartbeat(), "9107"),
    (EndRun(), "9108"),
    (ProbeReply("/d", "", {"numpy": "2.0"}, "l"), "9509a22f64a081a56e756d7079a3322e30a16c"),
    (
        HostReady("/r", "/s", "", 7, [3, 11, 2], [["b", "m", "p", "e", ""]], 5),
        "980aa22f72a22f73a00793030b029195a162a16da170a165a005",
    ),
    (BrokerRestarted("h.broker", "how"), "930ba8682e62726f6b6572a3686f77"),
    (BrokerGivenUp("why"), "920ca3776879"),
    (WorkerOutput("h.1", 2, b"\xff\n"), "940da3682e3102c402ff0a"),
    (
        WorkerEnded("h.1", "h", "how", True, False, 5, 6, "", 7, 7, 8, 9, True, 4, [5, 6], "o", "e", 3, 4),
        "dc00140ea3682e31a168a3686f77c3c20506a007070809c304920506a16fa1650304",
    ),
    (BrokerBound("h.broker", "K", "10.0.0.1", 1, 2, 3, ""), "980fa8682e62726f6b6572a14ba831302e302e302e31010203a0"),
    (BrokerAccepts("h.broker", "n.broker"), "9310a8682e62726f6b6572a86e2e62726f6b6572"),
    (LinkState("b", "n.broker", False, "why", True), "9611a162a86e2e62726f6b6572c2a3776879c3"),
    (ExpectPeers(["h.1", "h.2+1"], ["n"]), "931292a3682e31a5682e322b3191a16e"),
    (NoMoreWorkers("why", True), "9313a3776879c3"),
    (OpenStream(3, "n.broker", "meta"), "941403a86e2e62726f6b6572a46d657461"),
    (StreamData(3, b"x"), "931503c40178"),
    (StreamCredit(3, 300), "931603cd012c"),
    (CloseStream(3), "921703"),
    (BeginRun({"workers": None}), "921881a7776f726b657273c0"),
    (HostTable("text", True), "9319a474657874c3"),
    (Notice("caf\udce9"), "921aa6636166edb3a9"),
    (StartRefused("why", 2, {"h": "try"}), "941ba37768790281a168a3747279"),
    (NoWorkersLeft("why"), "921ca3776879"),
    (HostProcessGone(), "911d"),
    (WorkerStopped("h.1", 5, 6), "941ea3682e310506"),
    (WorkerContinued("h.1"), "921fa3682e31"),
    (TryPorts(1, "n.broker", "m", "p", "e", "K"), "972001a86e2e62726f6b6572a16da170a165a14b"),
    (HostLeaves("why"), "9221a3776879"),
    (RunPlanned({"host": "h"}, ["h"]), "932281a4686f7374a16891a168"),
    (KeepNote("n", {"a": 1}), "9323a16e81a16101"),
    (StandInWanted("h.broker"), "9224a8682e62726f6b6572"),
    (EndWorker("h.1", 3, [7], True), "9525a3682e31039107c3"),
    (ResizeHost(3, 7), "93260307"),
    (WorkersWanted("h.broker", 2, 4), "9427a8682e62726f6b65720204"),
    (RunReport("r1", 2, 1, 0, "p.py"), "9628a27231020100a4702e7079"),
    (StatusWanted(), "9129"),
    (ServerStatus({"a": 1}), "922a81a16101"),
    (StartHost({"a": "b"}, {"0": "p"}, {}, "/d", 0o22, [7]), "972b81a161a16281a130a17080a22f64129107"),
    (HostStarted(7), "922c07"),
    (HostProcessEnded(-9), "922df7"),
    (BeginServer("/p", {}), "932ea22f7080"),
    (EndServer("w"), "922fa177"),
    (WithdrawWorker(stays=True), "9230c3"),
    (FederationSize(16), "923110"),
    (TemplateReady("w"), "9232a177"),
    (ForkWorker("h.1", {}, 3, 2, 4), "9633a3682e3180030204"),
    (WorkerForked("h.1", 9, "w"), "9434a3682e3109a177"),
    (ResizeRun(7), "923507"),
    (OpenSession(2, "h", "c"), "943602a168a163"),
    (ServerReady("/r", 9), "9337a22f7209"),
    (AddHost({"host": "h4"}), "933881a4686f7374a2683480"),
    (HostAdded("h4", 2), "9439a2683402a0"),
    (RemoveHost("h4", 30), "933aa268341e"),
    (HostRemoved("h4", "why"), "933ba26834a3776879"),
    (WatchHosts(), "913c"),
    (HostsThere({"h4": {"workers": 2}}), "923d81a2683481a7776f726b65727302"),
    (HostComes("n2", "l", 4, "/p"), "963ea26e32a16c04a22f70a0"),
    (MoreWanted(5), "923f05"),
    (SlotsWanted("h4", 2), "9340a2683402"),
    (RevokeKey("K"), "9241a14b"),
    (KeyRevoked("K", 3), "9342a14b03"),
    (AskRun(3, "stack", 0.5, "h.1"), "954303a5737461636bcb3fe0000000000000a3682e31"),
    (RunSays(3, "h.1", b"\x80", False), "954403a3682e31c40180c2"),
    (AskHostProcess(4, "status", ""), "944504a6737461747573a0"),
    (HostProcessSays(4, b"\x80"), "934604c40180"),
    (CancelFuture(5), "924705"),
    (WatchRun(), "9148"),
    (RunNews(0.5, 2, b"\x80"), "9449cb3fe000000000000002c40180"),
]
DIRECTIONS = (
    "Origin",
    "host server",
    "Host server",
    "keeper",
    "connector",
    "host process",
    "Broker",
    "Worker",
    "launching side",
    "Either way",
)


@pytest.mark.parametrize(("frame", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_bytes(frame: ControlFrame, golden: str) -> None:
    body = bytes.fromhex(golden)
    assert pack(frame) == len(body).to_bytes(4, "big") + body


def test_bytes_are_known_of_each() -> None:
    assert [type(frame) for frame, _ in GOLDEN] == list(CONTROL_CODES.values())


def test_the_page_and_the_codes_agree() -> None:
    assert list(CONTROL_CODES.values()) == list(typing.get_args(ControlFrame))
    assert list(CONTROL_CODES) == list(range(1, len(CONTROL_CODES) + 1))


@pytest.mark.parametrize("kind", CONTROL_CODES.values(), ids=lambda kind: kind.__name__)
def test_each_says_who_speaks_to_whom_and_what_it_holds_can_be_checked(kind: type[Any]) -> None:
    text = " ".join((kind.__doc__ or "").split())
    direction, _, meaning = text.partition(":")
    assert any(word in direction for word in DIRECTIONS), direction
    assert re.search(r" to |Either way", direction)
    assert meaning
    assert {str(field.type) for field in dataclasses.fields(kind)} <= CHECKS.keys()


def test_no_name_stands_on_both_pages() -> None:
    assert not {kind.__name__ for kind in CONTROL_CODES.values()} & {k.__name__ for k in messages.CODES.values()}
