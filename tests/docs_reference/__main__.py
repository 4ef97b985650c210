"""Write the generated pages, and take away those of what is no more."""

from __future__ import annotations

from tests.docs_reference import DOCS, pages


def main() -> None:
    """Write what has changed, and name it."""
    wanted = pages()
    for old in (DOCS / "providers").glob("*.md"):
        if old not in wanted:
            old.unlink()
            print(f"removed {old.relative_to(DOCS.parent)}")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(DOCS.parent)}")


main()
