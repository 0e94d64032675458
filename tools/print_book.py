"""Print the whole book to one PDF: `make pdf`.

Each page of the built HTML is printed by headless Chromium, in the order of _toc.yml; the
parts are joined behind a title page and a table of contents. Links between pages of the book
lead to the printed page, bookmarks follow the table of contents, and pages are numbered
throughout. Folded solutions are unfolded, and a figure that can be moved shows one frame.
"""

import argparse
import base64
import html
import io
import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urldefrag

import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"

# A4 in inches; the foot has room for the number of the page.
PAPER = {
    "paperWidth": 8.27,
    "paperHeight": 11.69,
    "marginTop": 0.7,
    "marginBottom": 0.8,
    "marginLeft": 0.75,
    "marginRight": 0.75,
    "printBackground": True,
    "scale": 0.8,
    "preferCSSPageSize": False,
}
_FOOT = (
    '<div style="width:100%;text-align:center;font:9px sans-serif;color:#444">'
    '<span class="pageNumber"></span></div>'
)
# One page printed alone has its contents and its title above it; in a book, the title will do.
_STYLE = """
@media print {
  #jb-print-docs-body { display: none !important; }
  .bd-main .bd-content { margin-left: 0 !important; }
  .bd-main .bd-content .bd-article h1:first-of-type { display: block !important; margin-top: 0; }
}
"""
# What is folded on the screen is open on paper; frames and formulas are there when it returns.
_READY = """
const done = arguments[1];
document.head.appendChild(document.createElement("style")).textContent = arguments[0];
document.querySelectorAll("details").forEach(e => e.open = true);
document.querySelectorAll(".toggle-hidden, .tag_hide-input, .tag_hide-output").forEach(
  e => e.classList.remove("toggle-hidden"));
document.querySelectorAll("img").forEach(i => i.loading = "eager");
Promise.all([...document.images].map(i => i.decode().catch(() => 0))).then(() => done(true));
"""


def order(toc):
    """Return the book's parts as pairs (caption or None, list of (depth, page)).

    Examples
    --------
    >>> order({"root": "a", "parts": [{"caption": "B", "chapters": [
    ...     {"file": "c", "sections": [{"file": "d"}]}]}]})
    [(None, [(0, 'a')]), ('B', [(0, 'c'), (1, 'd')])]
    """

    def pages(entries, depth=0):
        for entry in entries:
            if "file" in entry:
                yield depth, entry["file"]
            yield from pages(entry.get("sections", ()), depth + 1)

    parts = [(part.get("caption"), list(pages(part["chapters"]))) for part in toc.get("parts", ())]
    return [(None, [(0, toc["root"])]), *parts]


class Printer:
    """A browser that prints."""

    def __init__(self, folder):
        from tools.browser import Browser, missing

        reason, binary, driver = missing()
        if reason:
            raise SystemExit(f"The book cannot be printed: {reason}.")
        self.browser, self.folder = Browser(binary, driver, folder / "profile"), folder

    def page(self, address, **options):
        """Return a page of the book, printed, and its title."""
        self.browser.size(1100)  # the width at which figures have their own size
        self.browser.open(address)
        self.browser.mode("light")
        self.browser.driver.execute_async_script(_READY, _STYLE)
        title = self.browser.js(
            "const h = document.querySelector('.bd-article h1'); if (!h) return document.title;"
            "const c = h.cloneNode(true);"
            "c.querySelectorAll('.headerlink').forEach(e => e.remove());"
            "return c.textContent.trim()"
        )
        self.browser.cdp("Emulation.clearDeviceMetricsOverride", {})
        return self.to_pdf(**options), title

    def markup(self, text, **options):
        """Return a page of our own, printed."""
        file = self.folder / "page.html"
        file.write_text(text, encoding="utf-8")
        self.browser.driver.get(file.as_uri())
        return self.to_pdf(**options)

    def to_pdf(self, **options):
        from pypdf import PdfReader

        printed = self.browser.cdp("Page.printToPDF", {**PAPER, **options})["data"]
        return PdfReader(io.BytesIO(base64.b64decode(printed)))


def contents(title, author, cover, entries):
    """The title page and the table of contents as HTML; `entries` as (depth, title, number)."""
    rows = "".join(
        f'<tr class="d{depth}"><td>{html.escape(text)}</td><td>{number or ""}</td></tr>'
        for depth, text, number in entries
    )
    return f"""<!doctype html><meta charset="utf-8"><style>
body{{font:11pt/1.45 "DejaVu Sans",sans-serif;margin:0}}
section{{break-after:page;text-align:center;padding-top:4cm}}
h1{{font-size:30pt;line-height:1.2;margin:0 0 1cm}}img{{width:12cm}}
h2{{font-size:18pt}}table{{width:100%;border-collapse:collapse}}
td{{padding:2px 0;vertical-align:bottom}}td+td{{text-align:right;width:3em}}
.dpart td{{font-weight:bold;padding-top:.5cm}}.d1 td:first-child{{padding-left:1.2cm}}
</style><section><h1>{html.escape(title)}</h1><img src="{cover}" alt=""><p>{html.escape(author)}</p>
</section><h2>Contents</h2><table>{rows}</table>"""


