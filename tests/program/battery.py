"""Programs whose Futures read what the program has set: each changes something twice and back.

Then the calls of a case are run one at a time, each between two changes, for a call that sees only some of the
variables must not spoil what another one sees.

A case is a piece of a program: definitions for its top level, what changes it to a number, and what is submitted. All
cases stand in one program, which prints a line for each value; the reference forks a process for each call, so that it
sees the program as it stands and leaves nothing behind.
"""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from pathlib import Path

VALUES = (5, 6, 5)


@dataclass(frozen=True)
class Case:
    """`define` stands at the top level, `change` sets `n`, `call` is an expression that uses ``run`` or ``each``."""

    name: str
    define: str
    change: str
    call: str
    cached: bool = False  # keeps values in the process, so calls in one process differ from calls in fresh ones


CASES = [
    Case(
        "an object in an object",
        """
        class Db: port = 0
        class Conf:
            def __init__(self): self.db = Db()
        CONF1 = Conf()
        def read1(): return CONF1.db.port
        """,
        "CONF1.db.port = n",
        "run(read1)",
    ),
    Case(
        "a class attribute by way of a classmethod, a staticmethod and a property",
        """
        class Limits2:
            top = 0
            @classmethod
            def of_class(cls): return cls.top
            @staticmethod
            def static(): return Limits2.top + 1
            @property
            def prop(self): return self.top + 2
        def read2(): return Limits2.of_class(), Limits2.static(), Limits2().prop
        """,
        "Limits2.top = n",
        "run(read2), run(Limits2.of_class), run(Limits2.static)",
    ),
    Case(
        "a callable object",
        """
        SCALE3 = 0
        class Scaler:
            def __call__(self, x): return x * SCALE3
        SCALER3 = Scaler()
        def use3(x): return SCALER3(x)
        """,
        "global SCALE3; SCALE3 = n",
        "run(SCALER3, 2), run(use3, 3), each(SCALER3, [1, 2])",
    ),
    Case(
        "caches",
        """
        RATE4 = 0
        @functools.lru_cache(maxsize=8)
        def rate4(): return RATE4
        @functools.cache
        def twice4(x): return rate4() + x
        class Cached4:
            @functools.cached_property
            def rate(self): return RATE4
        def all4(): return rate4(), twice4(1), Cached4().rate
        """,
        "global RATE4; RATE4 = n",
        "run(rate4), run(twice4, 1), run(all4), each(twice4, [1, 1])",
        cached=True,
    ),
    Case(
        "single dispatch",
        """
        BASE5 = 0
        @functools.singledispatch
        def show5(x): return BASE5
        @show5.register
        def show5_int(x: int): return BASE5 + x
        def use5(x): return show5(x)
        """,
        "global BASE5; BASE5 = n",
        "run(show5, 'a'), run(show5, 1), run(use5, 2)",
    ),
    Case(
        "partials",
        """
        TERM6 = 0
        def add6(x, y=0): return x + y + TERM6
        PART6 = functools.partial(add6, 1)
        class Part6:
            def two(self, x): return x + TERM6
            one = functools.partialmethod(two, 1)
        def use6(): return PART6(), Part6().one()
        """,
        "global TERM6; TERM6 = n",
        "run(PART6, 2), run(functools.partial(add6, 3)), run(use6), run(Part6().one)",
    ),
    Case(
        "a decorated function",
        """
        def counting7(options):
            def wrap(f):
                @functools.wraps(f)
                def wrapped(*args): return f(*args) + options["more"]
                return wrapped
            return wrap
        OPTIONS7 = {"more": 0}
        @counting7(OPTIONS7)
        def job7(x): return x
        def use7(): return job7(1)
        """,
        "OPTIONS7['more'] = n",
        "run(job7, 1), run(use7), each(job7, [1, 2])",
    ),
    Case(
        "containers",
        """
        import collections
        DEQUE8, COUNT8 = collections.deque([0]), collections.Counter()
        DEF8, SET8 = collections.defaultdict(list), set()
        ORD8 = collections.OrderedDict(a=0)
        def read8(): return list(DEQUE8), dict(COUNT8), dict(DEF8), sorted(SET8), dict(ORD8)
        """,
        "DEQUE8.append(n); COUNT8['a'] += n; DEF8['x'].append(n); SET8.add(str(n)); ORD8['a'] = n",
        "run(read8)",
    ),
    Case(
        "large containers, bound anew",
        """
        TABLE9, NAMES9 = {}, []
        def read9(): return len(TABLE9), TABLE9.get(7), sum(NAMES9)
        """,
        "global TABLE9, NAMES9; TABLE9 = {i: i * n for i in range(60_000)}; NAMES9 = [n] * 50_000",
        "run(read9), each(lambda i: (TABLE9[i], NAMES9[i]), [1, 2])",
    ),
    Case(
        "large containers, changed in place",
        """
        import fedfutures
        BIG10, MAP10, BYTES10 = list(range(300_000)), {i: i for i in range(100_000)}, bytearray(3_000_000)
        def read10(): return BIG10[150_000], MAP10[50_000], BYTES10[2_000_000]
        """,
        "BIG10[150_000] = MAP10[50_000] = BYTES10[2_000_000] = n; "
        "[fedfutures.changed(x) for x in (BIG10, MAP10, BYTES10)]",
        "run(read10)",
    ),
    Case(
        "records",
        """
        import dataclasses, enum, typing
        @dataclasses.dataclass
        class Data11:
            n: int = 0
            more: list = dataclasses.field(default_factory=list)
        class Pair11(typing.NamedTuple):
            a: int = 0
        class Mode11(enum.Enum):
            off = 0
            on = 1
        class Slots11:
            __slots__ = ("a",)
        DATA11, PAIR11, MODE11, SLOTS11 = Data11(), Pair11(), Mode11.off, Slots11()
        SLOTS11.a = 0
        def read11(): return DATA11, PAIR11, MODE11.name, MODE11 is Mode11.on, SLOTS11.a
        """,
        "global PAIR11, MODE11; DATA11.n = SLOTS11.a = n; DATA11.more.append(n); "
        "PAIR11 = Pair11(n); MODE11 = Mode11(n % 2)",
        "run(read11)",
    ),
    Case(
        "a module beside the program",
        """
        import settings12
        from settings12 import OPTIONS
        import package12.inner
        def read12(): return settings12.FACTOR, settings12.twice(), OPTIONS["a"], OPTIONS is settings12.OPTIONS
        def inner12():
            from package12 import inner
            return inner.LEVEL, package12.inner.read()
        """,
        "settings12.FACTOR = n; OPTIONS['a'] = n; package12.inner.LEVEL = n",
        "run(read12), run(inner12), run(settings12.twice), run(package12.inner.read), run(settings12.Model().factor)",
    ),
    Case(
        "a method and a function that are replaced",
        """
        import settings12
        class Plan13:
            def cost(self): return 0
        def helper13(): return 0
        def read13(): return Plan13().cost(), helper13(), settings12.replaced()
        """,
        "global helper13; Plan13.cost = lambda self, v=n: v; helper13 = lambda v=n: v; settings12.replaced = helper13",
        "run(read13), run(Plan13().cost), run(settings12.calls_replaced)",
    ),
    Case(
        "two names of one object",
        """
        SHARED14 = {"n": 0}
        OTHER14 = SHARED14
        class Holder14:
            shared = SHARED14
        LIST14 = [SHARED14]
        def default14(s=SHARED14): return s["n"]
        def read14():
            return SHARED14["n"], OTHER14["n"], OTHER14 is SHARED14, Holder14.shared is SHARED14, LIST14[0] is OTHER14
        """,
        "OTHER14['n'] = n",
        "run(read14), run(default14)",
    ),
    Case(
        "an object with a lock",
        """
        import threading
        class Safe15:
            def __init__(self): self.lock, self.n = threading.RLock(), 0
            def get(self):
                with self.lock: return self.n
        SAFE15, EVENT15, COND15 = Safe15(), threading.Event(), threading.Condition()
        def read15():
            with COND15: return SAFE15.get(), EVENT15.is_set()
        """,
        "SAFE15.n = n; EVENT15.set() if n == 6 else EVENT15.clear()",
        "run(read15)",
    ),
    Case(
        "a registry of functions",
        """
        RATE16, HANDLERS16 = 0, {}
        def register16(f):
            HANDLERS16[f.__name__] = f
            return f
        @register16
        def first16(x): return x + RATE16
        def dispatch16(name, x): return HANDLERS16[name](x)
        """,
        "global RATE16; RATE16 = n; HANDLERS16['late'] = lambda x, n=n: x * n",
        "run(dispatch16, 'first16', 1), run(dispatch16, 'late', 2), run(HANDLERS16['late'], 3)",
    ),
    Case(
        "what arguments reach",
        """
        import operator
        UNIT17 = 0
        class Length17:
            def __init__(self, x): self.x = x
            def __str__(self): return f"{self.x * UNIT17}"
            def __len__(self): return self.x * UNIT17
            def __lt__(self, other): return (self.x * UNIT17) < (other.x * UNIT17)
            def run(self): return self.x * UNIT17
        """,
        "global UNIT17; UNIT17 = n",
        "each(str, [Length17(1), Length17(2)]), run(len, Length17(3)), run(operator.methodcaller('run'), Length17(4)), "
        "run(operator.lt, Length17(1), Length17(2)), run(Length17(6).run), run(apply17, sum17, [Length17(1)])",
    ),
    Case(
        "found by name",
        """
        import settings12, importlib
        VALUE18 = 0
        def by_globals(name): return globals()[name]
        def by_eval(text): return eval(text)
        def by_getattr(name): return getattr(settings12, name)
        def by_import(name): return importlib.import_module("settings12").__dict__[name]
        """,
        "global VALUE18; VALUE18 = n; settings12.HIDDEN = n",
        "run(by_globals, 'VALUE18'), run(by_eval, 'VALUE18 + 1'), run(by_getattr, 'HIDDEN'), run(by_import, 'HIDDEN')",
    ),
    Case(
        "operators, iterators, comprehensions, generators and coroutines",
        """
        import asyncio
        STEP19 = 0
        class Steps19:
            def __iter__(self): yield from range(0, 3 * STEP19, STEP19)
            def __add__(self, other): return STEP19 + other
            def __getitem__(self, i): return i * STEP19
            def __format__(self, spec): return f"<{STEP19}>"
            def __enter__(self): return STEP19
            def __exit__(self, *_): pass
        STEPS19 = Steps19()
        async def later19(): return STEP19
        def read19():
            with STEPS19 as s:
                later = asyncio.run(later19())
                return list(STEPS19), STEPS19 + 1, STEPS19[2], f"{STEPS19}", s, [STEP19 for _ in "ab"], later
        """,
        "global STEP19; STEP19 = n",
        "run(read19)",
    ),
    Case(
        "metaclasses, descriptors and subclasses",
        """
        GRADE20, KINDS20 = 0, []
        class Meta20(type):
            @property
            def grade(cls): return GRADE20
        class Describe20:
            def __get__(self, obj, cls=None): return GRADE20 + 1
        class Top20(metaclass=Meta20):
            field = Describe20()
            def __init_subclass__(cls): KINDS20.append(cls.__name__)
            def own(self): return GRADE20 + 2
        class Sub20(Top20):
            def own(self): return super().own() + 10
        def read20(): return Sub20.grade, Sub20().field, Sub20().own(), KINDS20[:1], len(KINDS20)
        """,
        "global GRADE20; GRADE20 = n",
        "run(read20), run(Sub20().own)",
    ),
    Case(
        "names that come and go",
        """
        def read21():
            try: return LATE21
            except NameError: return "none"
        """,
        "globals().__setitem__('LATE21', n) if n == 5 else globals().pop('LATE21', None)",
        "run(read21), each(lambda _: read21(), [1])",
    ),
    Case(
        "context variables and string templates",
        """
        import contextvars, string, re
        VAR22, TEMPLATE22, PATTERN22 = contextvars.ContextVar("v", default=0), None, None
        def read22(): return VAR22.get(), TEMPLATE22.substitute(a=1), bool(PATTERN22.match("n5"))
        """,
        "global TEMPLATE22, PATTERN22; VAR22.set(n); PATTERN22 = re.compile(f'n{n}'); "
        "TEMPLATE22 = string.Template(f'$a-{n}')",
        "run(read22)",
    ),
    Case(
        "bound methods and functions as globals",
        """
        class Acc23:
            def __init__(self): self.items = []
            def total(self): return sum(self.items)
        ACC23 = Acc23()
        TOTAL23 = ACC23.total
        square23 = lambda x: x * x + len(ACC23.items)
        def read23(): return TOTAL23(), square23(2)
        """,
        "ACC23.items.append(n)",
        "run(read23), run(TOTAL23), run(ACC23.total), run(square23, 3), each(square23, [1, 2])",
    ),
    Case(
        "numpy",
        """
        try: import numpy as np
        except ImportError: np = None
        SMALL24, LARGE24 = (np.zeros(10), np.zeros(200_000)) if np else ([0], [0])
        class Model24:
            def __init__(self): self.weights = LARGE24
            def predict(self, i): return float(self.weights[i])
        MODEL24 = Model24()
        def read24(): return float(SMALL24[3 % len(SMALL24)]), float(LARGE24[0]), float(LARGE24[-1])
        """,
        "SMALL24[:] = [n] * len(SMALL24); LARGE24[:] = [n] * len(LARGE24)",
        "run(read24), run(MODEL24.predict, 0), each(MODEL24.predict, [0, -1])",
    ),
    Case(
        "items of a container that get and lose names",
        """
        class Item25:
            def __init__(self, v): self.v = v
        ITEMS25 = [Item25(0), Item25(1)]
        BEST25 = ITEMS25[0]
        def read25(): return [i.v for i in ITEMS25], BEST25.v, [i is BEST25 for i in ITEMS25]
        """,
        "global BEST25; ITEMS25[1].v = n; BEST25 = ITEMS25[n % 2]; ITEMS25.append(Item25(n))",
        "run(read25)",
    ),
    Case(
        "objects that two variables hold and that have no name",
        """
        class Net26:
            def __init__(self): self.w = [0]
        class Opt26:
            def __init__(self, net): self.net, self.params = net, [net.w]
        OPT26 = Opt26(Net26())
        NET26 = {"net": OPT26.net}
        def step26():
            OPT26.params[0][0] += 1
            found = NET26["net"].w[0], OPT26.params[0] is NET26["net"].w
            OPT26.params[0][0] -= 1  # what a Future writes may be seen by later ones
            return found
        """,
        "NET26['net'].w[0] = n * 10",
        "run(step26)",
    ),
    Case(
        "objects that contain each other",
        """
        class Part27: n = 0
        SIM27, PART27 = Part27(), Part27()
        SIM27.parts, PART27.owner = [PART27], SIM27
        class Single27:
            instance = None
            def __new__(cls):
                if cls.instance is None:
                    cls.instance = super().__new__(cls)
                return cls.instance
        ONE27 = Single27()
        ONE27.x = 0
        def read27():
            return SIM27.n, SIM27.parts[0] is PART27, PART27.owner is SIM27, ONE27.x, Single27() is ONE27
        """,
        "SIM27.n = n; ONE27.x = n",
        "run(read27)",
    ),
    Case(
        "the code of enum members",
        """
        import enum
        FACTOR28 = {"a": 0}
        class Unit28(enum.Enum):
            A = "a"
            @property
            def factor(self): return FACTOR28[self.value]
            @classmethod
            def _missing_(cls, value): return cls.A if FACTOR28["a"] else None
        def read28(): return Unit28.A.factor, Unit28("anything") is Unit28.A
        """,
        "FACTOR28['a'] = n",
        "run(read28), run(lambda u: u.factor, Unit28.A)",
    ),
    Case(
        "names that come later, found in other ways",
        """
        import settings12
        def later29():
            try: late = settings12.LATE
            except AttributeError: late = None
            return getattr(settings12, "MORE", None), late, globals().get("HIDDEN29")
        def own29():
            import settings12
            return passed29(settings12)
        def passed29(module): return getattr(module, "MORE", None), module.FACTOR
        """,
        "settings12.FACTOR = n; [(setattr(settings12, k, n), globals().update(HIDDEN29=n)) for k in ('MORE', 'LATE')] "
        "if n == 6 else [vars(settings12).pop(k, 0) for k in ('LATE', 'MORE')] + [globals().pop('HIDDEN29', 0)]",
        "run(later29), run(own29)",
    ),
    Case(
        "members of a class that come and go",
        """
        class Base30: mark = "base"
        class Kind30(Base30):
            mark = "kind"
        def read30(): return Kind30.mark, hasattr(Kind30, "more"), Kind30().mark
        """,
        "(delattr(Kind30, 'mark'), setattr(Kind30, 'more', n)) if n == 6 else "
        "(setattr(Kind30, 'mark', n), 'more' in vars(Kind30) and delattr(Kind30, 'more'))",
        "run(read30)",
    ),
    Case(
        "a class that bears another name",
        """
        def make31():
            class Local:
                level, items = 0, []
                def read(self): return self.level, self.items
            return Local
        Kind31 = make31()
        KIND31 = Kind31()
        def read31(): return Kind31.level, KIND31.read(), isinstance(KIND31, Kind31), type(KIND31) is Kind31
        """,
        "Kind31.level = n; Kind31.items.append(n)",
        "run(read31), run(KIND31.read)",
    ),
    Case(
        "caches in classes",
        """
        RATE32 = 0
        class Rates32:
            @staticmethod
            @functools.lru_cache(None)
            def static(): return RATE32
            @classmethod
            @functools.lru_cache(None)
            def of_class(cls): return RATE32 + 1
        def read32(): return Rates32.static(), Rates32.of_class()
        """,
        "global RATE32; RATE32 = n",
        "run(read32)",
        cached=True,
    ),
    Case(
        "large values of other kinds",
        """
        import collections, io
        class Big33:
            def __init__(self): self.table, self.n = {i: i for i in range(20_000)}, 0
        class Sub33(list): pass
        BIG33, DEQUE33 = Big33(), collections.deque(range(30_000))
        SUB33, BYTES33 = Sub33(range(30_000)), io.BytesIO(b"x" * 100_000)
        DEFAULT33 = collections.defaultdict(int, dict.fromkeys(range(20_000), 0))
        def read33():
            return BIG33.n, BIG33.table[7], DEQUE33[0], SUB33.mark, DEFAULT33[3], BYTES33.getvalue()[:3]
        """,
        "BIG33.n = BIG33.table[7] = DEQUE33[0] = SUB33.mark = DEFAULT33[3] = n; "
        "(BYTES33.seek(0), BYTES33.write(b'%03d' % n))",
        "run(read33)",
    ),
    Case(
        "types, and what C code asks of globals",
        """
        import time, typing
        T34 = typing.TypeVar("T34")
        Id34 = typing.NewType("Id34", int)
        class Box34(typing.Generic[T34]):
            n = 0
            def get(self) -> "T34": return Id34(self.n)
        BOX34 = Box34[int]()
        def read34(): return BOX34.get(), Box34.n, time.strptime("2020", "%Y").tm_year
        """,
        "Box34.n = n; BOX34.n = n + 1",
        "run(read34)",
    ),
    Case(
        "many objects with locks",
        """
        import threading
        class Held35:
            def __init__(self): self.lock, self.n = threading.Lock(), 0
        HELD35 = [Held35() for _ in range(20)]
        A35, B35, C35, D35, E35, F35, G35, H35 = HELD35[:8]
        def read35(): return A35.n, B35.n, C35.n, D35.n, E35.n, F35.n, G35.n, H35.n, HELD35[-1].n
        """,
        "H35.n = HELD35[-1].n = n",
        "run(read35)",
    ),
    Case(
        "attributes and code of functions",
        """
        def counted36(): return getattr(counted36, "calls", 0)
        def coded36(): return 0
        def read36(): return counted36(), coded36()
        """,
        "setattr(counted36, 'calls', n); setattr(coded36, '__code__', (lambda: 5).__code__ if n == 5 else "
        "(lambda: 6).__code__)",
        "run(read36), run(counted36), run(coded36)",
    ),
    Case(
        "a local class without a name",
        """
        def make37():
            class Local:
                level = 0
                def read(self): return self.level
            return Local
        KINDS37 = {"k": make37()}
        OBJECT37 = KINDS37["k"]()
        Named37 = make37()
        def read37(): return KINDS37["k"].level, OBJECT37.read(), isinstance(OBJECT37, KINDS37["k"]), Named37.level
        """,
        "KINDS37['k'].level = Named37.level = n",
        "run(read37), run(KINDS37['k']().read), run(Named37().read)",
    ),
]

