"""The ledger itself: append, find, show, export, prune, verify."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from labeling.errors import LabelingError
from labeling.ledger._database import Database
from labeling.ledger._lookup import by_keys, by_sha256, in_order, of_content
from labeling.ledger._write import days_text, prune_rows, values_of, what_is_older
from labeling.ledger.chain import ChainChecker, record_of
from labeling.ledger.entry import (
    Entry,
    Imported,
    Match,
    Pruned,
    Record,
    Vacuumed,
    Verification,
)
from labeling.ledger.making import entries_of_classification, entry_of

if TYPE_CHECKING:
    from PIL import Image

    from labeling import files
    from labeling.ledger._search import BlockCache
    from labeling.pipelines.classification import Classification
    from labeling.pipelines.labeled_image import LabeledImage
    from labeling.pipelines.output import LabeledFile

RETENTION = timedelta(days=184)
"""Six months, whichever they are: how long records must be kept at least (Labelling Measures, Art. 9)."""

DEFAULT_DISTANCE = 28
"""Bits up to which two whole pictures are taken for one (measured: see docs/ledger.md)."""

MAX_MATCHES = 50

READY_WITHIN = 5.0
"""Seconds that a ledger in use by others is waited for before anything is labelled."""


class Ledger:
    """A record of labels that were given, in an SQLite file or a PostgreSQL database. :meth:`open` opens one.

    Any number of processes may write at a time. Threads may share one ledger; each process opens its own. Every
    method raises :class:`labeling.LabelingError` if the database refuses or cannot be reached.

    Example:
        >>> with Ledger.open("ledger.db") as ledger:  # doctest: +SKIP
        ...     record = ledger.record(labeler.label_file("photo.png"), source="photo.png")
        ...     matches = ledger.find("downloaded.jpg")
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: BlockCache | None = None

    @classmethod
    def open(cls, where: str | os.PathLike[str], *, create: bool = True, wait: float | None = None) -> Ledger:
        """Open a ledger; one that an older version made is brought up to date.

        Args:
            where: The path of an SQLite file, or a URL: ``sqlite:///…`` or ``postgresql://…``.
            create: Make the ledger if there is none; with ``False`` it must exist.
            wait: Seconds to wait for other processes that keep an SQLite file locked (default: 60).

        Returns:
            The ledger, to be closed, or used in a ``with`` statement.

        Raises:
            UnreadableFile: There is no ledger, or the file is something else or damaged.
            WriteError: The file cannot be made or written to, or was busy for too long.
            MissingDependency: The driver for PostgreSQL is not installed.
            LabelingError: The URL is not understood, the server does not answer, or a newer version made the ledger.

        Example:
            >>> ledger = Ledger.open("postgresql://user:password@host/database")  # doctest: +SKIP
        """
        return cls(Database(where, create=create, wait=wait))

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger {self.where}>"

    @property
    def where(self) -> str:
        """The file or URL, without a password."""
        return self._database.display_name

    # --- writing ------------------------------------------------------------------------------------------------------

    def require_writable(self, wait: float = READY_WITHIN) -> None:
        """Make sure that a record could be written now; nothing is. Ask before you label what must be recorded.

        Args:
            wait: Seconds to wait while other processes write.

        Raises:
            WriteError: The ledger is read-only, or was busy for so long.
            LabelingError: The server cannot be reached.

        Example:
            >>> ledger.require_writable()  # doctest: +SKIP
        """
        self._database.require_writable(wait)

    def append(self, new: Sequence[Entry]) -> list[Record]:
        """Record entries in one transaction: when this returns, they are on disk; if it raises, none of them is.

        Args:
            new: The entries, in the order in which they are to be recorded.

        Returns:
            The records, one for each entry.

        Raises:
            WriteError: The database is full, read-only, or was busy for too long. Nothing was recorded.

        Example:
            >>> [record] = ledger.append([entry_of(labelled)])  # doctest: +SKIP
        """
        prepared = [values_of(entry) for entry in new]
        rows = self._database.append(prepared) if prepared else []
        return [record_of(row) for row in rows]

    def record(
        self,
        labelled: LabeledFile | LabeledImage,
        *,
        source: str = "",
        recipient: str | None = None,
        agreement: str | None = None,
        key: str | None = None,
        profile: str | None = None,
    ) -> Record:
        """Record something that was labelled; hash and fingerprint are computed from the output itself.

        Args:
            labelled: What a verb of :class:`labeling.Labeler` returned. Of its path only the file's name is kept.
            source: A name for the input.
            recipient: Who received a copy without the explicit label (Labelling Measures, Art. 9).
            agreement: The reference of the agreement with the recipient, which says who answers for labelling the
                copy.
            key: The caller's own key, to find the record again with :meth:`by_keys`.
            profile: The name of the rules (default: the first profile of the report).

        Returns:
            The record.

        Raises:
            LabelingError: The output cannot be read (any more), or was never written (a dry run).

        Example:
            >>> ledger.record(labeler.label_file("photo.png"), source="photo.png").seq  # doctest: +SKIP
            1
        """
        entry = entry_of(labelled, source=source, recipient=recipient, agreement=agreement, key=key, profile=profile)
        return self.append([entry])[0]

    def record_classification(self, found: Classification, *, source: str = "", key: str | None = None) -> list[Record]:
        """Record a decision on an upload's origin with its evidence, and the label that was written, if any.

        Args:
            found: What :func:`labeling.classify` returned.
            source: A name for the upload.
            key: The caller's own key, to find the records again.

        Returns:
            The record of the decision, and that of the label.

        Raises:
            LabelingError: Pixels were classified, which are no file; or the output cannot be read (any more).

        Example:
            >>> found = labeling.classify("upload.png", declared=True)  # doctest: +SKIP
            >>> ledger.record_classification(found, source="upload.png")[0].details["decision"]  # doctest: +SKIP
            'possible'
        """
        return self.append(entries_of_classification(found, source=source, key=key))

    def prune(self, older_than: timedelta = RETENTION, *, force: bool = False, dry_run: bool = False) -> Pruned:
        """Remove the records that are older, and append a record that says so.

        Only an unbroken beginning of the chain is removed.

        Args:
            older_than: The age from which on records are removed.
            force: Accept an age of less than six months.
            dry_run: Remove nothing, and return what would be removed.

        Returns:
            How many records were removed, up to which number, and the record that says so.

        Raises:
            LabelingError: ``older_than`` is less than six months, without ``force``.

        Example:
            >>> ledger.prune(timedelta(days=365)).count  # doctest: +SKIP
            1200
        """
        if older_than < RETENTION and not force:
            raise LabelingError(
                f"records must be kept for six months (Labelling Measures Art. 9); {days_text(older_than)} is less",
                hint="use `force=True` if you are sure that this does not apply to you",
            )
        if dry_run:
            return self._database.read(lambda c: what_is_older(c, older_than))
        return self._database.write(lambda c: prune_rows(c, older_than))

    def import_from(self, source: Ledger | str | os.PathLike[str], *, merge: bool = False) -> Imported:
        """Import all records of another ledger, in whichever database, and check both chains before and after.

        Without ``merge`` this ledger takes the other's chain as it is, number by number and hash by hash, and goes on
        with it: it must be empty, or hold the beginning of that chain. With ``merge``, the records of any number of
        ledgers are appended to this one's own chain, with their times; each keeps its old number and hashes, so that
        :meth:`verify` checks every chain that was imported as well. What was imported before is not imported again:
        after an interruption, import once more. Nobody else may write to this ledger meanwhile.

        Args:
            source: The other ledger, its path or its URL. Nothing in it is changed.
            merge: Append the records to this ledger's own chain.

        Returns:
            How many records were copied, and the check of this ledger afterwards.

        Raises:
            LabelingError: One of the chains is not intact (``exit_code`` 1), this ledger holds other records, or the
                database refuses.

        Example:
            >>> with Ledger.open("postgresql://host/labels") as ledger:  # doctest: +SKIP
            ...     ledger.import_from("ledger.db").count
            20000
        """
        from labeling.ledger._import import import_ledger

        if isinstance(source, Ledger):
            return import_ledger(source._database, self._database, merge=merge)
        with Ledger.open(source, create=False) as opened:
            return import_ledger(opened._database, self._database, merge=merge)

    def vacuum(self, *, full: bool = False) -> Vacuumed:
        """Reclaim the space of what was pruned.

        A file is written anew, without gaps, which takes as much free space as it then needs. In PostgreSQL the space
        becomes free for new records; with ``full`` it goes back to the system, and everybody else waits meanwhile.

        Args:
            full: In PostgreSQL, write the tables anew.

        Returns:
            The ledger's size before and after.

        Raises:
            LabelingError: The disk has no room for it, others use the ledger, or the tables belong to somebody else.

        Example:
            >>> ledger.vacuum().after  # doctest: +SKIP
            8192
        """
        from labeling.ledger._vacuum import vacuum

        return vacuum(self._database, full=full)

    # --- reading ------------------------------------------------------------------------------------------------------

    def by_keys(self, keys: Sequence[str]) -> dict[str, Record]:
        """Return the latest record of each key.

        Args:
            keys: Keys that were given to :meth:`record` or :class:`Entry`; any number of them.

        Returns:
            Records by key; a key without a record is left out.

        Example:
            >>> ledger.by_keys(["job-1", "job-2"])["job-1"].sha256  # doctest: +SKIP
            '9f2c…'
        """
        return by_keys(self._database, keys)

    def by_sha256(self, digests: Sequence[str]) -> dict[str, Record]:
        """Return the latest label that was recorded of each output; the database has an index for it.

        Args:
            digests: SHA-256 of files, as 64 hexadecimal digits in lower case; any number of them.

        Returns:
            Records by SHA-256; one that was never recorded is left out.

        Example:
            >>> ledger.by_sha256([digest])[digest].content_id  # doctest: +SKIP
            '0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d'
        """
        return by_sha256(self._database, digests)

    def show(self, content_id: str) -> list[Record]:
        """Return all records of a content id, oldest first.

        Args:
            content_id: The content's number, as labels have it.

        Returns:
            The records; empty if there is none.

        Example:
            >>> ledger.show("0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d")  # doctest: +SKIP
        """
        return of_content(self._database, content_id)

    def find(
        self,
        source: files.Source | Image.Image,
        *,
        distance: int = DEFAULT_DISTANCE,
        limit: int = MAX_MATCHES,
        max_pixels: int | None = None,
    ) -> list[Match]:
        """Find the records that may belong to a file or picture: same bytes, same content id, or same picture.

        Args:
            source: A path, a file's bytes, a binary file object, or a PIL image. A file that cannot be decoded is
                looked for by its bytes and its content id.
            distance: Bits in which whole pictures may differ, 0 to 256; -1 leaves out the search by picture. Copies of
                a part, with margins, mirrored or turned are told by their points, whatever this is.
            limit: The greatest number of matches.
            max_pixels: Do not decode larger pictures (default: 100 000 000).

        Returns:
            The matches, best first.

        Raises:
            LabelingError: The source cannot be read at all.

        Example:
            >>> ledger.find("downloaded.jpg")[0].by  # doctest: +SKIP
            'fingerprint'
        """
        from labeling.ledger._find import find, query_of

        query = query_of(source, max_pixels=max_pixels)
        if self._cache is None:
            from labeling.ledger._search import BlockCache

            self._cache = BlockCache()
        cache = self._cache
        return self._database.read(lambda c: find(c, query, cache, distance))[:limit]

    def export(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Record]:
        """Yield records in order, reading a page at a time.

        Args:
            since: Leave out records before this time. A time without a zone is local time.
            until: Leave out records from this time on.

        Yields:
            The records, oldest first.

        Example:
            >>> for record in ledger.export(since=datetime(2026, 1, 1)):  # doctest: +SKIP
            ...     print(record.seq, record.content_id)
        """
        return in_order(self._database, since, until)

    def verify(self, head_hash: str | None = None) -> Verification:
        """Check the whole chain, and the tables that searches use.

        Args:
            head_hash: The ``head`` of an earlier verification or the ``hash`` of any record, kept elsewhere. It must
                be in the chain; that also reveals a chain that was rewritten as a whole.

        Returns:
            What was checked, and every record that was altered, removed, inserted or moved.

        Example:
            >>> ledger.verify(kept_head).intact  # doctest: +SKIP
            True
        """
        from labeling.ledger._verify import verify

        with self._database.reading() as connection:
            return verify(connection, ChainChecker(head_hash))
