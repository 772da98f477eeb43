# SPDX-License-Identifier: Apache-2.0
"""What a benchmark run says: on standard output as it comes, and kept for the report (report.py)."""

_sections = {}  # name -> lines
_now = []


def begin(name):
    """What is said from now on belongs to this section."""
    global _now
    _now = _sections[name] = []
    print(f"\n## {name}\n", flush=True)


def section(name):
    return list(_sections.get(name, []))


def say(text=""):
    _now.extend(str(text).split("\n"))
    print(text, flush=True)


def table(*columns):
    """A function that says one row. A column is its title, or (title, format); its width is that of the title."""
    columns = [column if isinstance(column, tuple) else (column, "") for column in columns]
    widths = [max(len(title), 6) for title, _ in columns]
    say("  ".join(f"{title:>{width}}" for (title, _), width in zip(columns, widths)))

    def row(*values):
        cells = [f"{'-' if value is None else format(value, form):>{width}}"
                 for value, (_, form), width in zip(values, columns, widths)]
        say("  ".join(cells))

    return row

