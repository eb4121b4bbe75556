"""Files that are no table, though their name says so: said at once, instead of a header of gibberish."""

from pathlib import Path

from nurture.files.encoding import FileError, FileProbe

STARTS = (  # how the text begins, what it is, and what to do
    ((b"<!doctype html", b"<html", b"<table", b"<head", b"<body"), "is an HTML page, not a table",
     'Open it in a spreadsheet and save it as "CSV UTF-8", or export it again.'),
    ((b"<?xml", b"<workbook", b"<feed", b"<rss"), "is XML, not a table", "Export it as CSV."),
    ((b"{", b"[{", b"[\n", b"[\r", b"[ ", b"[[", b'["'), "is JSON, not a table", "Export it as CSV."),
    ((b"begin:vcard",), "holds vCards, not a table", "Export the contacts as CSV."),
    ((b"begin:vcalendar",), "is a calendar, not a table", "Export it as CSV."),
    ((b"{\\rtf",), "is a text document, not a table", 'Save its table as "CSV UTF-8".'),
    ((b"from: ", b"return-path:", b"received: ", b"mime-version:"), "is a mail, not a table", "Save the attachment."),
)  # fmt: skip


def refuse_other_formats(path: Path, probe: FileProbe) -> None:
    """Raise FileError where the text is HTML, XML, JSON, vCard or a mail, whatever the file is called."""
    head = probe.head[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").lower().replace(b"\0", b"")
    for starts, what, mend in reversed(STARTS):
        if head.startswith(starts):
            raise FileError(path.name, what, mend)
