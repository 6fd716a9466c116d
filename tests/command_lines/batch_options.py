"""The options of commands of batch systems that our pages write, from the manuals of these. Pure.

Each table says how many values an option takes. It lists what a page may write, not all that there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Table = Mapping[str, int]


def table(**names: str) -> Table:
    """Return a table of options; ``_0``, ``_1``, ``_2`` have the options that take so many values.

    >>> table(_0="-a --bc", _1="-d")
    {'-a': 0, '--bc': 0, '-d': 1}
    """
    return {name: int(key[1:]) for key, text in names.items() for name in text.split()}


_ALLOCATION = table(
    _0="--contiguous --exclusive --hold -H --overcommit -O --no-kill -k --quiet -Q --verbose -v --spread-job",
    _1="--account -A --constraint -C --cpus-per-task -c --dependency -d --chdir -D --exclude -x "
    "--gpus -G --gpus-per-node --gpus-per-task --gres --job-name -J --licenses -L --mem --mem-per-cpu --mem-per-gpu "
    "--nodelist -w --nodes -N --ntasks -n --ntasks-per-node --ntasks-per-core --partition -p --qos -q "
    "--reservation --signal --time -t --tmp --threads-per-core --cpus-per-gpu --hint --comment",
)
SLURM = {
    "sbatch": {
        **_ALLOCATION,
        **table(
            _0="--requeue --no-requeue --parsable --wait -W --test-only",
            _1="--array -a --output -o --error -e --input -i --export --open-mode --wrap --mail-type --mail-user",
        ),
    },
    "salloc": {**_ALLOCATION, **table(_0="--no-shell --immediate -I")},
    "srun": {
        **_ALLOCATION,
        **table(
            _0="--overlap --exact --pty --label -l --unbuffered -u --kill-on-bad-exit -K --interactive "
            "--preserve-env -E",
            _1="--output -o --error -e --input -i --export --mpi --jobid --het-group --relative -r --distribution -m",
        ),
    },
    "scancel": table(_0="--full -f --batch -b", _1="--signal -s --name -n --user -u --state -t"),
    "squeue": table(_0="--me", _1="-j --user -u --name -n"),
}
_GRID_ENGINE = table(
    _0="-cwd -V -notify -terse -verify",
    _1="-N -l -o -e -j -q -S -b -r -sync -t -tc -v -P -A -M -m -hold_jid -R -wd -p -ckpt -now -w",
    _2="-pe",
)
_PBS = table(_0="-V -I -h", _1="-N -l -o -e -j -q -A -W -v -r -J -t -m -M -S -p -a -d -P")
_LSF = table(
    _0="-x -r -I -Ip -Is -K -H",
    _1="-n -R -W -We -q -J -o -oo -e -eo -P -M -gpu -w -wt -wa -sp -app -cwd -env -L -m -G -i -u",
)
COMMANDS: dict[str, list[Table]] = {
    **{name: [each] for name, each in SLURM.items()},
    "qsub": [_GRID_ENGINE, _PBS],
    "qrsh": [table(**{"_0": "-cwd -V -verbose", "_1": "-inherit -l -q -N -now -b", "_2": "-pe"})],
    "qdel": [{}],
    "bsub": [_LSF],
    "bkill": [table(_1="-s")],
}
DIRECTIVES: dict[str, Table] = {"#SBATCH": SLURM["sbatch"], "#$": _GRID_ENGINE, "#PBS": _PBS, "#BSUB": _LSF}
KINDS = {
    "time": (r"(\d+-)?\d+(:\d\d){0,2}", "--time -t"),
    "number": (r"\d+(-\d+)?", "--nodes -N --ntasks -n --ntasks-per-node --cpus-per-task -c"),
    "memory": (r"\d+[KMGT]?", "--mem --mem-per-cpu"),
}
"""Values of Slurm that have a form."""


class BadOption(ValueError):
    """A command of a batch system does not take this."""


def positional(known: Table, words: Sequence[str]) -> list[str]:
    """Return the words behind the options of a command. Raises :class:`BadOption`.

    >>> positional(SLURM["srun"], ["-N1", "-n", "2", "--pty", "--mem=2G", "bash", "-x"])
    ['bash', '-x']
    """
    at = 0
    while at < len(words) and (words[at].startswith("-") or words[at] == ":"):
        at += 1 if words[at] == ":" else _length(known, words[at:])
    return list(words[at:])


def _length(known: Table, words: Sequence[str]) -> int:
    """Return how many words the option in front takes, itself included."""
    name, equals, value = words[0].partition("=")
    if name in known and (equals or not known[name]):
        if equals and not known[name] and name != "--exclusive":
            raise BadOption(f"{name} takes no value")
        count = 1
    elif name in known and len(words) > known[name]:
        value, count = words[1], 1 + known[name]
    elif known.get(name[:2]) == 1 and len(name) > 2 and name[1] != "-" and known not in (_GRID_ENGINE, _LSF):
        name, value, count = name[:2], words[0][2:], 1  # as in -N4
    else:
        raise BadOption(f"{words[0]}: there is no such option, or its value is missing")
    _check_value(name, value, known)
    return count


def _check_value(name: str, value: str, known: Table) -> None:
    if known not in SLURM.values() or not value:
        return
    for kind, (form, names) in KINDS.items():
        if name in names.split() and not re.fullmatch(form, value):
            raise BadOption(f"{name} {value!r} is no {kind}")


def check_command(words: Sequence[str]) -> None:
    """Check the options of a command that starts, ends or lists jobs. Raises :class:`BadOption`."""
    errors = []
    for known in COMMANDS[words[0]]:
        try:
            positional(known, words[1:])
        except BadOption as error:
            errors.append(error)
    if len(errors) == len(COMMANDS[words[0]]):
        raise errors[0]


def check_directive(words: Sequence[str]) -> None:
    """Check a line of a job script that a batch system reads. Raises :class:`BadOption`."""
    if list(words[1:]) == ["hetjob"]:
        return
    rest = positional(DIRECTIVES[words[0]], words[1:])
    if rest or len(words) == 1:
        raise BadOption(f"{' '.join(rest) or 'nothing'} stands where an option is due")
