"""The component of Preamp on wasmtime's API for core modules, which is 30 times as fast from Python as that for components.

Strings, lists and records go in and out of the memory of an instance by the canonical ABI of the component model; the
layouts are those of docs/layouts.md.
"""

import ctypes
import os
import struct
import threading
from dataclasses import dataclass
from functools import cache, wraps
from importlib.resources import files

from wasmtime import Config, Engine, FuncType, Instance, Linker, Module, Store, Trap, ValType, WasmtimeError

CONTRACT = "preamp:exporter/remote-write@0.2.0"

_PREAMBLE = b"\x00asm\x0d\x00\x01\x00"
_CORE_MODULE_SECTION = 1


def core_module(component: bytes) -> bytes:
    """The core module inside a component: the first section of its kind. The others only adapt types."""
    if not component.startswith(_PREAMBLE):
        raise ValueError("this is no WebAssembly component")
    at = len(_PREAMBLE)
    while at < len(component):
        kind, at = component[at], at + 1
        size = shift = 0
        while True:
            byte, at = component[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if kind == _CORE_MODULE_SECTION:
            return component[at : at + size]
        at += size
    raise ValueError("the component holds no core module")


# Held while wasmtime works. A fork waits for that: the child then finds its locks open and its memory whole.
_working = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_working.acquire, after_in_parent=_working.release, after_in_child=_working.release
    )


@cache
def _compiled() -> tuple[Engine, Module, Linker]:
    config = Config()
    try:
        # Without a cache the component is compiled at each start, which takes a second.
        config.cache = True
    except WasmtimeError:
        # There is no place that may be written to, as in a Lambda.
        config = Config()
    engine = Engine(config)
    module = Module(engine, core_module(files(__package__).joinpath("preamp.wasm").read_bytes()))
    linker = Linker(engine)
    number = ValType.i32()
    for resource in ("exporter", "passage"):
        # The handle of a resource is its representation: whoever holds it is its owner.
        interface = f"[export]{CONTRACT}"
        linker.define_func(interface, f"[resource-new]{resource}", FuncType([number], [number]), lambda rep: rep)
        linker.define_func(interface, f"[resource-drop]{resource}", FuncType([number], []), lambda rep: None)
    return engine, module, linker


class _Reader:
    """Reads a result from where it stands in memory."""

    def __init__(self, memory: bytes, address: int):
        self.memory, self.address = memory, address

    def number(self, offset: int, form: str) -> int:
        return struct.unpack_from("<" + form, self.memory, self.address + offset)[0]

    def octets(self, offset: int) -> bytes:
        start, length = struct.unpack_from("<II", self.memory, self.address + offset)
        return bytes(self.memory[start : start + length])

    def text(self, offset: int) -> str:
        return self.octets(offset).decode()

    def elements(self, offset: int, size: int) -> list["_Reader"]:
        start, count = struct.unpack_from("<II", self.memory, self.address + offset)
        return [_Reader(self.memory, start + index * size) for index in range(count)]

    def headers(self, offset: int) -> list[tuple[str, str]]:
        return [(header.text(0), header.text(8)) for header in self.elements(offset, 16)]


@dataclass(frozen=True)
class Explanation:
    """Why points were not taken, or why delivery does not go on."""

    reason: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class Outcome:
    """What became of a payload, in points, and the answer for its sender as OTLP/HTTP wants it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    delivered: int
    """Points that the receiver has."""
    partly_rejected: int
    """Points of requests that the receiver stored in part."""
    rejected: int
    """Points that nobody takes."""
    unsettled: int
    """Points that are to be handed in again."""
    explanations: list[Explanation]


@dataclass(frozen=True)
class Request:
    """A request to the receiver, to be sent as it is."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class KeyRequest:
    """Which signing key is wanted."""

    date: str
    region: str
    service: str
    is_refused: bool


@dataclass(frozen=True)
class Wait:
    """Pause for this many seconds."""

    seconds: float


class ConfigurationError(ValueError):
    """What is wrong with a configuration, all at once: pairs of a JSON Pointer and a message."""

    def __init__(self, problems: list[tuple[str, str]]):
        self.problems = problems
        super().__init__("the configuration cannot be used: " + "; ".join(" ".join(one).strip() for one in problems))


def _outcome(record: _Reader) -> Outcome:
    explanations = [Explanation(one.text(0), one.text(8), one.text(16)) for one in record.elements(56, 28)]
    points = [record.number(offset, "Q") for offset in (24, 32, 40, 48)]
    return Outcome(record.number(0, "H"), record.headers(4), record.octets(12), *points, explanations)


