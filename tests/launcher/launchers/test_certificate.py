"""Certificates of meetings."""

from __future__ import annotations

import os
import ssl

from fedfutures_launcher.launchers.certificate import listening_context


def test_each_is_new_and_its_key_is_in_no_file() -> None:
    before = len(os.listdir("/proc/self/fd"))
    (one, _), (other, context) = listening_context(), listening_context()
    assert one != other
    assert "PRIVATE" not in one
    assert len(os.listdir("/proc/self/fd")) == before
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_it_holds_whatever_the_clock_says() -> None:
    certificate, _ = listening_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    (found,) = context.get_ca_certs()
    assert (str(found["notBefore"])[-8:], str(found["notAfter"])[-8:]) == ("2000 GMT", "9999 GMT")
