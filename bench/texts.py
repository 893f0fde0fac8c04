"""Text for conversations: prose and code of the Python standard library, logs, tables and other languages.

Real text matters: encoders remember words, so invented words or a few repeated ones would measure something else. A few
words in a hundred are exchanged, so that no stretch is the same twice.
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
from pathlib import Path
from pydoc_data.topics import topics

_MODULES = (
    "argparse", "ast", "calendar", "concurrent/futures/thread", "configparser", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "email/message", "fractions", "ftplib", "gzip", "heapq", "html/parser", "http/client",
    "http/server", "imaplib", "inspect", "json/decoder", "logging/__init__", "logging/handlers", "mailbox", "optparse",
    "pdb", "pickle", "plistlib", "shutil", "smtplib", "socketserver", "sqlite3/dump", "statistics", "subprocess",
    "tarfile", "tempfile", "textwrap", "threading", "traceback", "turtle", "typing", "unittest/case", "unittest/mock",
    "urllib/parse", "urllib/request", "uuid", "weakref", "xml/dom/minidom", "xmlrpc/client",
)  # fmt: skip

_FOREIGN = (
    "Können Sie mir bitte erklären, weshalb die Übertragung nach der dritten Bestätigung abbricht?",
    "J’ai relancé l’entraînement hier soir, mais la perte n’a presque pas diminué depuis l’époque vingt.",
    "El informe trimestral todavía no está listo; mañana añadiremos los gráficos que faltan.",
    "По нашим данным, задержка выросла вдвое после обновления сервера, хотя нагрузка осталась прежней.",
    "请帮我检查一下这段代码为什么在处理空列表时会抛出异常，并给出修改建议。",
    "データベースの接続が切れた場合、再試行までに何秒待つべきでしょうか。",
    "이 보고서의 세 번째 표에 있는 합계가 맞지 않는 것 같습니다. 다시 확인해 주세요.",
    "يرجى مراجعة الجدول الزمني وإرسال الملاحظات قبل نهاية الأسبوع القادم.",
    "कृपया इस तालिका की अंतिम पंक्ति की जाँच करें और बताएँ कि योग सही है या नहीं।",
    "Siparişin durumu güncellendi ✅ ama kargo takip numarası hâlâ görünmüyor 🤔.",
)

_LEVELS = ("DEBUG", "INFO", "INFO", "INFO", "WARNING", "ERROR")
_WORD = re.compile(r"[A-Za-z_]{3,}")


@functools.cache
def _paragraphs() -> list[str]:
    found = (" ".join(part.split()) for topic in sorted(topics) for part in topics[topic].split("\n\n"))
    return [part for part in found if len(part) >= 120]


@functools.cache
def _code() -> list[str]:
    lines: list[str] = []
    for module in _MODULES:
        path = Path(os.__file__).parent / f"{module}.py"
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines


@functools.cache
def _words() -> list[str]:
    return sorted({word for part in _paragraphs() for word in _WORD.findall(part)})


class Texts:
    """A source of texts of about the length asked for, drawn from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def _fresh(self, text: str) -> str:
        """The text with about one word in thirty exchanged."""
        rng, words = self._rng, _words()
        return _WORD.sub(lambda match: rng.choice(words) if rng.random() < 0.03 else match.group(), text)

    def words(self, n: int) -> str:
        return " ".join(self._rng.choice(_words()) for _ in range(n))

    def prose(self, length: int) -> str:
        """Paragraphs; about one in twelve is in another language."""
        parts: list[str] = []
        while (left := length - sum(map(len, parts))) > 0:
            if self._rng.random() < 0.08:
                parts.append(" ".join(self._rng.choices(_FOREIGN, k=2)))
            else:
                parts.append(self._fresh(self._rng.choice(_paragraphs())[: max(left, 60)]).rstrip())
        return "\n\n".join(parts)

    def code(self, length: int) -> str:
        """Consecutive lines of a program."""
        lines = _code()
        start = self._rng.randrange(len(lines) - length // 20)
        found: list[str] = []
        size = 0
        while size < length:
            found.append(lines[start + len(found)])
            size += len(found[-1]) + 1
        return self._fresh("\n".join(found))

    def log(self, length: int) -> str:
        """Lines of a log file."""
        rng = self._rng
        found: list[str] = []
        size = 0
        while size < length:
            day = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            time = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.uniform(0, 60):06.3f}"
            where = f"{rng.choice(_words())}.{rng.choice(_words())}"
            what = f"request {rng.getrandbits(32):08x} {self.words(rng.randint(3, 9))} in {rng.uniform(0, 900):.1f} ms"
            found.append(f"{day} {time} {rng.choice(_LEVELS)} [{where}] {what}")
            size += len(found[-1]) + 1
        return "\n".join(found)

    def table(self, length: int) -> str:
        """A JSON answer of a service."""
        rng = self._rng
        rows: list[dict[str, object]] = []
        size = 0
        while size < length:
            rows.append(
                {
                    "id": f"{rng.getrandbits(48):012x}",
                    "name": self.words(2).title(),
                    "amount": round(rng.uniform(0, 5000), 2),
                    "tags": [rng.choice(_words()) for _ in range(rng.randint(0, 3))],
                    "active": rng.random() < 0.5,
                    "note": self.words(rng.randint(2, 12)) if rng.random() < 0.7 else None,
                }
            )
            size += len(json.dumps(rows[-1]))
        return json.dumps({"rows": rows, "next": f"cursor_{rng.getrandbits(32):08x}"})

    def markdown(self, length: int) -> str:
        """An answer: prose, a list, now and then a block of code."""
        rng = self._rng
        parts = [self.prose(max(length // 2, 60))]
        if length > 400 and rng.random() < 0.6:
            parts.append(f"```python\n{self.code(length // 3)}\n```")
        if length > 200:
            items = (f"{k}. **{self.words(2)}**: {self.words(rng.randint(6, 18))}." for k in range(1, 4))
            parts.append("\n".join(items))
        return "\n\n".join(parts)
