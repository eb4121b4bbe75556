"""What people are called in five languages, and how that becomes an address."""

import unicodedata
from random import Random
from typing import NamedTuple


class SimulatedName(NamedTuple):
    first: str
    last: str
    mailbox: str  # "zoe.obrien"
    hers: bool = False  # which of two forms a title takes


FIRST = {
    "en":
        "Alice Amelia Beth Caroline Charlotte Diana Eleanor Fiona Grace Hannah Imogen Joanna Kate Laura Megan "
        "Naomi Olivia Rachel Sophie Victoria Adam Andrew Ben Colin Daniel Edward Frank George Harry Ian James "
        "Kevin Liam Mark Nathan Oliver Patrick Robert Simon Thomas",
    "de":
        "Anja Birgit Christina Doris Elke Franziska Gabriele Heike Ines Jana Katrin Lena Martina Nadine Petra "
        "Sabine Silke Tanja Ulrike Yvonne Andreas Bernd Christian Dirk Florian Gerhard Hannes Jens Jörg "
        "Karsten Lukas Markus Norbert Olaf Peter Rainer Stefan Thorsten Uwe Wolfgang",
    "es":
        "Ana Beatriz Carmen Cristina Elena Gloria Inés Isabel Laura Lourdes Lucía Marta Mercedes Mónica Nuria "
        "Paula Pilar Raquel Rosa Teresa Alejandro Álvaro Antonio Carlos Diego Emilio Fernando Gonzalo Héctor "
        "Ignacio Javier Joaquín Jorge Luis Manuel Miguel Óscar Pablo Rafael Sergio",
    "ro":
        "Adriana Alina Ana Andreea Bianca Camelia Carmen Corina Daniela Diana Elena Gabriela Ioana Irina "
        "Laura Magdalena Mihaela Oana Raluca Simona Adrian Alexandru Andrei Bogdan Ciprian Cosmin Cristian "
        "Dan Dragoș Florin Gabriel George Ionuț Liviu Marius Mihai Nicolae Radu Ștefan Vlad",
}  # fmt: skip
LAST = {
    "en":
        "Abbott Baker Bennett Brooks Campbell Carter Clarke Collins Cooper Dawson Ellis Fletcher Foster "
        "Gibson Graham Harper Hughes Jenkins Kelly Lawson Marshall Mitchell Morgan Murphy Nelson Palmer "
        "Parker Quinn Reed Reynolds Robinson Sanders Shaw Spencer Stone Turner Walker Watson Whitaker Wright",
    "de":
        "Albrecht Bauer Becker Böhm Brandt Dietrich Engel Fischer Franke Fuchs Graf Groß Haas Hartmann "
        "Heinrich Hoffmann Huber Jäger Kaiser Keller Köhler Krause Kühn Lange Lehmann Lorenz Maier Möller "
        "Neumann Otto Pohl Richter Roth Schäfer Schreiber Seidel Vogt Wagner Weiß Zimmermann",
    "es":
        "Aguilar Alonso Blanco Cabrera Calvo Campos Castillo Delgado Díaz Domínguez Fernández Flores Fuentes "
        "García Gil Gómez González Guerrero Gutiérrez Herrero Ibáñez Iglesias León López Marín Martínez "
        "Medina Molina Morales Moreno Navarro Núñez Ortega Peña Ramírez Ramos Romero Ruiz Serrano Vidal",
    "ro":
        "Albu Anghel Badea Barbu Bălan Bucur Chiriac Ciobanu Constantin Cristea Dinu Dobre Dumitrescu Enache "
        "Florea Georgescu Grigore Iacob Ionescu Lazăr Lungu Manole Marin Matei Moldovan Munteanu Neagu Nistor "
        "Oprea Pavel Petrescu Popa Preda Rusu Sandu Stan Stoica Toma Tudor Voicu",
}  # fmt: skip
CHINESE_LAST = (
    "王 wang 李 li 张 zhang 刘 liu 陈 chen 杨 yang 赵 zhao 黄 huang 周 zhou 吴 wu 徐 xu 孙 sun 胡 hu 朱 zhu 高 "
    "gao 林 lin 何 he 郭 guo 马 ma 罗 luo 梁 liang 宋 song 郑 zheng 谢 xie 韩 han 唐 tang 冯 feng 董 dong 程 "
    "cheng 曹 cao"
)
CHINESE_FIRST = (
    "伟 wei 芳 fang 娜 na 敏 min 静 jing 丽 li 强 qiang 磊 lei 军 jun 洋 yang 勇 yong 艳 yan 杰 jie 娟 juan 涛 "
    "tao 明 ming 超 chao 秀兰 xiulan 霞 xia 平 ping 刚 gang 桂英 guiying 建华 jianhua 文博 wenbo 雨晴 yuqing "
    "思远 siyuan 晓东 xiaodong 海燕 haiyan 志强 zhiqiang 国栋 guodong 欣怡 xinyi 子轩 zixuan 慧敏 huimin 立新 "
    "lixin"
)
LETTERS = str.maketrans(
    {"ø": "oe", "ö": "oe", "ä": "ae", "ü": "ue", "ß": "ss", "ț": "t", "ș": "s", "ñ": "n", "'": "", " ": ""}
)


def invent_name(rng: Random, language: str) -> SimulatedName:
    """A person's name in a language (en, de, es, ro, zh), with the local part of their address."""
    if language == "zh":
        last, family = rng.choice(_pairs(CHINESE_LAST))
        first, given = rng.choice(_pairs(CHINESE_FIRST))
        return SimulatedName(first, last, f"{given}.{family}")
    given_names = FIRST[language].split()  # the first half are hers, the second half his
    first, last = rng.choice(given_names), rng.choice(LAST[language].split())
    return SimulatedName(
        first, last, f"{to_latin(first)}.{to_latin(last)}", given_names.index(first) < len(given_names) // 2
    )


def to_latin(name: str) -> str:
    """A name as it is written in an address: Jörg → joerg, Peña → pena."""
    spelled = name.lower().translate(LETTERS)
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()


def _pairs(words: str) -> list[tuple[str, str]]:
    both = words.split()
    return list(zip(both[::2], both[1::2], strict=True))
