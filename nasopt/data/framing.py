"""The frame of a data set: channels, side and levels of its images, decided once over all of its splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from nasopt.data.decoding import Frame, Header, Kind, read_header, read_levels
from nasopt.errors import DataError
from nasopt.spec.data import DataSpec

Items = Iterator[tuple[str, bytes]]
"""Encoded images: where each lies, for messages, and its bytes."""

FALLBACK_SIZE = 64
"""Side in pixels given to images that are not nearly all squares of one size."""
NEARLY_ALL = 0.9
"""Share of the images that must be squares of one size for the others to be brought to it."""
_GLIMPSE = 64
"""Images after which a data set that is far too large is refused, before all its headers are read."""
_DEPTHS = {"integers": "whole numbers of more than 8 bits", "floats": "floating-point numbers"}


@dataclass(slots=True)
class _Seen:
    """How many images are of a sort, and one of them."""

    first: str
    note: str = ""
    count: int = 0


@dataclass(slots=True)
class Survey:
    """What the headers of all images of a data set say together."""

    kinds: dict[Kind, _Seen] = field(default_factory=dict)
    sizes: dict[tuple[int, int], _Seen] = field(default_factory=dict)
    transparent: _Seen | None = None
    several: _Seen | None = None
    """Images of more than one frame or page."""
    count: int = 0

    def add(self, header: Header, where: str) -> None:
        """Count one more image."""
        self.count += 1
        self.kinds.setdefault(header.kind, _Seen(where, header.mode)).count += 1
        self.sizes.setdefault(header.size, _Seen(where)).count += 1
        if header.transparent:
            self.transparent = self.transparent or _Seen(where)
            self.transparent.count += 1
        if header.frames > 1:
            self.several = self.several or _Seen(where)
            self.several.count += 1

    def channels(self, spec: DataSpec) -> int:
        """Three where any image is in colour, unless the section says."""
        return spec.channels or (3 if "colour" in self.kinds else 1)

    def side(self, spec: DataSpec) -> int:
        """The section's, or that of the squares that nearly all images are, or the fallback."""
        if spec.image_size:
            return spec.image_size
        squares = {w: seen.count for (w, h), seen in self.sizes.items() if w == h}
        usual = max(squares, key=lambda side: squares[side], default=FALLBACK_SIZE)
        return usual if squares.get(usual, 0) >= NEARLY_ALL * self.count else FALLBACK_SIZE


def survey(items: Iterable[tuple[str, bytes]], spec: DataSpec, *, name: str, kept: int) -> Survey:
    """Read the headers of all images of a data set.

    Args:
        items: the images of all splits.
        spec: section `data`.
        name: the data set's, for messages.
        kept: how many of them are going to be held in memory.

    Raises:
        DataError: one is no image, or they would not fit into `data.max_memory_mb`.
    """
    found = Survey()
    for where, encoded in items:
        found.add(read_header(encoded, where), where)
        if found.count == _GLIMPSE:
            check_memory(Frame(found.channels(spec), found.side(spec)), kept, spec, name)
    return found


def check_memory(frame: Frame, images: int, spec: DataSpec, name: str) -> None:
    """Refuse a data set that is too large once decoded.

    Raises:
        DataError: saying its size, the bound and the ways out.
    """
    needed = images * frame.image_bytes / 1e6
    if needed > spec.max_memory_mb:
        raise DataError(
            f"{name}: {images:,} images of {frame.side}x{frame.side} pixels in {frame.channels} channels take "
            f"{needed:,.0f} MB of memory, and data.max_memory_mb allows {spec.max_memory_mb:,}; set data.image_size or "
            "data.train_images, or raise it"
        )


