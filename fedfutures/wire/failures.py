"""Exceptions to payloads and back: the same class, the same attributes, the remote traceback as cause.

By default pickle calls the class of an exception with ``args`` again, which fails for every class whose ``__init__``
takes something else. Here an exception is rebuilt without its ``__init__``: ``__new__`` with its args, then its
``__dict__``. The Worker pickles *and loads* each once before it sends it. One that does not survive that travels as a
:class:`RemoteException` that also derives from the nearest base of Python's own, so ``except ValueError`` still works.
"""

from __future__ import annotations

import builtins
import copyreg
import functools
import io
import pickle
import sys
import traceback
from typing import Any, NamedTuple

from ..errors import NoRoom, RemoteException, RemoteTraceback
from ..program.pickling import PROTOCOL, value_pickler
from .payload import Payloads
from .tracebacks import AdviceNote, CallNote, is_about, text_of, with_lines

MAX_TRACEBACK_CHARACTERS = 64 << 10
MAX_EXCEPTION_BYTES = 16 << 20
"""An exception inside of a payload, where no Broker sees its segments, travels as a RemoteException if it is larger."""
NOTES_AT_MOST = 6
"""The notes of an exception name this many calls, one inside the other."""
NOTES_IN_TEXT = sys.version_info < (3, 11)
"""Whether Python itself shows no notes."""
_MORE = "..."
_PLAIN_REDUCE = (BaseException.__reduce__, OSError.__reduce__, ImportError.__reduce__)


class Where(NamedTuple):
    """Which call has failed, for people: ``price(row=17)``, the Worker's name, and advice. And on which host."""

    call: str = ""
    worker: str = ""
    advice: tuple[str, ...] = ()
    host: str = ""
    is_of_host: bool = False  # whether another host may do better: a module or a file is missing, or room

    def note(self, item: str = "") -> str:
        """Return the line for people; `item` says which of a map it was.

        >>> Where("price(row=17)", "h2.1").note("item 17 of map")
        'in price(row=17), item 17 of map, on h2.1'
        """
        return ", ".join(filter(None, (self.call and f"in {self.call}", item, self.worker and f"on {self.worker}")))


def dump_failure(
    error: BaseException, payloads: Payloads, where: Where | None = None, *, inside: bool = False
) -> bytes:  # fmt: skip
    """Return the outcome of a Future that raised; `inside`: it becomes part of a payload."""
    text = _traceback_text(error)
    try:
        target = io.BytesIO()
        _exception_pickler()(target, PROTOCOL).dump(error)
        body = target.getvalue()
        copy = payloads.load(body)
        if type(copy).__qualname__ != type(error).__qualname__ or (
            copy.args != error.args and repr(copy) != repr(error)
        ):
            raise pickle.PicklingError("the copy is not equal")
        if inside and len(body) > MAX_EXCEPTION_BYTES:
            raise pickle.PicklingError("it is too large")
    except BaseException:
        body = None
    described, said = _describe(error), None if where is None else tuple(where)
    try:
        return payloads.dump((body, described, text, said), alone=not inside, inline=inside)
    except NoRoom:  # for what the exception holds
        return payloads.dump((None, described, text, said))


def load_failure(outcome: bytes, payloads: Payloads, item: str = "") -> BaseException:
    """Return the exception, with notes that say which call it was, and which `item` of a map.

    Its cause is a :class:`RemoteTraceback`, unless that says no more than the exception itself.
    """
    return read_failure(outcome, payloads, item)[0]


def read_failure(outcome: bytes, payloads: Payloads, item: str = "") -> tuple[BaseException, Where]:
    """Return the exception, and where it was raised."""
    body, description, text, said = payloads.load(outcome, take=True)
    where = None if said is None else Where(*said)
    text = with_lines(text)
    try:
        error = None if body is None else payloads.load(body)
    except BaseException:  # its class is unknown here, or its code fails here
        error = None
    if not isinstance(error, BaseException):
        error = _proxy(text, *description)
    says_more = NOTES_IN_TEXT or not isinstance(error, Exception) or not _says_only(text, error)
    if where is not None:
        add_note(error, where, item)
    if NOTES_IN_TEXT:
        notes = [note for note in getattr(error, "__notes__", ()) if note not in text]
        text = "\n".join([text.rstrip("\n"), *notes, ""])
    if says_more:
        error.__cause__ = RemoteTraceback(text)
    return error, where or Where()


def _says_only(text: str, error: BaseException) -> bool:
    """Whether a traceback has no line of the program, and nothing but what Python prints of the exception anyway."""
    try:
        lines = traceback.format_exception_only(type(error), error)
        return text.strip() == "".join(line for line in lines if not is_about(line)).strip()
    except Exception:  # code of the program, such as its __str__, has raised
        return False


