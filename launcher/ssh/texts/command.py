"""The command line that starts a host process on another host, whatever its login shell is.

sshd hands a command to the user's login shell: sh, bash, zsh, csh, tcsh or fish. All of them read a word in single
quotes alike, if it holds no single quote, exclamation mark or newline. So the command is ``exec /bin/sh -c '...'``. The
shell there looks for a Python, and becomes it; if there is a prolog, the shell that reads it does so
(:mod:`fedfutures_launcher.hosts.prologs`). Paths and the like are written in octal where they are not plain text.

Python gets a small program on its command line, the *bootstrap*, which says hello
(:mod:`fedfutures_launcher.remote.hello`) and becomes the host process. Its newlines are written as ``~`` and its quotes
as ``^``, so that it can stand in double quotes. It holds no secret: settings come over standard input.

Where a launcher passes no streams, the command has the path of a file by which the host comes to a meeting
(:mod:`fedfutures.host.meeting`). What cannot come writes its hello into that file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

from ...hosts.prologs import CHOOSE, READ

HEAD = "import sys;exec(sys.argv.pop(1).replace(chr(126),chr(10)).replace(chr(94),chr(34)))"

PLATFORM = """\
import os
def of_platform():
 found = dict(python=sys.version_info[:3], executable=sys.executable, implementation=sys.implementation.name)
 found.update(system=os.uname().sysname, machine=os.uname().machine, byteorder=sys.byteorder)
 try:
  found.update(libc=os.confstr("CS_GNU_LIBC_VERSION") or "")
 except Exception:
  pass
 return found
"""
"""In front of what says hello: the Python and the machine (:func:`fedfutures.host.hello_line.of_platform`)."""

BOOTSTRAP = """\
mode, attached, meeting, *more = sys.argv[1:]
sys.path[:] = more + [place for place in sys.path if place]
sys.argv[:] = ["fedfutures"]
import json, os, warnings
if sys.warnoptions:
 warnings.filters.insert(0, ("ignore", None, Exception, None, 0))
facts = dict.fromkeys(["fedfutures", "protocol", "cloudpickle", "error"])
try:
 import fedfutures
 from fedfutures.wire.messages import PROTOCOL
 import cloudpickle
 from fedfutures.host.system import processors
 if mode == "attach":
  from fedfutures.host.attach import main
 elif mode == "bridge":
  from fedfutures.standing.bridge import main
 else:
  from fedfutures.host_process import main
 facts.update(fedfutures=fedfutures.__version__, protocol=PROTOCOL, cloudpickle=cloudpickle.__version__)
 if meeting:
  from fedfutures.host.meeting import come
  come(meeting)
except Exception as error:
 facts.update(error=type(error).__name__ + ": " + str(error))
 facts.update(environment=[name for name in ("PYTHONHOME", "PYTHONPATH") if os.environ.get(name)])
 processors = os.cpu_count
facts.update(of_platform(), processors=processors())
facts.update(memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), host=os.uname().nodename)
facts.update(address=(os.environ.get("SSH_CONNECTION", "").split() + [""] * 3)[2])
facts.update(server=os.environ.pop("FEDFUTURES_SERVER", ""))
text = chr(10) + chr(30) + "fedfutures " + json.dumps(facts) + chr(10)
data = text.encode()
try:
 while data:
  data = data[os.write(1, data):]
except OSError:
 sys.exit(3)
if facts["error"]:
 if os.access(meeting, os.W_OK):
  open(meeting, "a").write(text)
 sys.exit(3)
main(*[attached] if attached else [])
"""

STAGED = b"\n\x1efedfutures files\n"
"""What stands in front of the files that a host sends."""

STAGE = """\
seconds, directory, *patterns = sys.argv[1:]
import glob, os, tarfile, time
since = time.time() - float(seconds)
if os.path.isdir(directory):
 os.chdir(directory)