def numbered(printer, count):
    """Return `count` empty pages with their numbers at the foot."""
    blank = "".join('<div style="break-after:page">&nbsp;</div>' for _ in range(count - 1))
    text = f'<!doctype html><meta charset="utf-8"><body style="margin:0">{blank}<div>&nbsp;</div>'
    foot = {"headerTemplate": "<span></span>", "footerTemplate": _FOOT}
    return printer.markup(text, displayHeaderFooter=True, scale=1, **foot)


def lead_inside(writer, starts, names):
    """Let links to pages of the book lead to where these are printed.

    Parameters
    ----------
    starts : dict
        The first printed page, counted from zero, of each file of the build.
    names : dict
        Where anchors are printed: page and height, by (file, anchor).
    """
    from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

    counted = 0
    for page in writer.pages:
        for annotation in page.get("/Annots") or ():
            annotation = annotation.get_object()
            action = annotation.get("/A")
            if action is None or "/URI" not in action.get_object():
                continue
            address, anchor = urldefrag(str(action.get_object()["/URI"]))
            if not address.startswith(HTML.as_uri()):
                continue
            file = unquote(address.removeprefix(HTML.as_uri() + "/"))
            if file in starts:
                number, top = names.get((file, unquote(anchor)), (starts[file], None))
                where = NullObject() if top is None else FloatObject(top)
                target = [writer.pages[number].indirect_reference, NameObject("/XYZ")]
                target += [NullObject(), where, NullObject()]
                del annotation["/A"]
                annotation[NameObject("/Dest")] = ArrayObject(target)
                counted += 1
            else:  # a file of the build that is not printed: an address on this machine is no link
                del annotation["/A"]
    return counted


def anchors(reader, file, start):
    """Where the anchors of a printed page are, as `lead_inside` wants them."""
    found = {}
    for name, place in reader.named_destinations.items():
        number = reader.get_destination_page_number(place)
        if number is not None and number >= 0:
            top = place.get("/Top")
            found[file, name.lstrip("/")] = (start + number, None if top is None else float(top))
    return found


def book(target, only=None):
    """Print the book to `target`; return the number of its pages, and of links inside it."""
    from pypdf import PdfWriter

    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = order(toc)
    total = sum(len(pages) for _, pages in parts)
    cover = (ROOT / "book/figures/cover.svg").as_uri()
    with tempfile.TemporaryDirectory() as folder:
        printer = Printer(Path(folder))
        printed, done = [], 0  # (depth, title, file, PDF), or (None, caption, None, None)
        for caption, pages in parts:
            chosen = [(d, p) for d, p in pages if only is None or re.search(only, p)]
            if caption and chosen:
                printed.append((None, caption, None, None))
            for depth, page in chosen:
                done += 1
                pdf, title = printer.page((HTML / f"{page}.html").as_uri())
                print(f"[pdf] {done:3} of {total}  {len(pdf.pages):3} p.  {title}", flush=True)
                printed.append((depth, title, f"{page}.html", pdf))

        def entries(first):
            for depth, title, _, pdf in printed:
                yield ("part" if pdf is None else depth, title, None if pdf is None else first + 1)
                first += 0 if pdf is None else len(pdf.pages)

        # The table of contents is as long as it is, whatever the numbers in it.
        front = printer.markup(
            contents(config["title"], config["author"], cover, entries(0)), scale=1
        )
        first = len(front.pages)
        front = printer.markup(
            contents(config["title"], config["author"], cover, entries(first)), scale=1
        )
        writer, starts, names = PdfWriter(), {}, {}
        writer.append(front, import_outline=False)
        caption = part = chapter = None
        for depth, title, file, pdf in printed:
            if pdf is None:  # the bookmark of a part leads to its first page
                caption, part = title, None
                continue
            start = starts[file] = len(writer.pages)
            names |= anchors(pdf, file, start)
            writer.append(pdf, import_outline=False)
            if caption and part is None:
                part = writer.add_outline_item(title=caption, page_number=start)
            above = part if depth == 0 else chapter
            mark = writer.add_outline_item(title=title, page_number=start, parent=above)
            chapter = mark if depth == 0 else chapter
        inside = lead_inside(writer, starts, names)
        for page, number in zip(
            writer.pages, numbered(printer, len(writer.pages)).pages, strict=True
        ):
            if page.page_number:  # the title page has none
                page.merge_page(number)
                page.compress_content_streams()  # merging unpacks them: 37 MB in place of 9
        printer.browser.driver.quit()
        writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
        writer.compress_identical_objects()
        writer.write(target)
        return len(writer.pages), inside


def main():
    parser = argparse.ArgumentParser(description="Print the built book to one PDF.")
    parser.add_argument("--only", help="print the pages whose names this expression finds")
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "mgtutorial.pdf")
    given = parser.parse_args()
    count, inside = book(given.to, given.only)
    size = given.to.stat().st_size / 1e6
    print(f"[pdf] {count} pages, {inside} links inside, {size:.1f} MB: {given.to}")


if __name__ == "__main__":
    main()