class ComponentError(RuntimeError):
    """The component failed with a payload."""

    def __init__(self, cause: Exception):
        # Before it, wasmtime names the frames of the component, which are for its authors.
        last = str(cause).strip().splitlines()[-1:]
        super().__init__(f"the component failed: {' '.join(last).strip()}; if the payload is large, send smaller ones")


def _guarded(method):
    """What calls into wasmtime."""

    @wraps(method)
    def guarded(*arguments):
        with _working:
            try:
                return method(*arguments)
            except (Trap, WasmtimeError) as problem:
                raise ComponentError(problem) from problem

    return guarded


class Component:
    """An instance with an open exporter. One call at a time; after an error it is of no use."""

    @_guarded
    def __init__(self, configuration: str, memory_limit: int | None = None):
        engine, module, linker = _compiled()
        self._store = Store(engine)
        if memory_limit is not None:
            self._store.set_limits(memory_size=memory_limit)
        self._instance: Instance = linker.instantiate(self._store, module)
        self._exports = self._instance.exports(self._store)
        self._memory = self._exports["memory"]
        opened, done = self._read("[static]exporter.open", *self._bytes(configuration.encode()))
        problems = None if opened.number(0, "B") == 0 else [(one.text(0), one.text(8)) for one in opened.elements(4, 16)]
        self._exporter = opened.number(4, "I")
        done()
        if problems is not None:
            raise ConfigurationError(problems)

    @_guarded
    def pass_(self, payload: bytes, content_type: str, content_encoding: str, now: int) -> int:
        """Begins the passage of a payload, and returns its handle."""
        parts = (payload, content_type.encode(), content_encoding.encode())
        arguments = [value for part in parts for value in self._bytes(part)]
        return self._call("[method]exporter.pass", self._exporter, *arguments, now)

    @_guarded
    def next(self, passage: int, now: int) -> Request | KeyRequest | Wait | Outcome:
        """What to do next."""
        step, done = self._read("[method]passage.next", passage, now)
        record = _Reader(step.memory, step.address + 8)
        match step.number(0, "B"):
            case 0:
                wanted = Request(record.text(0), record.text(8), record.headers(16), record.octets(24))
            case 1:
                wanted = KeyRequest(record.text(0), record.text(8), record.text(16), record.number(24, "B") != 0)
            case 2:
                wanted = Wait(record.number(0, "Q") / 1000)
            case _:
                wanted = _outcome(record)
        done()
        return wanted

    @_guarded
    def give_key(self, passage: int, key: dict | None, now: int) -> None:
        """The key that was asked for; none if there are no credentials now."""
        if key is None:
            values = [0] * 14
        else:
            token = key["session_token"]
            session = [1, *self._bytes(token.encode())] if token else [0, 0, 0]
            rest = (key["derived"], *(key[name].encode() for name in ("date", "region", "service")))
            values = [1, *self._bytes(key["access_key_id"].encode()), *session]
            values += [value for part in rest for value in self._bytes(part)]
        self._call("[method]passage.give-key", passage, *values, now)

    @_guarded
    def answered(self, passage: int, status: int, headers: list[tuple[str, str]], body: bytes, now: int) -> None:
        """The answer to the request; a status of 0 for none."""
        texts = [struct.pack("<II", *self._bytes(text.encode())) for header in headers for text in header]
        address, _ = self._bytes(b"".join(texts), alignment=4)
        self._call("[method]passage.answered", passage, status, address, len(headers), *self._bytes(body), now)

    @_guarded
    def give_up(self, passage: int) -> Outcome:
        """Ends a passage. What is not settled is to be handed in again."""
        record, done = self._read("[method]passage.give-up", passage)
        outcome = _outcome(record)
        done()
        return outcome

    @_guarded
    def drop(self, passage: int) -> None:
        """Frees a passage."""
        self._call("[dtor]passage", passage)

    @_guarded
    def close(self) -> None:
        """Frees the instance."""
        self._store.close()

    def _bytes(self, data: bytes, alignment: int = 1) -> tuple[int, int]:
        """Passes a list of bytes, which the callee frees."""
        if not data:
            return alignment, 0
        address = self._exports["cabi_realloc"](self._store, 0, 0, alignment, len(data))
        self._memory.write(self._store, data, address)
        return address, len(data)

    def _call(self, name: str, *arguments: int) -> int:
        return self._exports[f"{CONTRACT}#{name}"](self._store, *arguments)

    def _read(self, name: str, *arguments: int):
        """Calls a function that returns a record: a reader, and what frees the record."""
        address = self._call(name, *arguments)
        pointer, length = self._memory.data_ptr(self._store), self._memory.data_len(self._store)
        memory = memoryview((ctypes.c_ubyte * length).from_address(ctypes.addressof(pointer.contents)))
        free = self._exports[f"cabi_post_{CONTRACT}#{name}"]
        return _Reader(memory, address), lambda: free(self._store, address)