names = {name for pattern in patterns for name in glob.glob(pattern, recursive=True)}
out = sys.stdout.buffer
out.write((chr(10) + chr(30) + "fedfutures files" + chr(10)).encode())
with tarfile.open(fileobj=out, mode="w|") as archive:
 for name in sorted(names):
  try:
   if os.path.isfile(name) and not os.path.islink(name) and os.stat(name).st_mtime >= since:
    archive.add(name, recursive=False)
  except OSError as error:
   print(name, error, file=sys.stderr)
"""

CLEAN = b"\n\x1efedfutures clean: "
"""What stands in front of what was removed."""

PROVISION = """\
want = sys.argv.pop(1)
sys.path[:] = [place for place in sys.path if place]
import fcntl, hashlib, io, json, os, shutil, time, zipfile
from importlib.util import find_spec
def is_here():
 core = ("cloudpickle", "greenlet", "msgpack", "zmq", "fedfutures")
 if not all(map(find_spec, core)):
  return False
 try:
  from importlib.metadata import version
  for word in want.split()[3:]:
   name, _, wanted = word.partition("==")
   if not version(name) == wanted:
    return False
  list(map(__import__, core))
  import fedfutures
  from fedfutures.wire.messages import PROTOCOL
  return want.split()[1:3] == [fedfutures.__version__, str(PROTOCOL)]
 except Exception:
  return False
def files_of(place):
 paths = []
 for folder, folders, names in os.walk(place):
  folders[:] = [name for name in folders if not name == "__pycache__"]
  paths += [os.path.relpath(os.path.join(folder, name), place) for name in names]
 return sorted(paths)
def digest_of(place):
 found = hashlib.sha256()
 for path in files_of(place):
  try:
   with open(os.path.join(place, path), "rb") as file:
    data = file.read()
  except OSError:
   return ""
  found.update((path + chr(0) + str(len(data)) + chr(0)).encode() + data)
 return found.hexdigest()
