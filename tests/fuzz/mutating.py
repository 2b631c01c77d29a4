"""Mutating: texts and bytes, changed at random in ways that readers trip over; the same seed, the same changes."""

import json
import re
from random import Random

#: Each would leave a file behind if anything ran it, or a process if a shell did.
PAYLOADS = [
    "__import__('os').system('touch PWNED')",
    "eval(\"open('PWNED', 'w')\")",
    "{{ open('PWNED', 'w') }}",
    "`touch PWNED`",
    "$(touch PWNED)",
    "; touch PWNED #",
    "=cmd|'/c touch PWNED'!A1",
    "!!python/object/apply:os.system ['touch PWNED']",
    "cos\nsystem\n(S'touch PWNED'\ntR.",
    "../../../../tmp/PWNED",
    "lambda: open('PWNED', 'w')",
]
NUMBERS = [
    "0.5",
    "2",
    "3",
    "0.01",
    "100",
    "1e6",
    "0",
    "-1",
    "1e308",
    "-1e308",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "1e-320",
    "99999999999999999999",
    "0x10",
    "1_0",
    "0.1.2",
]
WORDS = [
    "normal(0, 1)", "lognormal(1, 2, prob=0.9)", "beta(mean=0.5, sd=0.1)", "uniform(0, 1e308)",
    "gamma(mean=1, sd=1e150)",
    "metalog([0.1, 0.5, 0.9], [1, 2, 9])", "mixture([normal(0, 1), 3], [1, 1])", "discrete([1, 2], [0, 0])",
    "truncated(normal(0, 1), lower=50)", 'scipy("gamma", 2)', 'scipy("system", 1)', 'by("year", [1, 2])',
    "empirical([])",
    "pooled([normal(0, 1), normal(1, 1)])", "student_t(0, 1, df=1e-9)", "pert(0, 0, 0)", "constant(true)",
    "token/day", "CNY**9999", "9**9**9", "USD", "°C", "card card", "wan*yi", "byte^16", "1/0",
    "utilization", "cards", "draw", "chain", "statistic", "scenario", "year", "__class__", "__init__", "fleet.capex",
    "true", "false", "[]", "{}", '""', "[[", "]]", "\x00", "\ufeff", "\u202e", "\U0001f4a9", "é" * 50,
    "A" * 5000, "(" * 300, "[" * 3000,
]  # fmt: skip
_PIECES = re.compile(r"\d[\d_.eE+-]*|\w+|\s+|.", re.DOTALL)

_NAMES = re.compile(r"[a-z]\w+(?=[(=])")
_LAWS = ["normal", "lognormal", "uniform", "loguniform", "gamma", "triangular", "truncated"]
#: Around a setting.
_AROUND = [
    "(X)",
    "truncated(X, lower=0.1)",
    "truncated(X, lower=0.01, upper=0.99)",
    "mixture([X, 0.5], [0.5, 0.5])",
    "mixture([X, X], weights=[1, 2])",
    "pooled([X, uniform(0.1, 0.9)])",
    'by("year", [X, X])',
]


def text(made: Random, given: str) -> str:
    """A text with one to four changes, most of them to whole words and lines."""
    for _ in range(made.choice([1, 1, 1, 2, 2, 3, 4])):
        given = made.choice([_word, _word, _word, _number, _number, _line, _line, _letter, _cut])(made, given)
    return given


def setting(made: Random, given: str) -> str:
    """A text with one small change, after which most of its kind still mean something: a number, a name, a part."""
    alone = ["within", "space"] if "\n" not in given else []
    how = made.choice(["number", "number", "number", "name", *alone])
    words = list(_NAMES.finditer(given))
    if how == "within":
        return made.choice(_AROUND).replace("X", given)
    if how == "space":
        return made.choice([f" {given} ", given.replace(", ", " ,  "), given.replace("(", "( ")])
    if how == "name" and words:
        where = made.choice(words)
        return given[: where.start()] + made.choice([word[0] for word in words] + _LAWS) + given[where.end() :]
    # Parts of a date or a name are no numbers.
    found = list(re.finditer(r"(?<![\w.-])\d+(?:\.\d+)?(?:e\d+)?(?![\w-])", given))
    if not found:
        return given
    where = made.choice(found)
    number = float(where[0]) * made.choice([0.1, 0.5, 0.9, 0.999, 1.0, 1.0000001, 1.1, 2.0, 10.0])
    written = made.choice([repr(number), f"{number:g}", f"{number:.3e}", f"+{number:g}"])
    return given[: where.start()] + written + given[where.end() :]


