"""The page of a run: one self-contained HTML file, made from nothing but the run folder."""

from pytest_ohllm.report.page.writing import PAGE, write_page

__all__ = ["PAGE", "write_page"]
