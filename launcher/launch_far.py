"""Launching on the hosts that the command line, a host file or a batch scheduler names."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import NoReturn

from fedfutures.errors import StartFailed
from fedfutures.host.hosts import Hosts
from fedfutures.host.system import processors

from . import program as programs
from .command_line import Options, plan_text
from .far_plan import far_plan
from .federate import at_home, refuse_root, request_for, start, wanted
from .hosts import BadHosts
from .launch import check, launch_here, plan_head, run, settings_for


def launch_far(options: Options, program: programs.Program) -> NoReturn:
    """Run the program with Workers on other hosts, too, unless this machine turns out to be the only one."""
    same = {item.name: getattr(options, item.name) for item in fields(Hosts) if hasattr(options, item.name)}
    hosts = Hosts(names=options.hosts, file=options.hostfile, **same)
    try:
        specs = wanted(hosts)
    except BadHosts as error:
        programs.fail(str(error))
    alone = len(specs) == 1
    check(options, alone=alone)
    settings = settings_for(options, program, options.workers or specs[0].count or processors())
    settings, command = at_home(hosts, specs[0], settings)
    if alone:
        launch_here(options, program, settings, command)
    request = request_for(hosts, specs, settings, options.workers, options.brokers)
    if options.dry_run:
        print(plan_text([*plan_head(options, settings), *far_plan(request, command)]))
        raise SystemExit(0)
    try:
        refuse_root(hosts, specs)
    except StartFailed as error:
        programs.fail(error.summary, error.exit_code)
    if options.external_hostname and options.verbosity:
        print("fedfutures: --external-hostname is not needed: links are dialled from here", file=sys.stderr)
    run(options, program, request.settings, lambda: start(request, command))
