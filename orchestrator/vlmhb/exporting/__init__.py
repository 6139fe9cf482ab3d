"""Export: the results of a run in the formats of other tools."""

from vlmhb.exporting.formats import FORMATS, export
from vlmhb.exporting.source import Evaluated, find_evaluated
from vlmhb.exporting.target import Export, File, write

__all__ = ["FORMATS", "Evaluated", "Export", "File", "export", "find_evaluated", "write"]
