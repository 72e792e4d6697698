"""The registry of releases: who is the champion, who was before, and how another becomes it.

The pointer is the truth, the tags are the record. Every step can be killed: the next call of any of them finishes or
undoes what was left before it does its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.registry import intention, pointer, stored
from gemel.registry.errors import RegistryError
from gemel.registry.git import commit_of, common_folder, expect_identity
from gemel.registry.restoring import expect_bundle
from gemel.registry.rewritten import origin_of, standing_for
from gemel.registry.tags import add_event, add_version, read_history
from gemel.registry.versions import PROMOTION, ROLLBACK, STAGE, History, Version

LOCK = "gemel-registry.lock"
# A promotion may have to bring its bundle from a remote first.
PATIENCE_S = 600.0


class Registry:
    """Versions of the release of one checkout, and its champion."""

    def __init__(self, root: Path, patience: float = PATIENCE_S) -> None:
        """root: of the checkout or of a linked worktree; the pointer and the bundles lie below it, the tags are git's.

        patience: seconds to wait for another process that registers or promotes.
        Raises: RegistryError if it is no git checkout.
        """
        self._root = root.absolute()
        self._releases = self._root / pointer.RELEASES
        # All worktrees share the tags, so they share the lock.
        self._lock, self._patience = common_folder(self._root) / LOCK, patience

    def champion(self) -> Version | None:
        """The version that the pointer names; None where none was ever promoted.

        Raises: ArtifactError if its bundle or the pointer is gone, or damaged, or no tag tells which version it is.
        """
        history, name = read_history(self._root), pointer.pointed(self._releases)
        if name is None:
            if history.events:
                raise ArtifactError(self._lost(history.events[-1].version, "no pointer"))
            return None
        version = history.of_folder(origin_of(self._releases, name))
        if version is None:
            raise ArtifactError(
                f"{self._releases / STAGE}: points to {name}, which no version is; fetch the tags (`git fetch --tags`) "
                "or choose one of `gemel release list` with `gemel release promote VERSION`"
            )
        try:
            pointer.check_bundle(self._releases / name, version.digest if name == version.folder else None)
        except ArtifactError as error:
            raise ArtifactError(self._lost(version.name, str(error))) from error
        return version

    def champion_folder(self) -> Path | None:
        """The champion's bundle, without the pointer in its path; None where none was ever promoted.

        Raises: ArtifactError as champion.
        """
        version = self.champion()
        return None if version is None else self.folder_of(version)

    def folder_of(self, version: Version) -> Path:
        """Where a version's bundle lies, or would; its files are not hashed."""
        return self._releases / standing_for(self._releases, version.folder)

    def versions(self) -> tuple[Version, ...]:
        """All versions, the newest first, each with the promotions and rollbacks to it."""
        return read_history(self._root).versions

    def has_bundle(self, version: Version) -> bool:
        """Whether a version's bundle lies here; its files are not hashed."""
        return self.folder_of(version).is_dir()

    def register(self, bundle: Path, commit: str, run: str, note: str) -> Version:
        """Make a bundle a version: copied to its place, then tagged. Again for the same commit: nothing new.

        bundle: a release, as the commit's dvc.lock holds it. run: what made it, one line. note: for people.
        Raises: ArtifactError if the bundle is damaged; RegistryError if the commit holds another release or is
        another version, or git refuses.
        """
        if not run.strip() or len(run.splitlines()) > 1:
            raise RegistryError(f"run {run!r}: a version names what made it in one line; give its id")
        from gemel.release_facts import read_facts

        facts = read_facts(bundle, check_hashes=True)
        digest, commit = artifact_hash(bundle), commit_of(self._root, commit)
        figures = facts["accuracy"].get("test") or {}
        draft = Version("", commit, digest, run, datetime.now(UTC), figures.get("mean"), note)
        with self._alone():
            history = read_history(self._root)
            known = next((each for each in history.versions if each.commit == commit), None)
            if known is not None and known.digest != digest:
                raise RegistryError(
                    f"{bundle}: commit {commit[:12]} is {known.name} already, with release {known.folder} and not "
                    f"{draft.folder}; commit the new dvc.lock, then register that commit"
                )
            stored.expect_stored(self._root, commit, bundle)
            expect_identity(self._root)
            pointer.put_bundle(bundle, self._releases, digest)
            return add_version(self._root, history, draft) if known is None else known

    def promote(self, version: Version | str, *, why: str) -> Version:
        """Make a version the champion. Its bundle is brought out of DVC if it isn't here. The champion itself: mended.

        Raises: RegistryError if there is no such version; ArtifactError if its bundle can't be had.
        """
        with self._alone() as said:
            said.extend(self._mend())
            history = read_history(self._root)
            chosen = self._known(history, version if isinstance(version, str) else version.name)
            expect_bundle(self._root, chosen, self._releases)
            standing = standing_for(self._releases, chosen.folder)
            if pointer.pointed(self._releases) == standing and history.names_champion(chosen):
                return chosen
            return self._exchange(history, chosen, PROMOTION, why)

    def rollback(self, *, why: str) -> Version:
        """Make the champion before the present one the champion again. A rollback that was killed is finished, once.

        Raises: RegistryError if there was none before; ArtifactError if its bundle can't be had.
        """
        with self._alone() as said:
            pending = intention.read_intention(self._releases)
            said.extend(self._mend())
            history = read_history(self._root)
            if pending is not None and pending.kind == ROLLBACK and history.counter > pending.counter:
                return self._known(history, history.events[-1].version)
            former = [name for name in history.reigns()[:-1] if history.version(name) is not None]
            if not former:
                raise RegistryError(
                    f"{self._root}: no champion before the present one; `gemel release list` shows the versions, "
                    "`gemel release promote VERSION` takes any of them"
                )
            chosen = self._known(history, former[-1])
            expect_bundle(self._root, chosen, self._releases)
            return self._exchange(history, chosen, ROLLBACK, why)

    def reconcile(self) -> tuple[str, ...]:
        """Finish or undo what killed processes left, by the pointer: what it says happened.

        Returns: what was done, a sentence each; none if all is well.
        """
        with self._alone() as said:
            said.extend(self._mend())
            return tuple(said)

    def prune(self, keep: int = 5) -> tuple[str, ...]:
        """Remove bundles; never the champion's, those of the `keep` that were champion last, or the newest version's.

        Their tags stay, so that `promote` brings them back.
        Returns: what was removed and what DVC keeps, a sentence each.
        Raises: RegistryError for a negative number; ArtifactError if the pointer is none of the registry's.
        """
        if keep < 0:
            raise RegistryError(f"keep {keep}: a number of releases, 0 or more")
        with self._alone() as said:
            said.extend(self._mend())
            history = read_history(self._root)
            pointed = pointer.pointed(self._releases)
            kept = {standing_for(self._releases, folder) for folder in history.kept(keep)} | {pointed}
            for folder in pointer.bundles(self._releases):
                if folder.name not in kept:
                    pointer.remove_bundle(folder)
                    said.append(f"{folder}: removed")
            names = ", ".join(version.name for version in history.versions) or "no version"
            said.append(f"`dvc gc --workspace --all-branches --all-tags` keeps the data of {names}")
            return tuple(said)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[list[str]]:
        """Hold the lock. Gives a list for what is said meanwhile."""
        try:
            with FileLock(self._lock, timeout=self._patience):
                yield []
        except Timeout:
            raise RegistryError(
                f"{self._lock}: another process has registered or promoted for {self._patience:g} s; wait "
                "for it to end, then run the same command again"
            ) from None
        except OSError as error:
            raise RegistryError(
                f"{self._releases}: {error}; what was there stays: mend that, then run the same command again"
            ) from error

    def _mend(self) -> Iterator[str]:
        if not self._releases.is_dir():
            return
        yield from pointer.sweep(self._releases)
        pointed, history = pointer.pointed(self._releases), read_history(self._root)
        name = None if pointed is None else origin_of(self._releases, pointed)
        pending = intention.read_intention(self._releases)
        meant = None if pending is None else history.version(pending.version)
        if pending is not None and meant is not None and name == meant.folder and history.counter == pending.counter:
            add_event(self._root, history, meant, pending.kind, pending.why)
            yield f"{meant.name}: its {pending.kind} was not recorded; tagged now"
        elif name is not None and (version := history.of_folder(name)) and not history.names_champion(version):
            add_event(self._root, history, version, PROMOTION, "found by the pointer")
            yield f"{version.name}: the pointer names it, the tags did not; tagged now"
        elif pending is not None and history.counter == pending.counter:
            yield f"{pending.version}: its {pending.kind} had not begun; given up"
        intention.remove_intention(self._releases)

    def _exchange(self, history: History, version: Version, kind: str, why: str) -> Version:
        expect_identity(self._root)
        meant = intention.Intention(kind=kind, version=version.name, why=why, counter=history.counter)
        intention.write_intention(self._releases, meant)
        pointer.point(self._releases, standing_for(self._releases, version.folder))
        add_event(self._root, history, version, kind, why)
        intention.remove_intention(self._releases)
        return self._known(read_history(self._root), version.name)

    def _known(self, history: History, name: str) -> Version:
        found = history.version(name)
        if found is None:
            names = ", ".join(version.name for version in history.versions) or "none"
            raise RegistryError(
                f"{self._root}: no version {name!r}; there are {names}. Register one with `gemel release promote "
                "--bundle artifacts/release`, or fetch the tags with `git fetch --tags`"
            )
        return found

    def _lost(self, name: str, found: str) -> str:
        return (
            f"{self._releases / STAGE}: {name} was promoted, but it is not here whole ({found}); `gemel release "
            f"promote {name}` brings it back"
        )
