"""Finding a table's phrases in a line of text, however it is written: accents, compounds, Chinese, typing slips."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

# A star says where a word may go on: "compra*" begins words, "*leiter" ends them, "*vertrieb*" may stand anywhere.
# An underscore is any one word: "chief _ officer".
CJK = "\u3400-\u9fff"
TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+|(?<=\s)[-–—]+(?=\s)|[&/|;,()@:•·\[\]]")
TABLE_TOKEN = re.compile(rf"[{CJK}]+|\*?[^\W_{CJK}]+\*?|[&_]")
SHORTEST_SLIP = 7  # below this a slip turns one right word into another ("leader", "lender")
SHORTEST_PART = 4  # inside a compound; Chinese words may be shorter
REMEMBERED = 200_000  # words kept, then forgotten together: a leak is worse than a second look

# Letters Unicode does not take apart, and traditional signs, each with the simplified one the tables use.
LETTERS = dict(zip("ıøłđðæœß", ["i", "o", "l", "d", "d", "ae", "oe", "ss"], strict=True))
SIGNS = """
採采購购經经總总財财務务銷销業业術术員员開开發发會会計计書书長长師师質质檢检產产際际區区營营運运護护
維维劃划設设項项專专資资訊讯監监辦办顧顾問问實实習习場场廣广驗验標标準准負负責责關关係系風风險险環环
審审稅税藥药醫医學学機机電电測测試试軟软體体數数據据網网絡络顯显後后倉仓儲储輸输輔辅聯联執执創创東东
華华門门組组獨独級级應应個个戶户戰战講讲導导練练線线廠厂車车間间備备擔担歷历語语貿贸劑剂構构競竞稱称
類类團团隊队單单診诊療疗獸兽築筑譯译編编輯辑記记讀读觀观駕驾駛驶飛飞輪轮廚厨廳厅館馆飯饭錄录買买賣卖
進进貨货處处協协調调對对領领幹干黨党報报紙纸視视戲戏劇剧藝艺達达繫系裝装腦脑製制鋼钢鐵铁銀银證证幣币
帳账賬账納纳
"""
SIGN = SIGNS.replace("\n", "")
FOLD: dict[int, str] = {ord(a): b for a, b in (*LETTERS.items(), *zip(SIGN[::2], SIGN[1::2], strict=True))}


def fold(text: str) -> str:
    """The same letters for every way to write them: "Geschäftsführer", "GESCHAEFTSFUEHRER" -> "geschaftsfuhrer"."""
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(FOLD)).lower()
        text = "".join(letter for letter in text if not unicodedata.combining(letter)).translate(FOLD)
    return text.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def words(text: str) -> list[str]:
    """Words, runs of Chinese and separators, in order: "IT-Leiter / CIO" -> ["it", "leiter", "/", "cio"]."""
    return TOKEN.findall(fold(text))


def lexemes(phrase: str) -> tuple[str, ...]:
    """A phrase of a table, cut like a title: "key-account*" is two lexemes; Chinese may stand anywhere in a run."""
    return tuple(f"*{one}*" if one[0] >= "\u3400" else one for one in TABLE_TOKEN.findall(fold(phrase)))


class KnownWord(NamedTuple):
    """A word, or a part of a compound, as the tables know it."""

    known_as: tuple[str, ...] = ()  # the lexemes it can be, the closest first
    alone: int | None = None  # the phrase it is by itself
    opens: bool = False  # a longer phrase may begin here
    gap: bool = False  # and any word may come next in it


@dataclass(slots=True)
class PhraseNode:
    """The phrases that begin alike: what may come next, and the number of the phrase that ends here."""

    after: "dict[str, PhraseNode]" = field(default_factory=dict)  # lexeme → deeper
    number: int | None = None


class PhraseMatcher:
    """Phrases by number. `find` names those in a list of words: the longest first, none overlapping another."""

    def __init__(self, phrases: Iterable[str], others: Iterable[str] = ()) -> None:
        """`others` are phrases of another table: their words are right as they are, not slips of ours."""
        self.trie = PhraseNode()
        for number, phrase in enumerate(phrases):
            node = self.trie
            for lexeme in lexemes(phrase):
                node = node.after.setdefault(lexeme, PhraseNode())
            if node.number is None:
                node.number = number
        self.lexemes = _all_lexemes(self.trie)
        self.others = {lexeme.strip("*") for phrase in others for lexeme in lexemes(phrase)}
        self.longest = max((len(lexeme.strip("*")) for lexeme in self.lexemes), default=0)
        self.stems: dict[str, list[str]] = {}
        for lexeme in sorted(self.lexemes):
            if lexeme.endswith("*"):
                self.stems.setdefault(lexeme.strip("*"), []).append(lexeme)
        self.parts = _parts(self.lexemes)
        self.slips = _slips(self.lexemes)
        self.remembered: dict[str, tuple[KnownWord, ...]] = {}

    def find(self, line: Sequence[str]) -> tuple[int, ...]:
        """Numbers of the phrases found, in order: ["head", "of", "sales"] -> (17, 4)."""
        remembered = self.remembered
        known: list[KnownWord] = []
        for word in line:
            known += remembered.get(word) or self._learn(word)
        hits: list[int] = []
        after = 0  # the last phrase found reaches to here
        for at, (_, number, opens, gap) in enumerate(known):
            if at >= after:
                if opens and at + 1 < len(known) and (gap or known[at + 1].known_as):
                    number, after = self._longest(self.trie, known, at)
                if number is not None:
                    hits.append(number)
        return tuple(hits)

    def _longest(self, node: PhraseNode, known: list[KnownWord], at: int) -> tuple[int | None, int]:
        best: tuple[int | None, int] = (node.number, at)
        if at < len(known):
            for lexeme in (*known[at].known_as, "_") if "_" in node.after else known[at].known_as:
                if (deeper := node.after.get(lexeme)) is not None:
                    number, end = self._longest(deeper, known, at + 1)
                    if number is not None and end > best[1]:
                        best = (number, end)
        return best

    def _learn(self, word: str) -> tuple[KnownWord, ...]:
        if len(self.remembered) > REMEMBERED:
            self.remembered.clear()
        found = self._take_apart(word) or [()]
        nodes = [[self.trie.after[lexeme] for lexeme in known_as if lexeme in self.trie.after] for known_as in found]
        self.remembered[word] = known = tuple(
            KnownWord(
                known_as,
                next((node.number for node in begins if node.number is not None), None),
                any(node.after for node in begins),
                any("_" in node.after for node in begins),
            )
            for known_as, begins in zip(found, nodes, strict=True)
        )
        return known

    def _take_apart(self, word: str) -> list[tuple[str, ...]]:
        """A word as the table knows it: whole, by its stem, as a compound, or as the word it was meant to be."""
        if word in self.lexemes:
            return [(word, *self._stems(word))]
        found: list[tuple[str, ...]] = []
        at = 0
        while at < len(word):
            known_as = self._part(word, at) if at else tuple(self._stems(word)) or self._part(word, 0)
            if known_as:
                found.append(known_as)
            at += len(known_as[0].strip("*")) if known_as else 1
        if not found and len(word) >= SHORTEST_SLIP and word not in self.others and (meant := self._meant(word)):
            return [(meant,)]
        return found

    def _stems(self, word: str) -> list[str]:
        stems = [stem for end in range(min(len(word), self.longest), 0, -1) for stem in self.stems.get(word[:end], ())]
        return [*stems, f"*{word}"] if f"*{word}" in self.lexemes else stems

    def _part(self, word: str, at: int) -> tuple[str, ...]:
        """The longest lexeme that stands at this place inside a compound."""
        for part, ends in self.parts.get(word[at : at + _key(word)], ()):
            if word.startswith(part, at) and (not ends or at + len(part) == len(word)):
                return (f"*{part}" if ends else f"*{part}*",)
        return ()

    def _meant(self, word: str) -> str | None:
        """The long word of the table that one slip (a letter lost, added, changed, swapped) turned into this."""
        for end in range(len(word), SHORTEST_SLIP - 2, -1):
            for length in (end, end - 1, end + 1):
                for meant, lexeme in self.slips.get((word[:2], word[end - 1], length), ()):
                    if (end == len(word) or lexeme.endswith("*")) and _one_slip(word[:end], meant):
                        return lexeme
        return None


def _all_lexemes(trie: PhraseNode) -> set[str]:
    return {found for lexeme, deeper in trie.after.items() for found in (lexeme, *_all_lexemes(deeper))}


def _key(word: str) -> int:
    return 1 if word[0] >= "\u3400" else SHORTEST_PART


def _parts(known: set[str]) -> dict[str, list[tuple[str, bool]]]:
    """First letters -> the lexemes that may stand inside a word, the longest first, and whether they must end it."""
    parts: dict[str, list[tuple[str, bool]]] = {}
    for lexeme in sorted(known, key=lambda one: (-len(one.strip("*")), one)):
        part = lexeme.strip("*")
        if lexeme.startswith("*") and len(part) >= _key(part):
            parts.setdefault(part[: _key(part)], []).append((part, not lexeme.endswith("*")))
    return parts


# rapidfuzz would measure a word against every lexeme; this index looks at a handful, and knows which may go on (a "*").
def _slips(known: set[str]) -> dict[tuple[str, str, int], list[tuple[str, str]]]:
    """The long lexemes by first two letters, last and length: at the ends, a slip usually makes another right word."""
    slips: dict[tuple[str, str, int], list[tuple[str, str]]] = {}
    for lexeme in sorted(known):  # sorted: two runs must find the same word
        bare = lexeme.strip("*")
        if len(bare) >= SHORTEST_SLIP and not lexeme.startswith("*"):
            slips.setdefault((bare[:2], bare[-1], len(bare)), []).append((bare, lexeme))
    return slips


def _one_slip(a: str, b: str) -> bool:
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or a[1::-1] + a[2:] == b
