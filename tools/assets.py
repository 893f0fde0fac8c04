"""Puts real tokenizers and chat templates where the tests and the demo look for them: `DEST/<family>/<file>`.

    python tools/assets.py [--dest DIR] [--source DIR] [--all | FAMILY ...]

`assets.json` beside this file names every file, its SHA-256 and where it can be had. The routes, in this order:

1. a folder of blobs (`--source`, else `../shared/assets` where it is there): `blobs/<sha256>.xz`;
2. the Hugging Face hub, the model's own repository;
3. a PyPI package that ships the file or what it is made of.

Whatever the route, a file gets its name only once its SHA-256 is right, so an interrupted run leaves nothing
half-written and a second run has nothing to do. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = Path(__file__).with_name("assets.json")
NEIGHBOUR = ROOT.parent / "shared" / "assets"
TIMEOUT = 20.0  # seconds without an answer from the hub


class Unavailable(Exception):
    """A route cannot give a file; the message says why, in a few words."""


class Asset(NamedTuple):
    """One file of one family, as `assets.json` has it."""

    family: str
    file: str
    entry: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.family}/{self.file}"

    @property
    def sha256(self) -> str:
        return str(self.entry["sha256"])


# Files -------------------------------------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def put(asset: Asset, data: bytes, dest: Path) -> None:
    """Write `data` as the asset, if it is the asset, in one step."""
    got = hashlib.sha256(data).hexdigest()
    if got != asset.sha256:
        raise Unavailable(f"another file than expected (SHA-256 {got[:12]}, not {asset.sha256[:12]})")
    target = dest / asset.family / asset.file
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{asset.file}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def field_of(data: bytes, field: str | None) -> bytes:
    """The text under `field` of a JSON object (or of the first of a list of them); all of `data` without a field."""
    if field is None:
        return data
    try:
        parsed = json.loads(data)
        text = (parsed[0] if isinstance(parsed, list) else parsed)[field]
        return str(text).encode()
    except (ValueError, LookupError, TypeError):
        raise Unavailable(f"has no field {field!r}") from None


# Route 1: a folder of blobs ----------------------------------------------------------------------------------------


def from_blobs(asset: Asset, source: Path) -> bytes:
    path = source / "blobs" / f"{asset.sha256}.xz"
    try:
        return lzma.decompress(path.read_bytes())
    except FileNotFoundError:
        raise Unavailable("not in that folder") from None
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise Unavailable(f"unreadable blob: {error}") from None


# Route 2: the Hugging Face hub -------------------------------------------------------------------------------------


class Hub:
    """The models' own repositories, until the first sign that they are out of reach."""

    def __init__(self) -> None:
        self.endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self.token = os.environ.get("HF_TOKEN")
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        self.down: str | None = "HF_HUB_OFFLINE is set" if offline else None

    def __call__(self, asset: Asset) -> bytes:
        where = asset.entry.get("hub")
        if where is None:
            raise Unavailable("no repository has it")
        if self.down:
            raise Unavailable(self.down)
        url = f"{self.endpoint}/{where['repo']}/resolve/{where.get('revision', 'main')}/{where['file']}"
        request = urllib.request.Request(url)
        if self.token:
            # Not sent on to another host: the hub redirects large files to its storage.
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                data = b"".join(progress(str(asset), answer, int(answer.headers.get("Content-Length") or 0)))
        except urllib.error.HTTPError as error:
            raise Unavailable(f"HTTP {error.code} for {where['repo']}/{where['file']}") from None
        except OSError as error:
            self.down = f"out of reach ({getattr(error, 'reason', None) or error})"
            raise Unavailable(self.down) from None
        return field_of(data, where.get("field"))


def progress(name: str, stream: io.BufferedIOBase, total: int) -> Iterator[bytes]:
    """The blocks of a download, with a running count on a terminal."""
    shown = sys.stdout.isatty()
    done = 0
    while block := stream.read(1 << 18):
        done += len(block)
        if shown:
            share = f" of {total / 1e6:.1f} MB ({100 * done // total}%)" if total else " MB"
            print(f"\r\033[K{name}  {done / 1e6:.1f}{share}", end="", flush=True)
        yield block
    if shown:
        print("\r\033[K", end="", flush=True)
    if total and done != total:
        raise OSError("the connection broke")


# Route 3: PyPI packages --------------------------------------------------------------------------------------------


