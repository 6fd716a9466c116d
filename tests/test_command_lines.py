"""The parser takes each command line of the pages, docstrings and messages; so do batch systems, by their manuals."""

from __future__ import annotations

import contextlib
import doctest
import io
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from command_lines import batch_options, launches, pieces, shell
from command_lines.batch_options import BadOption
from command_lines.launches import VARIABLES, Launch, in_piece
from command_lines.pieces import Piece

from fedfutures.checkpoint.store import opened_store
from fedfutures.host.hosts import Hosts
from fedfutures_launcher.cli.options import EPILOG, USAGE, parse
from fedfutures_launcher.hosts.resolve import wanted
from fedfutures_launcher.verbs import (
    asking,
    discover,
    down,
    hosts,
    join,
    keys,
    listing,
    logs,
    page,
    provision,
    report,
    top,
    up,
)
from fedfutures_launcher.verbs.table import VERBS, run, verb_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.rst"), *(ROOT / "docs").rglob("*.rst"), *(ROOT / "launcher").rglob("*.rst")])
NAMES = re.compile(r"-m fedfutures(?=[\s`'\"])")
"""How a command line is told from a module, such as ``-m fedfutures.simulation``."""
OPTIONS_OF_OTHERS = {
    "--shm-size",
    "--strict",
    "--all",
    "--victim",
    "--kills",
    "--write",
    "--only",
    "--again",
    "--backend",
}
"""Options of other programs (SCOOP's --backend), and of tools in tests and benchmarks."""
STANDING = {
    "add": hosts.parser_of_add, "remove": hosts.parser_of_remove, "join": join.parser,
    "down": down.parser, "list": listing.parser_of_list, "logs": logs.parser, "status": listing.parser_of_status,
    "up": up.parser, "key": keys.parser_of_key, "allow": keys.parser_of_allow, "revoke": keys.parser_of_revoke,
    "discover": discover.parser, "provision": provision.parser, "explain": asking.parser_of_explain,
    "stack": asking.parser_of_stack, "top": top.parser, "report": report.parser, "page": page.parser,
}  # fmt: skip
"""Verbs that act on what stands, and their parsers; what they do is in tests/standing."""
FOLDERS = ("fedfutures", "launcher", "docs", "benchmarks", "tests/lab")
MODULES = [
    path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if NAMES.search(path.read_text())
]


def pieces_of(path: Path) -> list[Piece]:
    text = path.read_text(encoding="utf-8")
    return list(pieces.of_module(text) if path.suffix == ".py" else pieces.of_page(text))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files that command lines name; no batch job."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_files(words: Sequence[str]) -> None:
    """Make the programs that a command line names, and for the verb its checkpoint."""
    for word in words:
        if word.endswith(".py") and not word.startswith(("/", "-")):
            Path(word).parent.mkdir(parents=True, exist_ok=True)
            Path(word).touch()
    if words[0] == "checkpoint" and len(words) > 1 and not words[1].startswith("-"):
        store = opened_store(words[1])
        store.add([b"k" * 16], "work", [pickle.dumps(1)])
        store.add([b"v" * 16], "value", [pickle.dumps(1)])
        store.close()


def try_line(words: list[str]) -> str:
    """Give a command line to our parser, or to its verb; return what is wrong with it."""
    said = io.StringIO()
    make_files(words)
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            verb = verb_of(words)
            if verb in STANDING:
                STANDING[verb]().parse_args(words[1:])
                return ""
            if verb is not None:
                return "" if run(verb, words[1:]) == 0 else said.getvalue() or f"{verb} has failed"
            options = parse(words)
            if options.hosts.names:
                wanted(Hosts(options.hosts.names))
            return ""
        except SystemExit as ended:
            return "" if not ended.code else said.getvalue()
        except ValueError as error:  # BadLine, BadHosts
            return str(error)


