"""From a document to the tree: every key is looked up, every value read, then values are compared.

The first thing found wrong ends it with a ConfigError.
"""

from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

from rayswitch.config.checks import CHECKS
from rayswitch.config.database import SQLITE, located
from rayswitch.config.document import ConfigError, Document, Node, of_values, read
from rayswitch.config.settings import Config, Tls

__all__ = ["Reader", "from_values", "load", "parse"]


def load(path: Path | str | None) -> Config:
    """The configuration in file `path`; None: all defaults, in the current folder. Raises ConfigError."""
    if path is None:
        return parse("", "", Path.cwd())
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("cannot be read: it is not UTF-8", str(path)) from None
    return parse(text, str(path), Path(path).resolve().parent)


def parse(text: str, file: str, folder: Path) -> Config:
    """The configuration in `text`; `file` names it in complaints, relative paths start from `folder`."""
    return _located(Reader(read(text, file)).config(), folder)


def from_values(values: dict[str, Any]) -> Config:
    """The configuration in nested plain values, whose paths are absolute already."""
    return Reader(Document(of_values(values))).config()


def _located(config: Config, folder: Path) -> Config:
    data = folder / Path(config.data).expanduser()
    config = replace(config, sip=replace(config.sip, tls=_files_of(config.sip.tls, folder)))
    if config.store == Config().store:  # the database follows the data folder unless it was named
        return replace(config, data=str(data), store=f"{SQLITE}{data / 'rayswitch.db'}")
    return replace(config, data=str(data), store=located(config.store, folder))


def _files_of(tls: Tls, folder: Path) -> Tls:
    """Its files with absolute paths."""
    names = ("certificate", "key", "authorities")
    return replace(
        tls, **{name: str(folder / Path(path).expanduser()) for name in names if (path := getattr(tls, name))}
    )


class Reader:
    """Reads sections, which are dataclasses of settings, out of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.lines: dict[str, int] = {}

    def config(self) -> Config:
        config: Config = self.section(Config, self.document.root, "")
        for check in CHECKS:
            found = check(config)
            if found:
                raise self.conflict(*found)
        return config

    def conflict(self, keys: tuple[str, ...], problem: str) -> ConfigError:
        """The complaint about the first of `keys` that the file holds."""
        key = next((key for key in keys if key in self.lines), keys[0])
        return self.document.error(problem, self.lines.get(key, 0), key)

    def section(self, cls: Any, node: Node, prefix: str) -> Any:
        """A `cls` of the keys in `node`; `prefix` stands before their names in complaints. Raises ConfigError."""
        if node.value is None:
            return cls()
        if node.pairs is None:
            raise self.document.error(f"expected keys, got {node.shown()}", node.line, prefix.rstrip("."))
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in node.pairs:
            name = self.known_key(key, known, prefix)
            if name in values:
                raise self.document.error("expected once, got it a second time", key.line, prefix + name)
            values[name] = self.value(known[name], value, prefix + name)
        return cls(**values)

    def known_key(self, key: Node, known: dict[str, Any], prefix: str) -> str:
        if isinstance(key.value, str) and key.value in known:
            return key.value
        name = key.value if isinstance(key.value, str) else key.shown()
        raise self.document.error(f"unknown key, {_suggestion(name, list(known))}", key.line, prefix + name)

    def value(self, item: "Field[Any]", node: Node, key: str) -> Any:
        if not item.metadata:
            return self.section(type(item.default), node, key + ".")
        self.lines[key] = node.line
        if not item.metadata["several"]:
            return self.scalar(item, node, key)
        nodes = node.value if isinstance(node.value, list) else [node]
        if not nodes and not item.default:
            return ()
        return tuple(self.scalar(item, one, key) for one in nodes or [Node(None, node.line)])

    def scalar(self, item: "Field[Any]", node: Node, key: str) -> Any:
        kind = item.metadata["kind"]
        detail = ""
        try:
            if isinstance(node.value, str):
                return kind.read(node.value)
        except ValueError as error:
            detail = f" ({error})" if _is_ours(error) else ""
        problem = f"expected {kind.expected}, got {kind.mask(node.shown())}{detail}"
        raise self.document.error(problem, node.line, key)


def _is_ours(error: ValueError) -> bool:
    """Whether the message was written for people: the kinds' own, not that of float()."""
    return bool(error.args) and not str(error).startswith("could not convert")


def _suggestion(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