BESIDE = {
    "settings12.py": """
        FACTOR, HIDDEN, OPTIONS = 0, 0, {"a": 0}
        def twice(): return 2 * FACTOR
        def replaced(): return 0
        def calls_replaced(): return replaced()
        class Model:
            def factor(self): return FACTOR
        """,
    "package12/__init__.py": "",
    "package12/inner.py": """
        LEVEL = 0
        def read(): return LEVEL
        """,
}

HEAD = """
import functools, os, pickle, sys

def apply17(f, items): return f(items)
def sum17(items): return sum(item.run() for item in items)
"""
TAIL = """
def forked(f, *args):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        with os.fdopen(w, "wb") as file:
            pickle.dump(f(*args), file)
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as file:
        value = pickle.load(file)
    os.waitpid(pid, 0)
    return value

def main(way):
    if way == "reference":
        play(forked, lambda f, items: [forked(f, item) for item in items])
    elif way == "launched":
        from fedfutures import futures
        play(lambda f, *args: futures.submit(f, *args).result(), lambda f, items: list(futures.map(f, items)))
    else:
        from fedfutures import Executor
        mode = {"mode": "serial"} if way == "serial" else {}
        with Executor(2, **mode) as executor:
            play(lambda f, *args: executor.submit(f, *args).result(), lambda f, items: list(executor.map(f, items)))

def play(run, each):
    for number, calls in numbers.items():
        steps = [(n, "") for n in (5, 6, 5)]
        for which in range(calls):
            steps += [(6, f"_{(which + 1) % calls}"), (5, f"_{which}")]
        for n, which in steps:
            globals()[f"change_{number}"](n)
            try:
                print(number, n, globals()[f"call_{number}{which}"](run, each), flush=True)
            except Exception as error:
                print(number, n, type(error).__name__, error, flush=True)
"""