def decide(seen: Survey, spec: DataSpec, *, name: str, training: Callable[[], Items]) -> tuple[Frame, tuple[str, ...]]:
    """The frame of a data set, and what its user should know of it.

    Args:
        seen: of all splits.
        spec: section `data`.
        name: the data set's, for messages.
        training: the images of the training split, which alone decide on the levels.

    Raises:
        DataError: pixels of unlike depth, whose levels cannot be told to mean the same.
    """
    deep = _depth(seen, spec, name)
    levels = None if deep is None else (spec.pixel_range or _range_of(training(), name))
    frame = Frame(seen.channels(spec), seen.side(spec), levels)
    said = [*_about_channels(seen, spec), *_about_sizes(seen, spec, frame)]
    if deep is not None and levels is not None:
        source = "of data.pixel_range" if spec.pixel_range else "of the training images"
        said.append(
            f"pixels are {_DEPTHS[deep]} (mode {seen.kinds[deep].note}): the levels {levels[0]:g} to {levels[1]:g} "
            f"{source} become 0 to 255 in all splits" + ("" if spec.pixel_range else "; data.pixel_range sets others")
        )
    if seen.transparent:
        said.append(f"{_of(seen.transparent, seen)} transparent parts, which are laid on white")
    if seen.several:
        said.append(f"{_of(seen.several, seen)} several frames or pages, of which the first is used")
    return frame, tuple(said)


def _depth(seen: Survey, spec: DataSpec, name: str) -> Kind | None:
    """The kind of pixels of more than 8 bits; None where there are none."""
    deep: list[Kind] = [kind for kind in ("integers", "floats") if kind in seen.kinds]
    if not deep:
        if spec.pixel_range is not None:
            raise DataError(
                f"{name}: data.pixel_range is for pixels of more than 8 bits, and these have 8; leave it out"
            )
        return None
    if len(seen.kinds) > 1:
        told = [f"{sort.first} in mode {sort.note} ({sort.count:,} such)" for sort in seen.kinds.values()]
        raise DataError(
            f"{name} holds pixels of unlike depth, whose levels may mean different things: {' and '.join(told)}; save "
            "all images in one mode"
        )
    return deep[0]


def _range_of(training: Items, name: str) -> tuple[float, float]:
    """The lowest and highest level of the training images."""
    low, high = float("inf"), float("-inf")
    for where, encoded in training:
        levels = read_levels(encoded, where)
        low, high = min(low, float(levels.min())), max(high, float(levels.max()))
    if not low < high:
        raise DataError(f"{name}: all pixels of the training images have the level {low:g}; there is nothing to learn")
    return low, high


def _about_channels(seen: Survey, spec: DataSpec) -> Iterator[str]:
    grey, colour = seen.kinds.get("grey"), seen.kinds.get("colour")
    if spec.channels or grey is None or colour is None:
        return
    odd, what, others = (colour, "in colour", "grey") if colour.count < grey.count else (grey, "grey", "in colour")
    yield (
        f"{odd.count:,} of {seen.count:,} images {'is' if odd.count == 1 else 'are'} {what} ({_first(odd)}), the "
        f"others {others}: all are read with 3 channels; data.channels: 1 reads them as grey"
    )


def _about_sizes(seen: Survey, spec: DataSpec, frame: Frame) -> Iterator[str]:
    if spec.image_size or set(seen.sizes) == {(frame.side, frame.side)}:
        return
    square, usual = f"{frame.side}x{frame.side}", seen.sizes.get((frame.side, frame.side))
    if usual is not None and usual.count >= NEARLY_ALL * seen.count:
        odd = [(size, sort) for size, sort in seen.sizes.items() if size != (frame.side, frame.side)]
        (width, height), first = odd[0]
        count = sum(sort.count for _, sort in odd)
        yield (
            f"{count:,} of {seen.count:,} images {'is' if count == 1 else 'are'} not {square} like the others "
            f"({'first: ' if count > 1 else ''}{first.first}, {width}x{height}) and brought to it"
        )
        return
    (width, height), _ = max(seen.sizes.items(), key=lambda item: item[1].count)
    sizes = f"are all {width}x{height}" if len(seen.sizes) == 1 else f"have {len(seen.sizes):,} different sizes"
    yield f"the images {sizes}: all are brought to {square} (centre cropped); data.image_size sets another side"


def _of(sort: _Seen, seen: Survey) -> str:
    return f"{sort.count:,} of {seen.count:,} images ({_first(sort)}) {'has' if sort.count == 1 else 'have'}"


def _first(sort: _Seen) -> str:
    return sort.first if sort.count == 1 else f"first: {sort.first}"