def pip_command(scratch: Path) -> list[str]:
    """This interpreter's pip; where it has none (an environment made by uv), that of a passing one."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    where = scratch / "pip"
    try:
        venv.create(where, with_pip=True)
    except (OSError, subprocess.CalledProcessError):
        raise Unavailable("needs pip, and this Python can make none") from None
    return [str(where / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "pip"]


def download(requirement: str, scratch: Path) -> Path:
    """The wheel of `name==version`; never installed. The Python it declares does not matter for its data."""
    print(f"downloading {requirement} ...", flush=True)
    folder = scratch / requirement
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.13", "--disable-pip-version-check"]
    command = [*pip_command(scratch), "download", *options, "--dest", str(folder), requirement]
    # pip's bar goes to the terminal; what it complains of is kept for the error.
    shown = None if sys.stdout.isatty() else subprocess.DEVNULL
    ran = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    wheels = list(folder.glob("*.whl")) if folder.is_dir() else []
    if ran.returncode or not wheels:
        said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
        raise Unavailable(said[-1].removeprefix("ERROR: ") if said else f"pip ended with status {ran.returncode}")
    return wheels[0]


def from_wheel(asset: Asset, wheel: Path) -> bytes:
    """The asset out of a wheel: a member, a member of a zipped member (`outer.zip!inner`), or built from the wheel."""
    where = asset.entry["package"]
    if "build" in where:
        return build(MANIFEST.with_name(where["build"]), wheel, asset.file)
    outer, _, inner = where["member"].partition("!")
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(outer)
        if inner:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data = archive.read(inner)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Unavailable(f"{wheel.name}: {error}") from None
    return field_of(data, where.get("field"))


def build(script: Path, wheel: Path, file: str) -> bytes:
    """What a script beside this one makes of the unpacked wheel, in a process of its own: it may load native code."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        ran = subprocess.run([sys.executable, str(script), folder, file], capture_output=True, check=False)
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        raise Unavailable(f"{script.name} failed: {said[-1]}")
    return ran.stdout


# The run -----------------------------------------------------------------------------------------------------------


class Fetch:
    """Takes each asset from the first route that gives it, and keeps why the others did not."""

    def __init__(self, assets: Iterable[Asset], dest: Path) -> None:
        self.dest = dest
        self.why: dict[str, list[str]] = {}
        self.wanted = list(assets)
        self.left = [asset for asset in self.wanted if not self.there(asset)]

    def there(self, asset: Asset) -> bool:
        path = self.dest / asset.family / asset.file
        return path.is_file() and sha256(path) == asset.sha256

    def route(self, name: str, read: Callable[[Asset], bytes]) -> None:
        """Try one route for all that is left."""
        left = []
        for asset in self.left:
            try:
                data = read(asset)
                put(asset, data, self.dest)
            except Unavailable as error:
                self.why.setdefault(str(asset), []).append(f"{name}: {error}")
                left.append(asset)
            else:
                size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 1e5 else f"{len(data) / 1e3:.1f} kB"
                print(f"{asset}  {size}  from {name}", flush=True)
        self.left = left

    def packages(self) -> None:
        """Try the packages: each downloaded once, whatever the number of files wanted of it."""
        by_requirement: dict[str, list[Asset]] = {}
        for asset in self.left:
            if "package" in asset.entry:
                by_requirement.setdefault(asset.entry["package"]["requirement"], []).append(asset)
            else:
                self.why.setdefault(str(asset), []).append("PyPI: no package has it")
        if not by_requirement:
            return
        kept = [asset for asset in self.left if "package" not in asset.entry]
        # Beside the files, not in the system's folder for such things, which may be small.
        self.dest.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=self.dest) as scratch:
            for requirement, assets in by_requirement.items():
                self.left = assets
                try:
                    wheel = download(requirement, Path(scratch))
                except Unavailable as error:
                    for asset in assets:
                        self.why.setdefault(str(asset), []).append(f"PyPI ({requirement}): {error}")
                else:
                    self.route(f"PyPI ({requirement})", partial(from_wheel, wheel=wheel))
                    wheel.unlink()
                kept += self.left
        self.left = kept


def parse_arguments(argv: list[str] | None, default: list[str], known: Iterable[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Fetch real tokenizers and chat templates, each checked by its SHA-256.",
        epilog=f"Without a FAMILY: {', '.join(default)}. Known: {', '.join(known)}.",
    )
    parser.add_argument("families", metavar="FAMILY", nargs="*", help="families to fetch")
    parser.add_argument("--all", action="store_true", help="fetch every known family")
    parser.add_argument("--dest", type=Path, help="target folder (default: $RENDERERS_ASSETS, else .cache/assets)")
    parser.add_argument("--source", type=Path, help="folder of blobs to take them from (default: ../shared/assets)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    families: dict[str, dict[str, Any]] = manifest["families"]
    options = parse_arguments(argv, manifest["default"], families)
    chosen = list(families) if options.all else options.families or manifest["default"]
    if unknown := [name for name in chosen if name not in families]:
        print(f"assets: unknown family {unknown[0]!r}; known: {', '.join(families)}", file=sys.stderr)
        return 1
    if options.source is not None and not (options.source / "blobs").is_dir():
        print(f"assets: {options.source} has no folder 'blobs'", file=sys.stderr)
        return 1
    dest = options.dest or Path(os.environ.get("RENDERERS_ASSETS") or ROOT / ".cache" / "assets")

    fetch = Fetch((Asset(name, file, entry) for name in chosen for file, entry in families[name].items()), dest)
    source = options.source or NEIGHBOUR
    if (source / "blobs").is_dir():
        fetch.route(str(options.source or "../shared/assets"), lambda asset: from_blobs(asset, source))
    fetch.route("the Hugging Face hub", Hub())
    fetch.packages()
    for asset in fetch.left:
        print(f"assets: {asset}: {'; '.join(fetch.why[str(asset)])}", file=sys.stderr)
    if fetch.left:
        return 1
    print(f"assets: {len(fetch.wanted)} files in place: {', '.join(dict.fromkeys(chosen))}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("assets: interrupted; run it again to go on")
    except OSError as error:
        sys.exit(f"assets: {error}")
