"""How a prolog is read, alike on this machine and on others: a shell script that runs before Python starts. Pure.

The shell that becomes Python reads it, so limits, the working directory and the environment stay as the prolog leaves
them. That is the shell of its first line (``#!``), else bash where there is one, else /bin/sh. ``module`` is there if
the machine has environment-modules or Lmod, though no login shell has set it up. Neither the prolog's exit status nor
``set -e`` in it ends anything: what it has failed to load is missing later, and then its output is shown.

The texts hold no single quote, exclamation mark or newline, so that any login shell may carry them.
"""

from __future__ import annotations

import shlex

MODULES = (
    "/etc/profile.d/modules.sh", "/etc/profile.d/z00_lmod.sh", "/etc/profile.d/lmod.sh", "$MODULESHOME/init/bash",
    "$LMOD_PKG/init/bash", "/usr/share/modules/init/bash", "/usr/share/Modules/init/bash",
    "/usr/share/lmod/lmod/init/bash",
)  # fmt: skip
"""Files that define ``module``, read until one has: one may be left of what is not installed any more."""

CHOOSE = (
    's=$(sed -n "1s,^#[^ #[:alnum:]] *\\(/.*sh.*\\),\\1,p" "$p");case "$s" in *csh*|*fish*|*python*|*perl*) s=;;esac;'
    'command -v "${s%% *}" >/dev/null 2>&1||s=;[ -n "$s" ]||s=$(command -v bash)||s=/bin/sh'
)
"""Sets `s` to the shell that is to read the prolog `p`."""

READ = (
    'if grep -Eq "(^|[;&[:space:]])(module|ml)[[:space:]]" "$p";then '
    f"for f in {' '.join(f'{chr(34)}{path}{chr(34)}' for path in MODULES)};do "
    'command -v module >/dev/null 2>&1&&break;if [ -r "$f" ];then . "$f" </dev/null 2>/dev/null;fi;done;fi;'
    '. "$p" </dev/null;set +eu'
)
"""Reads the prolog `p`; one that reads its standard input would eat what is for Python."""


def local_command(prolog: str, python: str) -> list[str]:
    """Return the command of an interpreter of this machine, to which arguments are added.

    >>> local_command("/etc/p.sh", "python3")[:2]
    ['/bin/sh', '-c']
    """
    rest = f'p=$1;shift;{READ};exec {shlex.quote(python)} "$@"'
    path = shlex.quote(prolog)
    lacking = 'echo "fedfutures: the prolog $p cannot be read on this machine" >&2;exit 3'
    script = f'p={path};[ -r "$p" ]||{{ {lacking};}};{CHOOSE};exec $s -c {shlex.quote(rest)} "$s" "$p" "$@"'
    return ["/bin/sh", "-c", script, "fedfutures"]