def fault(launch: Launch) -> str:
    """Return what is wrong with a command line; in prose, it ends where its sentence goes on, and a verb is a name."""
    if not launch.whole and launch.words[1:] == [] and launch.words[0] in VERBS:
        return ""
    ends = [len(launch.words)] if launch.whole else range(len(launch.words), 0, -1)
    found = [try_line(launch.words[:end]) for end in ends]
    return "" if "" in found else f"{shlex.join(launch.words)}: {found[0] if found else 'no words'}"


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=named)
def test_our_parser_takes_every_command_line(path: Path, here: Path) -> None:
    faults = []
    for piece in pieces_of(path):
        try:
            found = [fault(launch) for launch in in_piece(piece)]
        except ValueError as error:
            found = [str(error)]
        faults += [f"{named(path)}:{piece.line}: {each}" for each in found if each]
    assert not faults, "\n".join(faults)


def test_none_is_overlooked() -> None:
    count = 0
    for path in PAGES:
        for piece in pieces_of(path):
            lines = len(NAMES.findall(piece.text)) - piece.text.count("-m fedfutures [options]")
            if piece.kind == "prose":
                assert not lines, f"{named(path)}:{piece.line}: put the command line into a block or a literal"
                continue
            taken = list(in_piece(piece))
            assert len(taken) >= lines, (
                f"{named(path)}:{piece.line}: {lines} command lines, of which {taken} were found"
            )
            count += len(taken)
    assert count > 40


def test_the_help_and_the_verbs_say_what_can_be_typed(here: Path) -> None:
    assert [fault(each) for each in in_piece(Piece(1, EPILOG, "prose"))] == ["", "", ""]
    usage = list(in_piece(Piece(1, USAGE, "block")))
    assert len(usage) == 4
    assert [fault(each) for each in usage] == [""] * 4


def our_options() -> set[str]:
    """Return what the parser of a run, those of the verbs, those of our tools and pytest know."""
    found = set()
    for command in (
        "fedfutures",
        *(f"fedfutures {verb}" for verb in VERBS),
        "fedfutures.simulation",
        "tests.lab",
        "pytest",
    ):
        module, *verb = command.split()
        done = subprocess.run(
            [sys.executable, "-m", module, *verb, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        found |= set(re.findall(r"(?<![\w-])--[a-z][\w-]*", done.stdout))
    return found


def test_options_that_the_pages_name_exist() -> None:
    tables = [known for each in batch_options.COMMANDS.values() for known in each]
    known = our_options() | OPTIONS_OF_OTHERS | {name for each in tables for name in each}
    unknown = [
        f"{named(path)}:{piece.line}: {name}"
        for path in PAGES if path.parent.name != "decisions" for piece in pieces_of(path) if piece.kind == "literal"
        for name in re.findall(r"(?<!\S)--[a-z][\w-]*", piece.text) if name not in known
    ]  # fmt: skip
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("module", [batch_options, launches, pieces, shell], ids=lambda module: module.__name__)
def test_the_examples_of_the_finder_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def planted(text: str, kind: str = "block") -> list[str]:
    return [fault(launch) for launch in in_piece(Piece(1, text, kind))]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("python -m fedfutures --hots a b prog.py", "--hots"),
        (
            "cd x && time FOO=1 ~/fed/bin/python -O -W error -m fedfutures \\\n    --nicee 3 prog.py > out 2>&1",
            "--nicee",
        ),
        ("for i in 1 2; do python3.11 -m fedfutures --drain x prog.py $i; done", "'x' is not a number"),
        ("sh -c 'cd /tmp; exec python -m fedfutures -Q prog.py'", "-Q"),
        ("python -m tests.lab -n 3 -- sh -c 'python -m fedfutures --ssh-confg $LAB_CONFIG prog.py'", "--ssh-confg"),
        ("sbatch -N2 --wrap='python -m fedfutures --no-such prog.py'", "--no-such"),
        ("if python -m fedfutures checkpoint results.db --itmes; then echo; fi", "--itmes"),
        ("python -m fedfutures error Deadlok", "Deadlok"),
        ("python -m fedfutures --hosts a:b:c:d//e -n 2 prog.py", "a:b:c:d//e"),
        ("python -m fedfutures -n 2", "no program"),
        ("fedfutures --wallime 3 prog.py", "--wallime"),
    ],
)
def test_a_wrong_command_line_is_noticed(text: str, word: str, here: Path) -> None:
    (said,) = planted(text)
    assert word in said
    if "error" not in text.split():
        assert planted(text.replace("python", "rubyon").replace("fedfutures -", "rubyon -")) == []