def nasty(made: Random) -> str:
    """Something that does not belong."""
    return made.choice(made.choice([PAYLOADS, NUMBERS, WORDS, WORDS]))


def _word(made: Random, given: str) -> str:
    pieces = _PIECES.findall(given) or [""]
    place = made.randrange(len(pieces))
    pieces[place] = made.choice([nasty(made), "", pieces[place] * 2, made.choice(pieces)])
    return "".join(pieces)


def _number(made: Random, given: str) -> str:
    found = list(re.finditer(r"(?<!\w)\d[\d_.eE+]*", given))
    if not found:
        return _word(made, given)
    where = made.choice(found)
    return given[: where.start()] + made.choice(NUMBERS) + given[where.end() :]


def _line(made: Random, given: str) -> str:
    lines = given.splitlines(keepends=True) or [""]
    place, other = made.randrange(len(lines)), made.randrange(len(lines))
    how = made.choice(["drop", "twice", "swap", "move"])
    if how == "drop":
        del lines[place]
    elif how == "twice":
        lines.insert(other, lines[place])
    elif how == "swap":
        lines[place], lines[other] = lines[other], lines[place]
    else:
        lines.insert(other, lines.pop(place))
    return "".join(lines)


def _letter(made: Random, given: str) -> str:
    place = made.randrange(len(given) + 1)
    letter = made.choice(
        ["", '"', "'", "=", ",", ".", "\\", "\n", "[", "]", "(", ")", "#", "\t", chr(made.randrange(0x250))]
    )
    return given[:place] + letter + given[place + made.randrange(2) :]


def _cut(made: Random, given: str) -> str:
    one, other = sorted(made.randrange(len(given) + 1) for _ in range(2))
    return given[:one] + given[other:] if other - one < len(given) / 2 else given[one:other]


def raw(made: Random, given: bytes) -> bytes:
    """Bytes with some of them changed, cut out, moved or zeroed; of none, some."""
    if not given:
        return made.randbytes(made.randrange(1, 9))
    out = bytearray(given)
    for _ in range(made.choice([1, 1, 2, 4, 16])):
        size = min(len(out), made.choice([1, 1, 2, 4, 8, 64, 512]))
        place = made.randrange(len(out) - size + 1)
        how = made.choice(["flip", "flip", "noise", "zero", "ones", "cut", "copy", "end"])
        if how == "flip":
            out[place] ^= 1 << made.randrange(8)
        elif how == "noise":
            out[place : place + size] = made.randbytes(size)
        elif how in ("zero", "ones"):
            out[place : place + size] = (b"\x00" if how == "zero" else b"\xff") * size
        elif how == "cut":
            del out[place : place + size]
        elif how == "copy":
            start = made.randrange(len(out) - size + 1)
            out[place : place + size] = out[start : start + size]
        elif made.random() < 0.3:
            del out[place:]
        if len(out) < 8:
            break
    return bytes(out)


def tree(made: Random, given: str) -> str:
    """JSON with a part of it replaced, removed or renamed; what is no JSON is changed as text."""
    try:
        whole = json.loads(given)
    except ValueError:
        return text(made, given)
    places = list(_places(whole))
    if not places:
        return text(made, given)
    holder, key = made.choice(places)
    how = made.choice(["value", "value", "value", "change", "remove", "rename"])
    if how == "remove":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[nasty(made)] = holder.pop(key)
    elif how == "change" and isinstance(holder[key], str):
        holder[key] = text(made, holder[key])
    else:
        strange = [None, True, -1, 0, 1, 2, 3, 2**31, 2**40, 2**70, 1.5, 1e308, float("nan"), "", nasty(made)]
        holder[key] = made.choice([*strange, [], {}, [1, 2], {"name": "bytes"}])
    return json.dumps(whole)


def _places(part: object) -> list[tuple]:
    """Every (dict or list, key) of a tree."""
    if not isinstance(part, dict | list):
        return []
    keys = list(part) if isinstance(part, dict) else range(len(part))
    return [place for key in keys for place in ((part, key), *_places(part[key]))]
