"""Under a notebook's title: where to open it, its file, how long it runs; below, the version.

The run time is that of the execution whose output the page shows, as myst-nb keeps it.
"""

import subprocess
from datetime import date
from html import escape
from importlib import metadata
from pathlib import Path

from docutils import nodes

_COLAB = "https://colab.research.google.com/github"


def add_buttons(app, doctree, docname):
    """Put links under the title of a page that is a notebook."""
    source = Path(app.env.doc2path(docname))
    title = next(iter(doctree.findall(nodes.title)), None)
    if app.builder.format != "html" or source.suffix != ".ipynb" or title is None:
        return
    options = app.config.html_theme_options
    owner = "/".join(options["repository_url"].rstrip("/").rsplit("/", 2)[1:])
    colab = f"{_COLAB}/{owner}/blob/{options['repository_branch']}/{docname}.ipynb"
    file = app.builder.get_relative_uri(docname, "index").rpartition("/")[0]
    file = f"{file}/_sources/{docname}.ipynb".lstrip("/")
    run = app.env.nb_metadata.get(docname, {}).get("exec_data") or {}
    seconds = run.get("runtime")
    said = f"<span>Runs in {length(seconds)}.</span>" if seconds else ""
    html = (
        '<p class="mg-openers">'
        f'<a href="{escape(colab)}">Open in Colab</a> '
        f'<a href="{escape(file)}" download>Download the notebook</a> {said}</p>'
    )
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", html, format="html"))


def length(seconds):
    """Seconds in words that promise no more than they can.

    Examples
    --------
    >>> length(3.2), length(17), length(100)
    ('about 5 seconds', 'about 20 seconds', 'about 2 minutes')
    """
    if seconds > 90:
        return f"about {round(seconds / 60)} minutes"
    return f"about {max(5, 5 * -(-int(seconds) // 5))} seconds"


def add_version(app, config):
    """Say under every page which version it is, and where its changes and its print are."""
    url = config.html_theme_options.get("repository_url", "").rstrip("/")
    branch = config.html_theme_options.get("repository_branch", "main")
    words = [f"Version {metadata.version('mgtutorial')} of {changed(Path(app.srcdir))}"]
    if url:
        words.append(f'<a href="{escape(url)}/blob/{escape(branch)}/CHANGELOG.md">what changed</a>')
        words.append(f'<a href="{escape(url)}/releases">PDF and older versions</a>')
    footer = config.html_theme_options.get("extra_footer", "")
    config.html_theme_options["extra_footer"] = f"{footer}\n<p>{' · '.join(words)}</p>"


def changed(root):
    """The day of the last commit, or today where there is none."""
    try:
        git = ["git", "-C", str(root), "log", "-1", "--format=%cs"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return date.today().isoformat()


def setup(app):
    app.connect("config-inited", add_version)
    app.connect("doctree-resolved", add_buttons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
