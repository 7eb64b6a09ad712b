"""Folders of images, one folder a class: which splits there are, which files count, and what is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nasopt.data.decoding import suffixes
from nasopt.data.splits import Role, listed, role_of, shown
from nasopt.errors import DataError

_JUNK = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__"})
_JUNK_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})
"""What systems leave behind; not worth a word."""


@dataclass(slots=True)
class FolderSplit:
    """One split as it lies on the disk."""

    folder: Path
    classes: tuple[str, ...] = ()
    """Names of the class folders that hold images, sorted."""
    files: list[str] = field(default_factory=list)
    """Paths of the images, class by class, in the order of their names."""
    labels: list[int] = field(default_factory=list)
    """Index into `classes` of each file."""
    unlabelled: int = 0
    """Images that lie in the folder itself, in no class."""


@dataclass(slots=True)
class _Listing:
    """What a walk met, over all splits."""

    root: str
    skipped: Counter[str] = field(default_factory=Counter)
    """Files and folders by why they were left out."""
    example: dict[str, str] = field(default_factory=dict)
    """The first of each."""
    linked: set[str] = field(default_factory=set)
    """Images reached through a link."""

    def leave_out(self, why: str, name: str = "", count: int = 1) -> None:
        """Count what is left out; `name` is an example of it."""
        self.skipped[why] += count
        self.example.setdefault(why, shown(name))


def list_folders(root: Path) -> tuple[Path, Mapping[Role, FolderSplit], tuple[str, ...]]:
    """The splits below a folder, the folder that holds them, and what was left out.

    Without split folders everything is the training split.

    Raises:
        DataError: folders that look like splits and cannot be taken for them, or none that holds a class; names them.
    """
    top = _unwrapped(root)
    walk = _Listing(str(top))
    places = _split_folders(top, walk)
    splits: dict[Role, FolderSplit] = {role: _classes(folder, walk) for role, folder in places.items()}
    _once_each(splits, walk)
    train = splits["train"]
    if not train.files:
        loose = f"; the {train.unlabelled:,} images in it lie in none" if train.unlabelled else ""
        raise DataError(f"{shown(train.folder)} is not a folder with one folder of images a class{loose}")
    return top, splits, tuple(_remarks(walk, splits))


def _unwrapped(root: Path) -> Path:
    """The folder itself, or the one that an archive has put around its content."""
    inner = _folders(root)
    if len(inner) == 1 and role_of(inner[0].name) is None and _folders(inner[0]) and not _images_in(root):
        return _unwrapped(inner[0])
    return root


def _split_folders(top: Path, walk: _Listing) -> dict[Role, Path]:
    """Folders of splits by role; the folder itself as training split where there are none.

    Raises:
        DataError: see `list_folders`.
    """
    inner = _folders(top)
    found: dict[Role, list[Path]] = {}
    for folder in inner:
        if (role := role_of(folder.name)) is not None:
            found.setdefault(role, []).append(folder)
    names = listed([folder.name for folders in found.values() for folder in folders])
    nested = [role for role, folders in found.items() if any(_folders(folder) for folder in folders)]
    if "train" not in nested:
        if len(found) > 1 or nested or (found and all(role_of(folder.name) for folder in inner)):
            lacks = "hold no folder for each class" if "train" in found else "there is none for training"
            raise DataError(f"{shown(top)}: {names} look like splits, and {lacks}; expected train/CLASS/*.png")
        _no_splits_within(inner)
        return {"train": top}
    if twice := next((folders for folders in found.values() if len(folders) > 1), None):
        raise DataError(f"{shown(top)}: {listed([f.name for f in twice])} look like one split; keep one of them")
    others = {folder: count for folder in inner if role_of(folder.name) is None and (count := _count(folder))}
    if others and len(found) == 1:
        raise DataError(
            f"{shown(top)}: {names} looks like a split, and {listed([f.name for f in others])} beside it like classes; "
            "keep either splits or classes there"
        )
    for folder, count in others.items():
        walk.leave_out("images in folders that are no split", folder.name, count)
    if loose := _images_in(top):
        walk.leave_out("images beside the folders of splits", count=loose)
    roles: tuple[Role, ...] = ("train", "validation", "test")
    return {role: _within(found[role][0], role) for role in roles if role in found}


def _within(folder: Path, role: Role) -> Path:
    """The folder itself, or the one of the same role in it: `seg_train/seg_train`."""
    inner = _folders(folder)
    return inner[0] if len(inner) == 1 and role_of(inner[0].name) == role and not _images_in(folder) else folder


def _no_splits_within(classes: Iterable[Path]) -> None:
    """Refuse `cat/train` beside `cat/test`: taken for one class, its test images would be trained on."""
    for folder in classes:
        names = {role: inner.name for inner in _folders(folder) if (role := role_of(inner.name))}
        if len(names) > 1:
            raise DataError(
                f"{shown(folder)} holds {listed(list(names.values()))}, which look like splits; expected the splits "
                f"outside and the classes inside: train/{shown(folder.name)}"
            )


def _classes(folder: Path, walk: _Listing) -> FolderSplit:
    """The images of a split, by class."""
    split = FolderSplit(folder, unlabelled=_images_in(folder))
    names: list[str] = []
    for inner in _folders(folder, walk):
        files = sorted(_below(str(inner), os.path.realpath(inner), set(), walk, linked=inner.is_symlink()))
        if not files:
            walk.leave_out("class folders without images", inner.name)
            continue
        split.labels += [len(names)] * len(files)
        split.files += [os.path.join(*file) for file in files]
        names.append(inner.name)
    split.classes = tuple(names)
    return split


def _below(folder: str, top: str, walked: set[str], walk: _Listing, *, linked: bool) -> Iterator[tuple[str, str]]:
    """Images in a folder and its folders, as (folder, name); what is hidden or no image is counted as left out.

    `top` is the real path of the class folder and `walked` those of the folders so far: links lead to none of them
    again, and to none that holds the class folder.
    """
    real = os.path.realpath(folder)
    if real in walked or top.startswith(os.path.join(real, "")):
        walk.leave_out("links to folders that are counted already", os.path.relpath(folder, walk.root))
        return
    walked.add(real)
    for entry in _entries(folder):
        if _is_junk(entry.name):
            if entry.name.lower() not in _JUNK_FILES:
                walk.leave_out("hidden", entry.name)
        elif entry.is_dir():
            yield from _below(entry.path, top, walked, walk, linked=linked or entry.is_symlink())
        elif not entry.is_file():
            walk.leave_out("broken links, or no files", entry.name)
        elif (ending := os.path.splitext(entry.name)[1].lower()) not in suffixes():
            walk.leave_out(f"with the ending {shown(ending)}" if ending else "without an ending", entry.name)
        else:
            if linked or entry.is_symlink():
                walk.linked.add(entry.path)
            yield folder, entry.name


def _once_each(splits: Mapping[Role, FolderSplit], walk: _Listing) -> None:
    """Count a file once that links show in several places: where it lies itself, else where it was met first.

    Raises:
        DataError: links alone show it, in two classes.
    """
    linked = walk.linked
    if not linked:
        return
    base, root = os.path.realpath(walk.root), walk.root
    seen: dict[str, tuple[str, str | None]] = {}  # real path -> (path, class), None where it lies there itself
    for split in splits.values():
        seen |= {base + path.removeprefix(root): (path, None) for path in split.files if path not in linked}
    for split in splits.values():
        kept = []
        for path, label in zip(split.files, split.labels, strict=True):
            name = split.classes[label]
            if path in linked:
                first, known = seen.setdefault(os.path.realpath(path), (path, name))
                if first != path:
                    if known not in (None, name):
                        raise DataError(
                            f"{shown(first)} and {shown(path)} are links to one file, in two classes; keep one of them"
                        )
                    walk.leave_out("links to images that are counted already", os.path.relpath(path, walk.root))
                    continue
            kept.append((path, label))
        _keep(split, kept)


def _keep(split: FolderSplit, kept: list[tuple[str, int]]) -> None:
    """Reduce a split to these files, and its classes to those that have any."""
    used = sorted({label for _, label in kept})
    split.classes = tuple(split.classes[label] for label in used)
    split.files = [path for path, _ in kept]
    split.labels = [used.index(label) for _, label in kept]


def _remarks(walk: _Listing, splits: Mapping[Role, FolderSplit]) -> Iterator[str]:
    for role, split in splits.items():
        if split.unlabelled and split.files:
            walk.leave_out(f"images in no class of the {role} split", count=split.unlabelled)
    if walk.skipped:
        told = [
            f"{count:,} {why}" + (f" ({example})" if (example := walk.example[why]) else "")
            for why, count in walk.skipped.most_common()
        ]
        yield f"left out: {', '.join(told)}"
    names = splits["train"].classes
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), []).append(name)
    for alike in folded.values():
        if len(alike) > 1:
            yield f"the classes {listed(alike)} differ by their case alone, and are counted apart"


def _folders(folder: Path, walk: _Listing | None = None) -> list[Path]:
    """Folders in a folder that are no system's, sorted by name; the others are counted as left out."""
    found = []
    for entry in _entries(str(folder)):
        if not entry.is_dir():
            continue
        if not _is_junk(entry.name):
            found.append(Path(entry.path))
        elif walk is not None:
            walk.leave_out("hidden", entry.name)
    return found


def _images_in(folder: Path) -> int:
    """Images in the folder itself."""
    return sum(
        not _is_junk(e.name) and os.path.splitext(e.name)[1].lower() in suffixes() and e.is_file()
        for e in _entries(str(folder))
    )


def _count(folder: Path) -> int:
    """Images in a folder and its folders."""
    return sum(1 for _ in _below(str(folder), os.path.realpath(folder), set(), _Listing(str(folder)), linked=False))


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK or name.lower() in _JUNK_FILES


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read the folder {shown(folder)}: {error.strerror}; check its permissions") from error