def _calls(case: Case) -> list[str]:
    """Return the calls of a case that has several."""
    body = ast.parse(case.call, mode="eval").body
    return [ast.unparse(call) for call in body.elts] if isinstance(body, ast.Tuple) else []


def lines_of(case: Case) -> int:
    """Return how many values the program prints for a case."""
    return len(VALUES) + 2 * len(_calls(case))


def program(cases: list[Case], guard: bool = True) -> str:
    """Return the text of a program that plays cases."""
    parts = [HEAD]
    numbers: dict[int, int] = {}
    for case in cases:
        number = CASES.index(case)
        calls = _calls(case)
        numbers[number] = len(calls)
        change = case.change
        names = ""
        if change.startswith("global "):
            names, _, change = change.partition("; ")
        parts.append(f"# -- {case.name}\n{textwrap.dedent(case.define)}")
        parts.append(f"def change_{number}(n):\n    {names or 'pass'}\n    {change}\n")
        parts.append(f"def call_{number}(run, each):\n    return {case.call}\n")
        for which, call in enumerate(calls):
            parts.append(f"def call_{number}_{which}(run, each):\n    return {call}\n")
    parts.append(f"numbers = {numbers}")
    parts.append(TAIL)
    start = 'main(sys.argv[1] if len(sys.argv) > 1 else "launched")'
    parts.append(f'if __name__ == "__main__":\n    {start}\n' if guard else f"{start}\n")
    return "\n".join(parts)


def write_beside(place: Path) -> None:
    """Write the modules that stand beside the program."""
    for name, text in BESIDE.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(textwrap.dedent(text))