def test_a_wrong_command_line_in_prose_is_noticed(here: Path) -> None:
    good = "Run python -m fedfutures -n 2 prog.py, and see python -m fedfutures help for more."
    assert planted(good, "prose") == ["", ""]
    assert "--nn" in planted(good.replace("-n", "--nn"), "prose")[0]
    assert "is no verb" not in planted(good, "prose")


def test_an_unknown_placeholder_is_noticed() -> None:
    with pytest.raises(ValueError, match="WHATEVER stands for something"):
        planted("python -m fedfutures --path WHATEVER prog.py")


# ------------------------------------------------------------------------------------------------------- batch systems


def batch_faults(piece: Piece) -> Iterator[tuple[str, str]]:
    """Yield the lines of a piece that a batch system reads, each with what is wrong with it."""
    lines = piece.text.splitlines() if piece.kind == "block" else [piece.text]
    found: list[tuple[Callable[[Sequence[str]], None], list[str]]] = []
    for line in lines:
        words = shlex.split(line) if line.startswith(tuple(batch_options.DIRECTIVES)) else []
        if words and words[0] in batch_options.DIRECTIVES and (words[1:] or piece.kind == "block"):
            found.append((batch_options.check_directive, words))
    for words in shell.commands(piece.text, VARIABLES):
        if words[0] in batch_options.COMMANDS and (len(words) > 1 and words[1].startswith("-")):
            if piece.kind == "literal" and len(words) == 2 and "=" not in words[1]:
                words.append("1")  # it names an option without its value
            found.append((batch_options.check_command, words))
    for check, words in found:
        try:
            check(words)
            yield shlex.join(words), ""
        except BadOption as error:
            yield shlex.join(words), str(error)


def test_batch_systems_take_every_line_that_is_for_them() -> None:
    count, faults = 0, []
    for path in [*PAGES, *MODULES]:
        for piece in pieces_of(path):
            if piece.kind == "prose" or (path.suffix == ".py" and "srun" not in piece.text):
                continue
            for line, wrong in batch_faults(piece):
                count += 1
                faults += [f"{named(path)}:{piece.line}: {line}: {wrong}"] * bool(wrong)
    assert not faults, "\n".join(faults)
    assert count >= 4


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("#SBATCH --node=4", "--node=4"), ("#SBATCH --time=1h", "'1h'"), ("#SBATCH 4", "4"), ("#SBATCH", "nothing"),
        ("#SBATCH -N4 --requeue=yes", "takes no value"), ("#$ -cwd -pe mpi", "-pe"), ("#PBS --l nodes=4", "--l"),
        ("#BSUB -n 64 -W", "-W"), ("srun -N2 --ptty bash", "--ptty"), ("sbatch --arrays=1-4 job.sh", "--arrays"),
        ("qsub -zz mpi 4 job.sh", "-zz"), ("id=$(sbatch --parseable job.sh)", "--parseable"),
        ("bsub -qq normal < job.sh", "-qq"), ("salloc -N two", "'two'"), ("scancel --sig=TERM 7", "--sig"),
    ],
)  # fmt: skip
def test_a_wrong_line_for_a_batch_system_is_noticed(text: str, word: str) -> None:
    ((_, said),) = batch_faults(Piece(1, text, "block"))
    assert word in said


@pytest.mark.parametrize("command", batch_options.SLURM)
def test_slurm_itself_has_the_options_of_our_table(command: str, tmp_path: Path) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    (tmp_path / "slurm.conf").write_text("ClusterName=x\nSlurmctldHost=localhost\n")
    done = subprocess.run(
        [command, "--help"], env={"SLURM_CONF": str(tmp_path / "slurm.conf"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    text = done.stdout + done.stderr
    flags = {
        each for line in re.findall(r"^  +(-.*)$", text, re.M) for each in re.findall(r"(?<![\w-])--?[\w-]+", line)
    }
    unlisted = {"--hint", "--interactive", "--me", "--no-shell", "--open-mode", "--test-only"}  # in the manual only
    assert not set(batch_options.SLURM[command]) - flags - unlisted
