"""The end-to-end scores of OmniDocBench: a page of Markdown against the page's annotation."""
