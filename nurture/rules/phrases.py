"""Finding a table's phrases in a line of text, however it is written: accents, compounds, Chinese, typing slips."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# A star says where a word may go on: "compra*" begins words, "*leiter" ends them, "*vertrieb*" may stand anywhere.
CJK = "\u3400-\u9fff"
TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+|\s[-–—]+\s|[&/|;,()@:•·\[\]]")
TABLE_TOKEN = re.compile(rf"[{CJK}]+|\*?[^\W_{CJK}]+\*?|[&_]")
ANY = "_"  # in a phrase: any one word ("chief _ officer")
SHORTEST_FUZZY = 7  # below this a slip turns one word into another ("leader", "lender")
SHORTEST_PART = 4  # inside a compound
REMEMBERED = 200_000  # words and titles kept, then forgotten together: a leak is worse than a second look

# Letters that Unicode does not take apart, and the traditional forms of the signs that Chinese titles use.
LETTERS = dict(zip("ıøłđðæœß", ["i", "o", "l", "d", "d", "ae", "oe", "ss"], strict=True))
TRADITIONAL = (  # each with the simplified form the tables use
    "採采 購购 經经 總总 財财 務务 銷销 業业 術术 員员 開开 發发 會会 計计 書书 長长 師师 質质 檢检 產产 際际 區区 營营 運运 護护 "
    "維维 劃划 設设 項项 專专 資资 訊讯 監监 辦办 顧顾 問问 實实 習习 場场 廣广 驗验 標标 準准 負负 責责 關关 係系 風风 險险 環环 "
    "審审 稅税 藥药 醫医 學学 機机 電电 測测 試试 軟软 體体 數数 據据 網网 絡络 顯显 後后 倉仓 儲储 輸输 輔辅 聯联 執执 創创 東东 "
    "華华 門门 組组 獨独 級级 應应 個个 戶户 戰战 講讲 導导 練练 線线 廠厂 車车 間间 備备 擔担 歷历 語语 貿贸 劑剂 構构 競竞 稱称 "
    "類类 團团 隊队 單单 診诊 療疗 獸兽 築筑 譯译 編编 輯辑 記记 讀读 觀观 駕驾 駛驶 飛飞 輪轮 廚厨 廳厅 館馆 飯饭 錄录 買买 賣卖 "
    "進进 貨货 處处 協协 調调 對对 領领 幹干 黨党 報报 紙纸 視视 戲戏 劇剧 藝艺 達达 繫系 裝装 腦脑 製制 鋼钢 鐵铁 銀银 證证 幣币 "
    "帳账 賬账 納纳 "
).split()
FOLD = {**str.maketrans(LETTERS), **str.maketrans(dict(TRADITIONAL))}


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


class Phrasebook:
    """Phrases by number. `find` names those in a list of words: the longest first, none overlapping another."""

    def __init__(self, phrases: Iterable[str], others: Iterable[str] = ()) -> None:
        """`others` are phrases of another book: their words are right as they are, not slips of ours."""
        self.trie: dict = {}  # lexeme -> deeper trie; None -> the number of the phrase that ends here
        self.lexemes: set[str] = set()
        for number, phrase in enumerate(phrases):
            node = self.trie
            for lexeme in lexemes(phrase):
                self.lexemes.add(lexeme)
                node = node.setdefault(lexeme, {})
            node.setdefault(None, number)
        self.longest = max((len(lexeme.strip("*")) for lexeme in self.lexemes), default=0)
        self.others = {lexeme.strip("*") for phrase in others for lexeme in lexemes(phrase)}
        self.slips = _slips(self.lexemes)
        self.known: dict[str, tuple[tuple[str, ...], ...]] = {}  # word -> its pieces, each with the lexemes it can be

    def find(self, line: Sequence[str]) -> tuple[int, ...]:
        known = self.known
        pieces: list[tuple[str, ...]] = []
        for word in line:
            found = known.get(word)
            pieces += self._learn(word) if found is None else found
        hits: list[int] = []
        at = 0
        while at < len(pieces):
            number, end = self._longest(self.trie, pieces, at) if pieces[at] else (None, at)
            if number is None:
                at += 1
            else:
                hits.append(number)
                at = end
        return tuple(hits)

    def _longest(self, node: dict, pieces: list[tuple[str, ...]], at: int) -> tuple[int | None, int]:
        best: tuple[int | None, int] = (node.get(None), at)
        if at < len(pieces):
            for lexeme in (*pieces[at], ANY):
                if (deeper := node.get(lexeme)) is not None:
                    number, end = self._longest(deeper, pieces, at + 1)
                    if number is not None and end > best[1]:
                        best = (number, end)
        return best

    def _learn(self, word: str) -> tuple[tuple[str, ...], ...]:
        if len(self.known) > REMEMBERED:
            self.known.clear()
        self.known[word] = pieces = tuple(self._pieces(word)) or ((),)
        return pieces

    def _pieces(self, word: str) -> list[tuple[str, ...]]:
        """A word as the table knows it: whole, by its stem, as a compound, or as the word it was meant to be."""
        if word in self.lexemes:
            return [(word, *self._stems(word))]
        pieces: list[tuple[str, ...]] = []
        at = 0
        while at < len(word):
            if found := self._at(word, at):
                pieces.append(found)
                at += len(found[0].strip("*"))
            else:
                at += 1
        if not pieces and len(word) >= SHORTEST_FUZZY and word not in self.others and (meant := self._meant(word)):
            pieces = [(meant,)]
        return pieces

    def _stems(self, word: str) -> list[str]:
        ends = range(min(len(word), self.longest), 0, -1)
        stems = [stem for end in ends for stem in (f"{word[:end]}*", f"*{word[:end]}*") if stem in self.lexemes]
        return stems + [ending for ending in (f"*{word}",) if ending in self.lexemes]

    def _at(self, word: str, at: int) -> tuple[str, ...]:
        if at == 0:
            return tuple(self._stems(word))
        chinese = word[0] >= "\u3400"
        for end in range(min(len(word), at + self.longest), at, -1):
            part = word[at:end]
            if len(part) < SHORTEST_PART and not chinese:
                break
            if f"*{part}*" in self.lexemes:
                return (f"*{part}*",)
            if end == len(word) and f"*{part}" in self.lexemes:
                return (f"*{part}",)
        return ()

    def _meant(self, word: str) -> str | None:
        """The long word of the table that one slip (a letter lost, added, changed, swapped) turned into this."""
        for end in range(len(word), SHORTEST_FUZZY - 2, -1):
            start = word[:end]
            for variant in (start, *_without_one(start)):
                for lexeme in self.slips.get(variant, ()):
                    bare = lexeme.strip("*")
                    if (end == len(word) or lexeme.endswith("*")) and _one_slip(start, bare):
                        return lexeme
        return None


def _slips(lexemes: set[str]) -> dict[str, list[str]]:
    slips: dict[str, list[str]] = {}
    for lexeme in sorted(lexemes):  # sorted: two runs must find the same word
        bare = lexeme.strip("*")
        if len(bare) >= SHORTEST_FUZZY and not lexeme.startswith("*"):
            for variant in (bare, *_without_one(bare)):
                slips.setdefault(variant, []).append(lexeme)
    return slips


def _without_one(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


def _one_slip(a: str, b: str) -> bool:
    if a[0] != b[0]:
        return False  # people seldom miss the first letter; another first letter is usually another word
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[1::-1] + rest_a[2:] == rest_b)
    )