def stamp_of(place):
 found = []
 for path in files_of(place):
  facts = os.lstat(os.path.join(place, path))
  found.append((path, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
 return str(found)
def remember(place):
 temporary = place + ".seen." + str(os.getpid())
 with open(temporary, "w") as file:
  file.write(stamp_of(place))
 os.rename(temporary, place + ".seen")
def is_whole(place):
 try:
  with open(place + ".seen") as file:
   if file.read() == stamp_of(place):
    return True
 except OSError:
  pass
 if not digest_of(place) == digest:
  return False
 try:
  remember(place)
 except OSError:
  pass
 return True
def lock(path):
 file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
 until = time.monotonic() + 20
 while time.monotonic() < until:
  try:
   fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
   break
  except BlockingIOError:
   time.sleep(0.02)
  except OSError:
   break
 return file
def say(**facts):
 facts.update(of_platform())
 os.write(1, (chr(10) + chr(30) + "fedfutures " + json.dumps(facts) + chr(10)).encode())
def read(size):
 data = b""
 while len(data) < size:
  more = os.read(0, min(size - len(data), 1 << 20))
  if not more:
   sys.exit(3)
  data += more
 return data
def fetch(place):
 part = place + "." + str(os.getpid())
 if os.statvfs(os.path.dirname(place)).f_flag & os.ST_NOEXEC:
  raise OSError(os.path.dirname(place) + " is on a file system from which no compiled module can be loaded (noexec)")
 shutil.rmtree(place, ignore_errors=True)
 os.mkdir(part, 0o700)
 try:
  say(wants=digest)
  data = read(int.from_bytes(read(8), "big"))
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
   archive.extractall(part)
  if not digest_of(part) == digest:
   raise OSError("what arrived is not what was sent")
  os.rename(part, place)
  remember(place)
 finally:
  shutil.rmtree(part, ignore_errors=True)
if want and not is_here():
 digest = want.split()[0]
 cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser(chr(126)), ".cache")
 place = os.path.join(cache, "fedfutures", digest)
 try:
  if not is_whole(place):
   os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
   held = lock(os.path.join(os.path.dirname(place), "lock"))
   if not is_whole(place):
    fetch(place)
   os.close(held)
 except (OSError, zipfile.BadZipFile) as error:
  say(unprovided=str(error))
  sys.exit(3)
 if "cloudpickle" in sys.modules:
  words = sys.orig_argv[1:]
  at = words.index(want)
  os.execv(sys.executable, [sys.executable, *words[:at], "", *words[at + 1:at + 4], place, *words[at + 4:]])
 sys.argv.insert(4, place)
"""
"""Runs before the bootstrap where a host may be given what it lacks.

``want`` is the digest, version and protocol, and the packages that the user has named; or "". A copy whose files are,
by number, size and times, those whose digest was compared is not read again. Python begins again only where it has
imported something of what it is given.
"""

CHECK = (
    "import sys;sys.path=[p for p in sys.path if p];v=sys.version_info[:2];"
    "sys.exit(v<(3,10) and 99 or 90-2*(v==(3,MINOR))-bool(__import__(^importlib.util^).util.find_spec(^fedfutures^)))"
)
"""Each candidate runs this; the lower its exit code, the better: 87 is the same minor version with fedfutures."""

BEST, WORST = 87, 90

_PLAIN = re.compile(r"[A-Za-z0-9 _./+=:,@-]")


def remote_command(
    pythons: Sequence[str],
    prolog: str | None = None,
    *,
    minor: int = sys.version_info[1],
    pythonpath: Sequence[str] = (),
    flags: Sequence[str] = (),
    hash_seed: str = "",
    meeting: str = "",
    want: str = "",
) -> str:
    """Return the command line for a host process; it runs in any login shell.

    `pythons` are the interpreters to try, paths or names: the first one of the best is taken. `pythonpath` goes in
    front of sys.path there. The file `prolog` of that host is read first. `flags` are options of the interpreter
    and `hash_seed` its PYTHONHASHSEED. `want` says what the host is given if it
    lacks it (:data:`PROVISION`). `meeting` is the file that tells where to come, if streams are not passed.
    """
    arguments = ["host", "", meeting, *pythonpath]
    return _command(pythons, prolog, minor, *_wanting(want, arguments), flags, hash_seed, meeting=meeting)


def attach_command(
    pythons: Sequence[str],
    run_directory: str,
    prolog: str | None = None,
    *,
    minor: int = sys.version_info[1],
    pythonpath: Sequence[str] = (),
    meeting: str = "",
    want: str = "",
) -> str:
    """Return the command line that joins the host process with this private directory."""
    arguments = ["attach", run_directory, meeting, *pythonpath]
    return _command(pythons, prolog, minor, *_wanting(want, arguments), meeting=meeting)


def stage_command(
    pythons: Sequence[str], seconds: float, directory: str, patterns: Sequence[str], prolog: str | None = None, *,
    minor: int = sys.version_info[1],
) -> str:  # fmt: skip
    """Return the command line that sends the files in a directory, or else in the home, as a tar archive.

    Those that match one of the patterns (of ``glob``) and were written within so many seconds.
    """
    return _command(pythons, prolog, minor, [f"{seconds:.1f}", directory, *patterns], STAGE)


def clean_command() -> str:
    """Return the command line that removes what was provisioned, and says what that was."""
    script = (
        'd=$HOME/.cache;if [ -n "$XDG_CACHE_HOME" ];then d=$XDG_CACHE_HOME;fi;d=$d/fedfutures;'
        'if [ -d "$d" ];then s="removed $d";rm -rf "$d"||s="could not remove $d";else s="nothing was there";fi;'
        'printf "\\012\\036fedfutures clean: %s\\012" "$s"'
    )
    return f"exec /bin/sh -c '{script}'"


def bridge_command(pythons: Sequence[str], name: str, *, minor: int = sys.version_info[1]) -> str:
    """Return the command line that leads to the keeper of the standing Federation of this name."""
    return _command(pythons, None, minor, *_wanting("", ["bridge", name, ""]))


def default_pythons(executable: str, minor: int = sys.version_info[1]) -> list[str]:
    """Return the interpreters to try where the user has named none: that of the launching side comes first."""
    return [executable, f"python3.{minor}", "python3", "python"]


def _wanting(want: str, arguments: list[str]) -> tuple[list[str], str]:
    """Return arguments and the program for them; `want`: what a host is given that lacks it, "" for nothing."""
    return ([want, *arguments], PLATFORM + PROVISION + BOOTSTRAP) if want else (arguments, PLATFORM + BOOTSTRAP)


def _command(
    pythons: Sequence[str], prolog: str | None, minor: int, arguments: Sequence[str], program: str,
    flags: Sequence[str] = (), hash_seed: str = "", *, meeting: str = "",
) -> str:  # fmt: skip
    parts = [f"p=$1;{READ}"] if prolog is not None else []
    check = CHECK.replace("MINOR", str(minor)).replace("^", '\\"')
    candidates = " ".join(map(_word, pythons))
    parts.append(
        f'b=;s={WORST + 1};for c in {candidates};do command -v "$c" >/dev/null 2>&1||continue;'
        f'"$c" -c "{check}" </dev/null >/dev/null 2>&1;r=$?;'
        f"if [ $r -ge {BEST} ]&&[ $r -lt $s ];then s=$r;b=$c;fi;[ $s = {BEST} ]&&break;done"
    )
    tried = _hello({"python": None, "tried": list(pythons)}, meeting)
    parts.append(f'if [ -z "$b" ];then {tried};exit 3;fi')
    words = " ".join(map(_word, arguments))
    if hash_seed:
        parts.append(f"PYTHONHASHSEED={_word(hash_seed)};export PYTHONHASHSEED")
    options = "".join(f"{_word(flag)} " for flag in flags)
    parts.append(f'exec "$b" {options}-c "{HEAD}" "{packed(program)}" {words}')
    script = ";".join(parts)
    assert not set("'!\n") & set(script), script
    if prolog is None:
        return f"exec /bin/sh -c '{script}'"
    lacking = _hello({"python": None, "tried": [], "prolog": prolog}, meeting)
    first = f'p={_word(_with_folder(prolog))};if [ -r "$p" ];then {CHOOSE};else {lacking};exit 3;fi'
    first += ';exec $s -c "$1" "$s" "$p"'
    assert not set("'!\n") & set(first), first
    return f"exec /bin/sh -c '{first}' sh '{script}'"


def packed(program: str) -> str:
    """Return a Python program as one line that may stand in double quotes; :data:`HEAD` runs it."""
    assert not set("~^'!\\$`") & set(program), "the program holds a character that has another meaning on the way"
    return program.strip().replace("\n", "~").replace('"', "^")


def _with_folder(path: str) -> str:
    return path if "/" in path else f"./{path}"  # /bin/sh would look for a bare name on the PATH


def _word(text: str) -> str:
    """Return a word of /bin/sh, with ~/ at its beginning expanded there."""
    if text.startswith("~/"):
        return f'"$HOME"{_word(text[1:])}'
    if all(map(_PLAIN.match, text)):
        return f'"{text}"'
    escaped = _escaped(text)
    if escaped.startswith("-"):  # which would be an option of printf
        escaped = f"\\055{escaped[1:]}"
    return f'"$(printf "{escaped}")"'


def _hello(facts: dict[str, object], meeting: str) -> str:
    said = 'printf "{}"'.format(_escaped("\n\x1efedfutures " + json.dumps(facts) + "\n"))
    return f"{said};if [ -w {_word(meeting)} ];then {said} >>{_word(meeting)};fi" if meeting else said


def _escaped(text: str) -> str:
    """Return a format for printf that stands in double quotes."""
    return "".join(
        character
        if _PLAIN.match(character)
        else "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in text
    )