def add_note(error: BaseException, where: Where, item: str = "") -> None:
    """Add to an exception which call has raised it, unless it takes no notes."""
    try:
        notes = [*getattr(error, "__notes__", ())]
        about = [note for note in notes if is_about(note)]  # stays the last one
        notes = [note for note in notes if not is_about(note)]
        mine = sum(type(note) is CallNote for note in notes)
        if mine >= NOTES_AT_MOST:  # of Futures in Futures in Futures: the innermost ones, and this one
            place = max(place for place, note in enumerate(notes) if type(note) is CallNote)
            del notes[place]
            if notes[-1] != _MORE:
                notes.append(_MORE)
        notes += [CallNote(where.note(item)), *map(AdviceNote, where.advice), *about]
        vars(error)["__notes__"] = notes  # Python before 3.11 has no add_note
    except Exception:
        pass


def add_lines(error: BaseException, *lines: str) -> None:
    """Add lines for people to an exception, unless it takes no notes."""
    try:
        notes = [*getattr(error, "__notes__", ())]
        about = [note for note in notes if is_about(note)]  # stays the last one
        vars(error)["__notes__"] = [*(note for note in notes if not is_about(note)), *map(AdviceNote, lines), *about]
    except Exception:
        pass


@functools.cache
def _exception_pickler() -> Any:
    class ExceptionPickler(value_pickler()):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            kind: Any = type(obj)
            if (
                isinstance(obj, BaseException) and kind.__reduce__ in _PLAIN_REDUCE
                and kind.__reduce_ex__ is object.__reduce_ex__ and kind not in copyreg.dispatch_table
            ):  # fmt: skip
                return rebuild, (kind, obj.args, getattr(obj, "__dict__", None) or None, _native(obj))
            if kind in (CallNote, AdviceNote):
                return kind, (str(obj),)
            return super().reducer_override(obj)

    return ExceptionPickler


def rebuild(
    cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any] | None, native: dict[str, Any]
) -> Any:
    """Make an exception without calling its class's own ``__init__``."""
    try:
        error = cls.__new__(cls, *args)
    except TypeError:
        error = cls.__new__(cls)
    base = _builtin_base(cls)
    try:
        base.__init__(error, *args)
    except Exception:
        pass  # another signature: the attributes below say what it had
    error.args = args
    for name, value in native.items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            pass  # read-only: ExceptionGroup's were set by __new__
    if state:
        error.__dict__.update(state)
    return error


def _builtin_base(cls: type[BaseException]) -> type[BaseException]:
    return next(base for base in cls.__mro__ if base.__module__ == "builtins")


def _native(error: BaseException) -> dict[str, Any]:
    """Attributes that a built-in exception keeps outside ``__dict__``: errno, filename, code, value, name and so on."""
    base = _builtin_base(type(error))
    names = {
        name for kind in base.__mro__ for name, slot in vars(kind).items() if type(slot).__name__ == "member_descriptor"
    }
    if isinstance(error, OSError):
        names |= {"errno", "strerror", "filename", "filename2"}
    names -= {"obj", "exceptions", "message", "__suppress_context__", "characters_written"}
    return {name: getattr(error, name) for name in sorted(names) if getattr(error, name, None) is not None}


def _describe(error: BaseException) -> tuple[list[str], str, str, str]:
    """Return what a proxy needs: base names (nearest first), type name, str and repr, all plain text."""
    bases = [f"{base.__module__}:{base.__qualname__}" for base in type(error).__mro__[:-1]]
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return bases, kind, _text(str, error), _text(repr, error)


def _text(make: Any, error: BaseException) -> str:
    try:
        return str(make(error))[:MAX_TRACEBACK_CHARACTERS]
    except BaseException as problem:
        return f"<{make.__name__} of {type(error).__name__} raised {type(problem).__name__}>"


def _proxy(traceback_text: str, bases: list[str], kind: str, text: str, representation: str) -> BaseException:
    """Return a RemoteException that is also of the nearest of its bases that is Python's own and takes plain args."""
    names = [name for module, _, name in (base.partition(":") for base in bases) if module == "builtins"]
    found = next((vars(builtins)[name] for name in names if name in vars(builtins)), Exception)
    made: Any = RemoteException
    try:
        if found not in (BaseException, Exception):
            made = type("RemoteException", (RemoteException, found), {"__module__": RemoteException.__module__})
        error = made(text or kind)
    except TypeError:  # a layout that cannot be combined, or a base with required arguments
        error = RemoteException(text or kind)
    vars(error).update(type_name=kind, text=text, representation=representation, traceback_text=traceback_text)
    return error  # type: ignore[no-any-return]


def _traceback_text(error: BaseException) -> str:
    try:
        text = text_of(error)
    except BaseException as problem:
        text = f"{_text(repr, error)} (its traceback could not be formatted: {type(problem).__name__})\n"
    if len(text) > MAX_TRACEBACK_CHARACTERS:
        half = MAX_TRACEBACK_CHARACTERS // 2 - 40
        text = f"{text[:half]}\n  ... traceback shortened ...\n{text[-half:]}"
    return text
